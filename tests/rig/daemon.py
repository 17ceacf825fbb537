"""The real daemon as a process, with a state directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import yaml

from tests.rig.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
POCKET = ROOT / "edged" / "data" / "pocket.gguf"
FAKE_ENGINE = ROOT / "tests" / "engine" / "fake_engine.py"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
ORPHAN_TIMEOUT_S = 5.0
POLL_S = 0.02


def merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `more`, section by section."""
    joined = dict(base)
    for key, value in more.items():
        old = joined.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            joined[key] = merge(old, value)
        else:
            joined[key] = value
    return joined


class DaemonProcess:
    """`with DaemonProcess(broker.port) as daemon:` returns when it is online.

    Args:
        port: Of the broker or of the proxy before it.
        node: The node's name.
        script: The fake engine's script; None starts the real worker.
        config: Further configuration, joined section by section.
        watch_port: Where to watch the availability topic (default: `port`; give the
            broker's own port if `port` is a proxy's).
        sysfs_root: Where it finds its sensors; None is this machine's own.

    Set `patient` to False before entering to go on without waiting for `online`.
    """

    def __init__(  # noqa: PLR0913 - each is what some test varies
        self,
        port: int,
        *,
        node: str = "test",
        script: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        watch_port: int | None = None,
        sysfs_root: Path | None = None,
    ) -> None:
        self.node = node
        self.directory = Path(tempfile.mkdtemp(prefix="edged-daemon-"))
        self.state = self.directory / "state"
        self.state.mkdir(mode=0o700)
        self.cache = self.directory / "cache"
        self.config_file = self.directory / "config.yaml"
        self._script = script
        self._watch_port = watch_port or port
        self._options = [] if sysfs_root is None else ["--sysfs-root", str(sysfs_root)]
        self.patient = True
        self._process: subprocess.Popen[bytes] | None = None
        self._children: list[psutil.Process] = []
        self.write_config(merge(self._base(port), config or {}))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        orphans = self._end()
        if error is not None:
            error.add_note(f"daemon's stderr:\n{self.stderr()[-8000:]}")
        shutil.rmtree(self.directory, ignore_errors=True)
        if error is None:
            assert not orphans, f"orphans: {orphans}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the daemon was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def write_config(self, config: Mapping[str, Any]) -> None:
        self.config = dict(config)
        self.config_file.write_text(yaml.safe_dump(self.config))

    def write_script(self, script: Mapping[str, Any]) -> None:
        """Give the fake engine another script; it is read when the engine starts."""
        self._script = script
        (self.directory / "script.json").write_text(json.dumps(script))

    def start(self) -> None:
        with (self.directory / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "edged.cli", "run"),
                    *("--config", str(self.config_file)),
                    *self._options,
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        if self.patient:
            self.wait_online()

    def wait_online(self, timeout: float = START_TIMEOUT_S) -> None:
        """Return when the broker has `online` for our node."""
        with TestClient(self._watch_port) as watcher:
            watcher.subscribe(f"edged/{self.node}/availability")
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                assert self.process.poll() is None, f"the daemon ended:\n{self.stderr()[-4000:]}"
                seen = watcher.on(f"edged/{self.node}/availability")
                if seen and seen[-1].payload == b"online":
                    return
                time.sleep(POLL_S)
        message = f"not online after {timeout} s:\n{self.stderr()[-4000:]}"
        raise TimeoutError(message)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._remember_children()
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM; the exit status."""
        self._remember_children()
        self.process.terminate()
        return self.process.wait(timeout)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stderr(self) -> str:
        """All that the daemon wrote so far."""
        path = self.directory / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def rss(self) -> int:
        """Bytes of memory the daemon itself holds, without its child."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def fds(self) -> int:
        """Open file descriptors of the daemon itself."""
        return int(psutil.Process(self.pid).num_fds())

    def cpu_s(self) -> float:
        """CPU seconds, user and system, of the daemon itself."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def children(self) -> list[psutil.Process]:
        """Processes below the daemon, living or zombie."""
        return psutil.Process(self.pid).children(recursive=True)

    def orphans(self, timeout: float = ORPHAN_TIMEOUT_S) -> list[psutil.Process]:
        """Former children that live on although the daemon is gone."""
        _, alive = psutil.wait_procs(self._children, timeout=timeout)
        return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def _remember_children(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            known = {child.pid for child in self._children}
            self._children += [c for c in self.children() if c.pid not in known]

    def _end(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        self._remember_children()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        orphans = self.orphans()
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                os.kill(orphan.pid, signal.SIGKILL)
        return orphans

    def _base(self, port: int) -> dict[str, Any]:
        config: dict[str, Any] = {
            "node": self.node,
            "mqtt": {"host": "127.0.0.1", "port": port},
            "serving": {"state_dir": str(self.state)},
            "engine": {"cache_dir": str(self.cache)},
            "model": {"path": str(POCKET)},
        }
        if self._script is not None:
            self.write_script(self._script)
            command: Sequence[str] = (
                sys.executable,
                str(FAKE_ENGINE),
                str(self.directory / "script.json"),
            )
            config["engine"]["command"] = list(command)
        return config
