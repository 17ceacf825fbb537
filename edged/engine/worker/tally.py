"""How long the loop computed of late, and what one more token costs without any rest."""

from __future__ import annotations

from math import inf
from typing import Final

from edged.engine.frames import Effort

# As often as a thermal sensor changes, and seldom enough to cost nothing.
WINDOW_S: Final = 1.0
_MS: Final = 1e3


class Tally:
    """Adds up steps between two reports; all times are monotonic seconds."""

    def __init__(self) -> None:
        self._since = -inf
        self._from = 0.0
        self._busy_s = self._core_s = self._decode_s = self._step_s = 0.0
        self._decodes = self._tokens = 0

    def begin(self, now: float) -> None:
        """Computing begins, or goes on after a rest."""
        if now - self._since > 2 * WINDOW_S:
            self._clear(now)  # there was nothing to do, and who has nothing to do is not resting
        self._from = now

    def computing(self, now: float, cores: int) -> None:
        """Up to now it computed with so many threads, and goes on."""
        self._busy_s += now - self._from
        self._core_s += (now - self._from) * cores
        self._step_s += now - self._from
        self._from = now

    def computed(self, now: float, cores: int, decoded: int) -> None:
        """The step is over.

        Args:
            now: Its end.
            cores: Threads that computed it.
            decoded: Tokens that it decoded; 0 if it read as well.
        """
        self.computing(now, cores)
        if decoded:
            self._decode_s += self._step_s
            self._decodes += 1
            self._tokens += decoded
        self._step_s = 0.0

    def due(self, now: float) -> bool:
        """Whether a report is due."""
        return now - self._since >= WINDOW_S

    def effort(self, now: float, decoding: int, threads: int) -> Effort:
        """The report; the next one begins."""
        effort = Effort(
            wall_ms=(now - self._since) * _MS,
            busy_ms=self._busy_s * _MS,
            core_ms=self._core_s * _MS,
            decode_ms=self._decode_s * _MS,
            decodes=self._decodes,
            tokens=self._tokens,
            decoding=decoding,
            threads=threads,
        )
        self._clear(now)
        return effort

    def _clear(self, now: float) -> None:
        self._since = now
        self._busy_s = self._core_s = self._decode_s = self._step_s = 0.0
        self._decodes = self._tokens = 0
