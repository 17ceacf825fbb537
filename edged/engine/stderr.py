"""What a child writes to stderr, cut down to what a journal can bear."""

from __future__ import annotations

# Longest line kept: llama.cpp's own lines are under 200 characters.
MAX_LINE_BYTES = 512
# A crashing child says its last words in a burst; after that a line a second would do.
BURST_LINES = 50
LINES_PER_S = 5.0


class StderrLines:
    """Splits, bounds and rate-limits; pure, so it takes the time as an argument."""

    def __init__(self) -> None:
        self._tail = b""
        self._allowance = float(BURST_LINES)
        self._at: float | None = None
        self._unreported = 0
        self._last = b""
        self.dropped = 0

    @property
    def last(self) -> str:
        """The last line that was not blank, dropped ones included: crashes explain themselves."""
        return _printable(self._last)

    def feed(self, data: bytes, now: float) -> list[str]:
        """The lines to forward, complete ones only; `now` in monotonic seconds."""
        self._refill(now)
        *complete, tail = data.split(b"\n")
        lines: list[str] = []
        for piece in complete:
            self._line(self._tail + piece, lines)
            self._tail = b""
        # What exceeds the bound is forgotten at once, or a child without newlines fills the memory.
        self._tail = (self._tail + tail)[: MAX_LINE_BYTES + 1]
        return lines

    def close(self, now: float) -> list[str]:
        """The unfinished last line and the count of what was dropped."""
        lines = self.feed(b"\n" if self._tail else b"", now)
        if self._unreported:
            lines.append(self._report())
        return lines

    def _refill(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._allowance = min(float(BURST_LINES), self._allowance + passed * LINES_PER_S)

    def _line(self, raw: bytes, lines: list[str]) -> None:
        if not raw.strip():
            return
        self._last = raw
        if self._allowance < 1.0:
            self.dropped += 1
            self._unreported += 1
            return
        self._allowance -= 1.0
        if self._unreported:
            lines.append(self._report())
        lines.append(_printable(raw))

    def _report(self) -> str:
        text = f"({self._unreported} lines dropped)"
        self._unreported = 0
        return text


def _printable(raw: bytes) -> str:
    text = raw[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip()
    # A forged newline or an ANSI escape must not reach the journal.
    cut = "…" if len(raw) > MAX_LINE_BYTES else ""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + cut
