"""An engine that obeys a pace: one request after the other, read and then answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.plant.power import DECODE, PREFILL
from bench.plant.rates import CORES
from edged.thermal.pace import Admit

if TYPE_CHECKING:
    from bench.plant.power import Work
    from bench.plant.rates import Model
    from edged.thermal.pace import Pace


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        prompt: Tokens of each that are new; a chat with its prefix known brings 33 to 51.
        answer: Tokens of each answer.
        every: Seconds from one to the next; 0 is as soon as there is room.
    """

    prompt: int = 44
    answer: int = 128
    every: float = 0.0


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a stretch of time.

    Attributes:
        tokens: Decoded.
        cores: At work, mean.
        work: What it mostly was.
        possible_tps: tok/s of one stream if it never rested.
    """

    tokens: float
    cores: float
    work: Work
    possible_tps: float


class Server:
    """Serves requests for ever.

    Args:
        model: What it serves with.
        requests: What is asked.
        after: Seconds before the first.
    """

    def __init__(self, model: Model, requests: Requests, after: float = 0.0) -> None:
        self._model = model
        self._requests = requests
        self._unread = 0.0
        self._unsaid = 0.0
        self._due = after
        self._now = 0.0

    def advance(self, dt: float, pace: Pace, mhz: float) -> Second:
        """Let `dt` seconds pass."""
        threads = pace.threads or self._model.threads
        possible = self._model.decode_tps(threads, mhz)
        tokens = core_s = 0.0
        work, end = DECODE, self._now + dt
        while self._now < end - 1e-9:
            left = end - self._now
            if self._unread > 0:
                work = PREFILL
                batch = pace.threads_batch or CORES
                share = 1.0 - pace.idle_share
                took = self._read(left, self._model.prefill_tps(batch, mhz) * share)
                core_s += took * batch * share
            elif self._unsaid > 0:
                share = _share(pace, possible)
                took, said = self._say(left, possible * share)
                tokens += said
                core_s += took * threads * share
            else:
                took = self._wait(left, pace)
            self._now += took
        return Second(tokens=tokens, cores=core_s / dt, work=work, possible_tps=possible)

    def _read(self, left: float, rate: float) -> float:
        took = min(left, self._unread / rate)
        self._unread = max(0.0, self._unread - took * rate - 1e-9)
        return took

    def _say(self, left: float, rate: float) -> tuple[float, float]:
        took = min(left, self._unsaid / rate)
        said = took * rate
        self._unsaid = max(0.0, self._unsaid - said - 1e-9)
        return took, said

    def _wait(self, left: float, pace: Pace) -> float:
        """Until the next is due and let in; each is of normal priority."""
        if self._due > self._now or pace.admit >= Admit.URGENT:
            return left if pace.admit >= Admit.URGENT else min(left, self._due - self._now)
        self._due = max(self._due + self._requests.every, self._now)
        self._unread, self._unsaid = float(self._requests.prompt), float(self._requests.answer)
        return 0.0


def _share(pace: Pace, possible: float) -> float:
    """Of the time in which it computes."""
    rested = 1.0 - pace.idle_share
    return rested if pace.decode_tps is None else min(rested, pace.decode_tps / possible)
