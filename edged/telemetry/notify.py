"""What the service manager hears: sd_notify(3), or nothing where nobody listens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.clock import SystemClock
from edged.telemetry.journal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.clock import Clock

MAX_STATUS = 200  # characters; `systemctl status` shows one line


class Notifier:
    """Speaks to systemd; every verb returns whether a manager took it, and none raises.

    Args:
        clock: RELOADING must carry its monotonic time.
        send: systemd's `daemon.notify`; None looks for it.
        environ: None is this process's.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        send: Callable[[str], object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._environ = os.environ if environ is None else environ
        self._send = send or _systemd_notify()

    def ready(self, status: str = "") -> bool:
        """Starting or reloading has ended."""
        return self._tell("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """The live line of `systemctl status`."""
        return self._tell(*_status(text))

    def watchdog(self) -> bool:
        """Work advances; call it at least every `watchdog_interval_s`."""
        return self._tell("WATCHDOG=1")

    def hang(self) -> bool:
        """Work does not advance: be killed and started anew at once."""
        return self._tell("WATCHDOG=trigger")

    def reloading(self) -> bool:
        """The configuration is read again; `ready` ends it."""
        # systemd 253 and newer refuse the message without the time at which it was made
        return self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self, status: str = "") -> bool:
        """The end has begun."""
        return self._tell("STOPPING=1", *_status(status))

    def extend_timeout(self, seconds: float) -> bool:
        """Starting or stopping needs this long from now on."""
        return self._tell(f"EXTEND_TIMEOUT_USEC={max(0, int(seconds * 1e6))}")

    @property
    def watchdog_interval_s(self) -> float | None:
        """Seconds between two signs of life, half of what kills us; None if nobody watches."""
        try:
            limit = int(self._environ.get("WATCHDOG_USEC", ""))
            pid = int(self._environ.get("WATCHDOG_PID", os.getpid()))
        except ValueError:
            return None
        return limit / 2e6 if limit > 0 and pid == os.getpid() else None

    def _tell(self, *lines: str) -> bool:
        if self._send is None or not lines or not self._environ.get("NOTIFY_SOCKET"):
            return False
        try:
            return bool(self._send("\n".join(lines)))
        except OSError:
            return False


def _status(text: str) -> tuple[str, ...]:
    # one line: a newline in a status would be a message of its own
    return (f"STATUS={printable(text)[:MAX_STATUS]}",) if text else ()


def _systemd_notify() -> Callable[[str], object] | None:
    try:
        from systemd import daemon  # noqa: PLC0415 - optional: absent off systemd
    except ImportError:
        return None
    notify: Callable[[str], object] = daemon.notify
    return notify
