"""How many prompt tokens go into a step, so that nobody waits long and nobody is slowed much."""

from __future__ import annotations

from math import inf

# Seconds that a newcomer waits at most for a place in a step. Where there is one stream he waits
# for the whole answer anyway, and larger chunks are read faster: of 128 experts 512 tokens share
# each weight that is read, 100 tokens hardly any (20 against 16 tok/s, 30B-A3B shape).
CHUNK_S = 5.0
# Weight of the newest step; a few steps after a change of load the plan fits again.
_NEWEST = 0.3
# A rest of so many chunks is read at once: a larger step costs less a token than those before, on
# a MoE less than half of what the short one of the warm-up did.
_ALONG = 2.5


class Pacing:
    """Learns what steps cost and sizes the next one.

    Args:
        chunk: Prompt tokens of one step at most.
        share: How much of their rate running streams give while a prompt is read.
        streams: Runs side by side.
    """

    def __init__(self, chunk: int, share: float, streams: int) -> None:
        self.limit = chunk
        self._chunk_s = CHUNK_S if streams > 1 else inf
        self._slowdown = share / (1.0 - share)
        self._read_s: float | None = None
        self._mixed_s: float | None = None
        self._decode_s: dict[int, float] = {}

    def chunk(self, left: int, streams: int, readers: int = 1) -> int:
        """Prompt tokens for the next step.

        Args:
            left: Unread tokens; at least one.
            streams: Runs that decode in the same step.
            readers: Prompts that they are of.
        """
        size = self._among(left, streams, readers) if streams else self._alone(left)
        return max(1, min(left, self.limit, size))

    def reading_s(self, tokens: int) -> float:
        """Seconds of a step that only reads so many tokens; 0 while that is not known."""
        return tokens * (self._read_s or 0.0)

    def observe(self, seconds: float, tokens: int, streams: int) -> None:
        """A step of `tokens` prompt tokens and `streams` decodes took so long."""
        if not tokens:
            self._decode_s[streams] = _mean(self._decode_s.get(streams), seconds)
        elif not streams:
            self._read_s = _mean(self._read_s, seconds / tokens)
        else:
            extra = max(0.0, seconds - self._step_s(streams))
            self._mixed_s = _mean(self._mixed_s, extra / tokens)

    def _alone(self, left: int) -> int:
        if not self._read_s:
            return self.limit
        size = int(min(self.limit, self._chunk_s / self._read_s))
        return left if left <= size * _ALONG else size

    def _among(self, left: int, streams: int, readers: int) -> int:
        cost, step_s = self._mixed_s or self._read_s, self._step_s(streams)
        if not cost or not step_s:
            return left
        # Where more wait than are answered, each who waits counts as one who is: reading for one
        # answer's sake by twos and threes takes half as long again on a MoE.
        share = self._slowdown * max(1.0, readers / streams)
        return int(min(self.limit, step_s * share / cost))

    def _step_s(self, streams: int) -> float:
        """Seconds of a step that only decodes, of as many streams or of the next fewer known."""
        fewer = max((count for count in self._decode_s if count <= streams), default=None)
        known = min(self._decode_s, default=0) if fewer is None else fewer
        return self._decode_s.get(known, 0.0)


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + _NEWEST * (now - before)
