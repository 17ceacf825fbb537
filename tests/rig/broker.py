"""A private mosquitto that a test may stop, kill, freeze and thaw."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec import Struct

if TYPE_CHECKING:
    from types import TracebackType

    from tests.rig.certs import KeyPair

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
POLL_S = 0.01


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


class BrokerTls(Struct, frozen=True, kw_only=True):
    """What a TLS listener shows and asks for."""

    ca_file: Path
    pair: KeyPair
    require_certificate: bool = False


class BrokerOptions(Struct, frozen=True, kw_only=True):
    """How mosquitto is configured.

    Attributes:
        persistence: Retained messages and sessions survive `stop` (not `kill`).
        acl: Lines of an ACL file.
        users: Names and passwords; none means anonymous.
        max_queued: Messages kept for a session that is away (mosquitto's default is 1000).
        extra: Further lines of configuration.
    """

    persistence: bool = False
    acl: tuple[str, ...] | None = None
    users: dict[str, str] | None = None
    tls: BrokerTls | None = None
    max_queued: int | None = None
    extra: tuple[str, ...] = ()


class Broker:
    """`with Broker() as broker:` runs mosquitto on a free loopback port."""

    def __init__(self, options: BrokerOptions | None = None, *, port: int | None = None) -> None:
        self.options = options or BrokerOptions()
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="edged-broker-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"broker log:\n{self.log()[-4000:]}")
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker was not started"
        return self._process.pid

    def log(self) -> str:
        """All that mosquitto wrote so far."""
        path = self._directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Return once the port answers."""
        self.write_config()
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_mosquitto(), "-c", str(self._directory / "conf")],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listening(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                message = f"mosquitto did not start:\n{self.log()}"
                raise RuntimeError(message)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ask it to end, as `systemctl stop` does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """No goodbye, nothing saved."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """The kernel still accepts TCP, nobody ever answers."""
        os.kill(self.pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self._frozen = False

    def reload(self, options: BrokerOptions) -> None:
        """Take over ACL, users and limits while it runs (listeners stay as they are)."""
        self.options = options
        self.write_config()
        os.kill(self.pid, signal.SIGHUP)

    def write_config(self) -> None:
        lines = [
            f"listener {self.port} {self.host}",
            f"allow_anonymous {'false' if self.options.users else 'true'}",
            f"persistence {'true' if self.options.persistence else 'false'}",
            f"persistence_location {self._directory}/",
            "log_dest stderr",
            "log_type all",
            "log_timestamp_format %H:%M:%S",
            *self.options.extra,
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user that cannot read our files
        if self.options.max_queued is not None:
            lines.append(f"max_queued_messages {self.options.max_queued}")
        lines += self._access() + self._tls()
        (self._directory / "conf").write_text("\n".join(lines) + "\n")

    def _access(self) -> list[str]:
        lines = []
        if self.options.acl is not None:
            path = self._directory / "acl"
            path.write_text("\n".join(self.options.acl) + "\n")
            path.chmod(0o600)
            lines.append(f"acl_file {path}")
        if self.options.users:
            path = self._directory / "users"
            path.write_text("".join(f"{n}:{p}\n" for n, p in self.options.users.items()))
            path.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True, capture_output=True)
            lines.append(f"password_file {path}")
        return lines

    def _tls(self) -> list[str]:
        tls = self.options.tls
        if tls is None:
            return []
        return [
            f"cafile {tls.ca_file}",
            f"certfile {tls.pair.cert}",
            f"keyfile {tls.pair.key}",
            f"require_certificate {'true' if tls.require_certificate else 'false'}",
        ]

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._frozen:
            self.thaw()
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _mosquitto() -> str:
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"
