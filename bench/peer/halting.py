"""llama-bench that stands still before and after each of its tests, and during them if asked to.

Its tests are one process's, so that nobody who ends gives memory back while edged is measured.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, Final, Self

import msgspec

from bench.peer.programs import folder
from bench.peer.reports import BenchRow
from bench.peer.turns import Turns

if TYPE_CHECKING:
    from types import TracebackType

    from bench.peer.programs import Same

# Seconds that llama-bench itself waits before each test: its row is out by then, and it is stopped
# in time. Each test has a context of its own, whose memory is given back meanwhile.
PAUSE_S: Final = 2
ERROR_CHARACTERS: Final = 2000
READ_BYTES: Final = 1 << 16
# What it says when its watch runs; a test is warmed up before.
BEGINS: Final = re.compile(rb": (prompt|generation) run \d+/\d+\s")


class HaltingBench:
    """`with HaltingBench(same, prompts, answers) as peer:` loads the model during the first test.

    Args:
        same: What it is told as edged is.
        prompts: Tokens of each test that reads; they come first.
        answers: Tokens of each test that decodes.
    """

    def __init__(self, same: Same, prompts: tuple[int, ...], answers: tuple[int, ...]) -> None:
        sizes = ("-p", _listed(prompts), "-n", _listed(answers), "-r", "1")
        output = ("--delay", str(PAUSE_S), "--progress", "-o", "jsonl")
        self._command = (str(folder() / "llama-bench"), *same.options, *sizes, *output)
        self._began = self._ended = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._rows = _piped(self._process.stdout)
        self._said = _piped(self._process.stderr)
        self.turns = Turns(self._process.pid)
        self.turns.halt()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self) -> None:
        """Let it get ready for its next test, until its watch runs.

        Raises:
            ChildProcessError: It ended instead.
        """
        said = b""
        self.turns.go()
        while not BEGINS.search(said):
            more = os.read(self._said.fileno(), READ_BYTES)
            said += more
            if not more:
                raise self._ended_early(said)
        self._began = time.monotonic()
        self.turns.halt()

    def over(self, timeout_s: float) -> bool:
        """Whether the test is done, after so many seconds at most."""
        if not select.select([self._rows], [], [], timeout_s)[0]:
            return False
        self._ended = time.monotonic()
        return True

    def row(self) -> BenchRow:
        """What it says of the test, without the time that it stood still meanwhile.

        Raises:
            ChildProcessError: It ended instead.
        """
        line = self._rows.readline()
        if not line:
            raise self._ended_early()
        row = msgspec.json.decode(line, type=BenchRow)
        ran = self.turns.ran(self._ended) - self.turns.ran(self._began)
        stood_ns = int(1e9 * (self._ended - self._began - ran))
        samples = tuple(sample - stood_ns for sample in row.samples_ns)
        return msgspec.structs.replace(row, samples_ns=samples)

    def _ended_early(self, said: bytes = b"") -> ChildProcessError:
        self._process.send_signal(signal.SIGCONT)
        more = self._process.communicate()[1]
        text = (said + more).decode(errors="replace")
        message = f"llama-bench: exit code {self._process.returncode}\n{text}"
        return ChildProcessError(message[:ERROR_CHARACTERS])


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        message = "no pipe was asked for"
        raise ValueError(message)
    return stream


def _listed(sizes: tuple[int, ...]) -> str:
    """As llama-bench takes them; no test of a kind is one of 0 tokens to it."""
    return ",".join(map(str, sizes)) or "0"
