"""Rates and totals of what was generated, in bounded memory.

Every decode rate is tokens over *busy* seconds: those between two reports of a decode, of whichever
run; so it is that of all runs side by side together. Waiting,
prefill and idle time do not count, so a rate over 15 minutes tells how fast this machine is when
it works (heat included), not how much it was used. A decode that stands still counts as busy.
"""

from __future__ import annotations

from math import floor, isfinite
from typing import Literal, get_args

import msgspec

NOW_S = 5  # long enough to smooth one slow token at 1 tok/s, short enough to be called now
MINUTE_S = 60
QUARTER_S = 900  # 15 minutes: a board without a cooler has reached its final heat
COARSE_S = 10  # width of a long window's bucket; 1 % of it
MIN_BUSY_S = 0.01  # a rate over less would be noise of the clock

Status = Literal["ok", "rejected", "cancelled", "expired", "failed"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a request came to.

    Attributes:
        status: That of its reply.
        ran: Whether the engine had begun it; only then does its end end a decode.
        key: Of the run, as in `Meter.feed`.
        prompt_tokens: Tokens of the prompt, cached ones too.
        cached_tokens: Those of them that were not read again.
        completion_tokens: Tokens of the answer.
        prompt_ms: Milliseconds of prefill, as the engine measured; None if it did not finish.
        ttft_ms: Milliseconds from arrival to the first token; None if there was none.
    """

    status: Status
    ran: bool
    key: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prompt_ms: float | None = None
    ttft_ms: float | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Figures at one moment; None where nothing was measured.

    Attributes:
        tps: Tokens per second of what decodes, over its last seconds; None when idle.
        possible_tps: The same if it never rested for the heat, as the engine told last.
        tps_1m: Tokens per busy decode second in the last minute.
        tps_15m: The same over 15 minutes.
        pp_tps: Prompt tokens per second of the last prefill, cached ones not counted.
        ttft_ms: Milliseconds to the first token of the last request that had one.
        requests: How many came to each status since the start.
        prompt_tokens: Total since the start.
        completion_tokens: Total since the start.
    """

    tps: float | None
    possible_tps: float | None
    tps_1m: float | None
    tps_15m: float | None
    pp_tps: float | None
    ttft_ms: float | None
    requests: dict[str, int]
    prompt_tokens: int
    completion_tokens: int


class _Buckets:
    """Tokens and busy seconds by time, for the last `count` buckets of `width` seconds."""

    def __init__(self, width: int, count: int) -> None:
        self._width = width
        self._count = count
        self._tokens = [0] * count
        self._busy = [0.0] * count
        self._last = 0

    def add(self, now: float, tokens: int, busy: float) -> None:
        slot = self._advance(now) % self._count
        self._tokens[slot] += tokens
        self._busy[slot] += busy

    def sums(self, now: float, buckets: int) -> tuple[int, float]:
        """Tokens and busy seconds of the newest buckets, the one of `now` among them."""
        last = self._advance(now)
        slots = [index % self._count for index in range(last - buckets + 1, last + 1)]
        return sum(self._tokens[slot] for slot in slots), sum(self._busy[slot] for slot in slots)

    def _advance(self, now: float) -> int:
        index = floor(now / self._width)
        # a jump of years clears each bucket once and no more
        for stale in range(max(self._last + 1, index - self._count + 1), index + 1):
            self._tokens[stale % self._count] = 0
            self._busy[stale % self._count] = 0.0
        self._last = max(self._last, index)
        return self._last


class Meter:
    """Is fed by the daemon; a `now` that runs backwards or is no number counts as standing still.

    An interval between two reports belongs to the bucket of the later one, tokens and seconds
    alike, so a rate stays right although the window's edge is blurred by one report.
    """

    def __init__(self) -> None:
        self._fine = _Buckets(1, MINUTE_S)
        self._coarse = _Buckets(COARSE_S, QUARTER_S // COARSE_S)
        self._now = 0.0
        self._since: float | None = None  # the last report while something decodes
        self._decoding: set[str] = set()
        self._requests = dict.fromkeys(get_args(Status), 0)
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._possible_tps: float | None = None
        self._pp_tps: float | None = None
        self._ttft_ms: float | None = None

    def feed(self, tokens: int, now: float, key: str = "") -> None:
        """Count tokens just decoded.

        The first report of a decode opens it and its tokens are not rated: they came out of
        the prefill.

        Args:
            tokens: New ones since the last report; less than 0 counts as 0.
            now: Monotonic seconds.
            key: Of the run that made them.
        """
        at = self._clock(now)
        self._decoding.add(key)
        if self._since is not None:
            busy = at - self._since
            for buckets in (self._fine, self._coarse):
                buckets.add(at, max(0, tokens), busy)
        self._since = at

    def computed(self, tokens: int, seconds: float) -> None:
        """So many tokens of all decodes took so many seconds of computing, rests not counted."""
        if tokens > 0 and seconds > 0:
            self._possible_tps = _finite(tokens / seconds)

    def halted(self, now: float) -> None:
        """All decodes ended without an outcome, as when the engine died."""
        self._clock(now)
        self._since = self._possible_tps = None
        self._decoding.clear()

    def finished(self, outcome: Outcome, now: float) -> None:
        """Count what a request came to.

        Args:
            outcome: Any terminal outcome, refusals too.
            now: Monotonic seconds.
        """
        if outcome.ran:
            self._decoding.discard(outcome.key)
            if not self._decoding:
                self.halted(now)
        self._requests[outcome.status] += 1
        self._prompt_tokens += max(0, outcome.prompt_tokens)
        self._completion_tokens += max(0, outcome.completion_tokens)
        read = outcome.prompt_tokens - outcome.cached_tokens
        if outcome.prompt_ms is not None and outcome.prompt_ms > 0 and read > 0:
            self._pp_tps = _finite(read * 1000 / outcome.prompt_ms)
        if outcome.ttft_ms is not None:
            self._ttft_ms = _finite(max(0.0, outcome.ttft_ms))

    def snapshot(self, now: float) -> Snapshot:
        """The figures at `now`, monotonic seconds."""
        at = self._clock(now)
        open_s = 0.0 if self._since is None else at - self._since
        decoding = self._since is not None
        return Snapshot(
            tps=_rate(self._fine.sums(at, NOW_S), open_s) if decoding else None,
            possible_tps=self._possible_tps if decoding else None,
            tps_1m=_rate(self._fine.sums(at, MINUTE_S), open_s),
            tps_15m=_rate(self._coarse.sums(at, QUARTER_S // COARSE_S), open_s),
            pp_tps=self._pp_tps,
            ttft_ms=self._ttft_ms,
            requests=dict(self._requests),
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
        )

    def sustained(self, now: float) -> float | None:
        """tok/s over the busy decode seconds of the last minute; None while nothing decodes."""
        return None if self._since is None else self.snapshot(now).tps_1m

    def _clock(self, now: float) -> float:
        if isfinite(now) and now > self._now:
            self._now = now
        return self._now


def _rate(sums: tuple[int, float], open_s: float) -> float | None:
    tokens, busy = sums
    busy += open_s
    return None if busy < MIN_BUSY_S else tokens / busy


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
