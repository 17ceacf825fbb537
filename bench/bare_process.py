"""The bare loop in a process of its own, and what a process spends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Self

import msgspec
import psutil

from bench.tasks import Run, Settings, Task
from tests.rig.daemon import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class BareProcess:
    """`with BareProcess(model, settings) as bare:` loads the model; it sleeps between tasks."""

    def __init__(self, model: Path, settings: Settings) -> None:
        as_json = msgspec.json.encode(settings).decode()
        module = (sys.executable, "-m", "bench.bare")
        self._command = (*module, str(model), "--settings", as_json)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def run(self, task: Task) -> Run:
        """Do one task and wait for it."""
        if self._process.stdin is None or self._process.stdout is None:
            message = "the bare loop has no pipes"
            raise RuntimeError(message)
        self._process.stdin.write(msgspec.json.encode(task) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Run)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process since its start, user and system."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
