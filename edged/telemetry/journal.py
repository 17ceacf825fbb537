"""One line per event: fields and MESSAGE_IDs for the journal, `LEVEL text key=value` elsewhere.

No text of a client, broker or engine can forge a line or a field, and none of theirs but names
and reasons is taken. A journal that fails never fails its caller.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from msgspec.structs import asdict

from edged.clock import SystemClock
from edged.telemetry.kinds import INTERNAL_ERROR, Fields, Kind, Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.clock import Clock

    Send = Callable[..., Any]

MAX_VALUE = 256  # characters; a path or reason of more is not read by anyone
MAX_CAUSES = 20  # told apart for one kind at a time; more are one flood, whatever it says
SOCKET = "/run/systemd/journal/socket"

_LEVELS = {
    "debug": Priority.DEBUG,
    "info": Priority.INFO,
    "warning": Priority.WARNING,
    "error": Priority.ERROR,
}
_PLAIN = re.compile(r"[!-~]+")


class Journal:
    """Where the daemon writes what happened.

    Args:
        clock: For the rate limit.
        level: debug, info, warning or error; what is less severe is dropped.
        stream: For plain lines.
        send: systemd's `journal.send`; None writes plain lines.
        prefix: Whether a plain line starts with its `<priority>`, as the journal reads it.
    """

    def __init__(
        self,
        clock: Clock,
        level: str = "info",
        stream: TextIO | None = None,
        send: Send | None = None,
        *,
        prefix: bool = False,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._send = send
        self._prefix = prefix
        self._limiter = _Limiter(clock)
        self._level = _LEVELS[level]

    @classmethod
    def setup(
        cls,
        level: str = "info",
        stream: TextIO | None = None,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        requested: bool = False,
    ) -> Journal:
        """A journal for this process.

        Args:
            level: debug, info, warning or error.
            stream: For plain lines; None is stderr.
            clock: For the rate limit; None is this machine's.
            environ: None is this process's.
            requested: Use the system's journal wherever it runs, not only as its service.
        """
        out = sys.stderr if stream is None else stream
        env = os.environ if environ is None else environ
        connected = _is_journal(out, env.get("JOURNAL_STREAM", ""))
        wanted = connected or (requested and os.path.exists(SOCKET))  # noqa: PTH110 - never raises
        send = _systemd_send() if wanted else None
        return cls(clock or SystemClock(), level, out, send, prefix=connected and send is None)

    @property
    def native(self) -> bool:
        """Whether records go to the journal with their fields."""
        return self._send is not None

    def set_level(self, level: str) -> None:
        """Change the level: debug, info, warning or error."""
        self._level = _LEVELS[level]

    def write(self, kind: Kind, fields: Fields | None = None) -> bool:
        """Write one record; returns whether it was written, here or there."""
        if kind.priority > self._level:
            return False
        fields = fields or Fields()
        repeats = self._limiter.repeats(kind, fields)
        if repeats is None:
            return False
        values = {key: _text(value) for key, value in asdict(fields).items() if value is not None}
        if repeats:
            values["repeats"] = str(repeats)
        return self._emit(kind, values)

    def mistake(self, where: str, error: BaseException) -> bool:
        """Report an exception nobody expected: its type and place, for its text may quote a prompt.

        Args:
            where: The part of the daemon that caught it.
            error: What it caught.
        """
        return self.write(INTERNAL_ERROR, Fields(code=where, reason=_place(error)))

    def _emit(self, kind: Kind, values: dict[str, str]) -> bool:
        line = " ".join([kind.text, *(f"{key}={_quoted(text)}" for key, text in values.items())])
        if self._send is not None:
            named = {f"EDGED_{key.upper()}": text for key, text in values.items()}
            with contextlib.suppress(OSError):
                self._send(
                    line,
                    MESSAGE_ID=kind.message_id,
                    PRIORITY=str(int(kind.priority)),
                    SYSLOG_IDENTIFIER="edged",
                    **named,
                )
                return True
        head = f"<{int(kind.priority)}>" if self._prefix else f"{kind.priority.name} "
        with contextlib.suppress(OSError, ValueError):  # ValueError: a closed stream
            self._stream.write(f"{head}{line}\n")
            self._stream.flush()
            return True
        return False


class _Limiter:
    """Writes a cause once in its time and says how often it came in between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, dict[str, tuple[float, int]]] = {}

    def repeats(self, kind: Kind, fields: Fields) -> int | None:
        """How many like this were held back, or None to hold this one back too."""
        if kind.every_s <= 0:
            return 0
        now = self._clock.monotonic()
        causes = self._seen.setdefault(kind.message_id, {})
        cause = fields.code or fields.reason or ""
        if cause not in causes and len(causes) >= MAX_CAUSES:
            oldest = min(causes, key=lambda name: causes[name][0])
            if now - causes[oldest][0] < kind.every_s:
                cause = oldest  # held back together with it
            else:
                del causes[oldest]
        written, held = causes.get(cause, (now - kind.every_s, 0))
        if now - written < kind.every_s:
            causes[cause] = (written, held + 1)
            return None
        causes[cause] = (now, 0)
        return held


def printable(text: str) -> str:
    r"""Text with every control, format and surrogate character written as `\x1b`."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return printable(str(value)[:MAX_VALUE])[:MAX_VALUE]


def _quoted(text: str) -> str:
    """A value that cannot pass for another key=value."""
    if _PLAIN.fullmatch(text) and not set(text) & set('="'):
        return text
    return '"' + text.replace('"', "'") + '"'


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = type(error).__name__
    if trace is None:
        return name
    code = trace.tb_frame.f_code
    return f"{name} in {code.co_name}, {os.path.basename(code.co_filename)}:{trace.tb_lineno}"  # noqa: PTH119 - a text


def _is_journal(stream: TextIO, expected: str) -> bool:
    """Whether systemd connected the stream to its journal (systemd.exec(5), JOURNAL_STREAM)."""
    with contextlib.suppress(OSError, ValueError):
        facts = os.fstat(stream.fileno())
        return f"{facts.st_dev}:{facts.st_ino}" == expected
    return False


def _systemd_send() -> Send | None:
    try:
        from systemd import journal  # noqa: PLC0415 - optional: absent off systemd
    except ImportError:
        return None
    send: Send = journal.send
    return send
