"""llama-bench that stands still between its tests, so that edged is measured right beside each.

A machine whose speed drifts slows both sides of such a pair alike, and nobody who ends gives memory
back while the other one is measured.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bench.peer.programs import folder
from bench.peer.reports import BenchRow

if TYPE_CHECKING:
    from types import TracebackType

    from bench.peer.programs import Same

# Seconds that llama-bench itself waits before each test: its row is out by then, and it is stopped
# in time. Each test has a context of its own, whose memory is given back meanwhile.
PAUSE_S: Final = 2
ERROR_CHARACTERS: Final = 2000


class HaltingBench:
    """`with HaltingBench(same, prompts, answers) as peer:` loads the model during the first test.

    Args:
        same: What it is told as edged is.
        prompts: Tokens of each test that reads; they come first.
        answers: Tokens of each test that decodes.
    """

    def __init__(self, same: Same, prompts: tuple[int, ...], answers: tuple[int, ...]) -> None:
        sizes = ("-p", _listed(prompts), "-n", _listed(answers), "-r", "1")
        output = ("--delay", str(PAUSE_S), "-o", "jsonl")
        self._command = (str(folder() / "llama-bench"), *same.options, *sizes, *output)

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._process.send_signal(signal.SIGSTOP)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def row(self) -> BenchRow:
        """Let it do its next test.

        Raises:
            ChildProcessError: It ended instead.
        """
        self._process.send_signal(signal.SIGCONT)
        line = b"" if self._process.stdout is None else self._process.stdout.readline()
        if line:
            self._process.send_signal(signal.SIGSTOP)
            return msgspec.json.decode(line, type=BenchRow)
        self._process.wait()
        self._errors.seek(0)
        message = f"llama-bench: exit code {self._process.returncode}\n{self._errors.read()}"
        raise ChildProcessError(message[:ERROR_CHARACTERS])


def _listed(sizes: tuple[int, ...]) -> str:
    """As llama-bench takes them; no test of a kind is one of 0 tokens to it."""
    return ",".join(map(str, sizes)) or "0"
