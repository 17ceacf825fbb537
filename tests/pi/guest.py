"""One emulated board; leave the context and it is gone, with all that it wrote."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.machine.machine import Machine
from tests.pi import board as boards

if TYPE_CHECKING:
    from tests.pi.board import Board

# An emulated core is some twenty times slower than the builder's own, of which there may be two.
BOOT_S = 300.0
WAIT_S = 240.0
STOP_S = 120.0
SLACK_S = 30.0  # by which the board itself is the first to give a script up


class Guest(Machine):
    """A board that boots from a disk.

    Args:
        board: Which.
        disk: Never written.
    """

    def __init__(self, board: Board, disk: Path) -> None:
        super().__init__(WAIT_S)
        self._board = board
        self._disk = disk
        # a path short enough for a socket's
        self._folder = Path(tempfile.mkdtemp(prefix="edged-pi-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._agent = socket.socket(socket.AF_UNIX)
        self._received = b""

    def __enter__(self) -> Self:
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _boot(self) -> None:
        with (self._folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                boards.command(self._board, self._disk, self._folder),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        self.until(self._connects)
        assert self._line(BOOT_S) == b"ready", self.console()
        self.until(self._is_up, BOOT_S)

    def __exit__(self, *_error: object) -> None:
        self._agent.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)

    def run(self, script: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a script within the board."""
        self._tell(script, timeout)
        status, *texts = self._line(timeout + SLACK_S).split(b" ")
        output, errors = (base64.b64decode(text).decode() for text in texts)
        return subprocess.CompletedProcess(script, int(status), output, errors)

    def _tell(self, script: str, timeout: float) -> None:
        self._agent.sendall(b"%d %s\n" % (timeout, base64.b64encode(script.encode())))

    def off(self) -> str:
        """Down in order; all that it wrote to its console."""
        assert self._process is not None
        # whoever would answer is among the first to be stopped
        self._tell("systemctl --no-block poweroff", STOP_S)
        self._process.wait(STOP_S)
        return self._console()

    def console(self) -> str:
        """The last that it wrote to its console."""
        return self._console()[-4000:]

    def _console(self) -> str:
        files = (self._folder / name for name in ("errors", "console"))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def _connects(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.console()
        try:
            self._agent.connect(str(self._folder / "agent"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def _is_up(self) -> bool:
        state = self.sh("systemctl is-system-running", check=False).strip()
        return state in {"running", "degraded"}

    def _line(self, timeout: float) -> bytes:
        """The agent's next line, waited for as long as that."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            self._agent.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                received = self._agent.recv(65536)
            except TimeoutError:
                received = b""
            assert received, f"nothing came within {timeout} s\n{self.console()}"
            self._received += received
        line, self._received = self._received.split(b"\n", 1)
        return line
