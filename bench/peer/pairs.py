"""The same work done by edged and by a peer, one right after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.asking import Asked
    from bench.peer.reports import BenchRow
    from bench.peer.served import Served
    from bench.tasks import Run


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What all pairs have.

    Attributes:
        others: Cores that processes took meanwhile which are not of the bench.
    """

    others: float = 0.0


class RatePair(Pair, frozen=True, kw_only=True):
    """Reading or decoding beside llama-bench.

    Attributes:
        asked: An answer to a long prompt, or a long answer to a short one, in seconds of turns.
        cores: Cores that edged's child computed on meanwhile.
        row: llama-bench's reading of as long a prompt, or its decoding of as many tokens.
    """

    asked: Asked
    cores: float
    row: BenchRow

    @property
    def reads(self) -> bool:
        """Whether it is reading that is compared."""
        return self.row.n_prompt > 0

    @property
    def tps(self) -> float:
        """The client's rate: of reading over the time from PUBLISH to the first delta."""
        if self.reads:
            return self.asked.read_tokens / self.asked.ttft_ms * 1e3
        return self.asked.tokens_per_second

    @property
    def ratio(self) -> float:
        """The client's rate over the peer's."""
        return self.tps / self.row.tokens_per_second


class StreamPair(Pair, frozen=True, kw_only=True):
    """The same prompts at once to both sides, in the same order."""

    asked: tuple[Asked, ...]
    served: tuple[Served, ...]

    @property
    def streams(self) -> int:
        """Prompts at once."""
        return len(self.asked)

    @property
    def asked_tps(self) -> float:
        """Tokens decoded for all, over the time from the first PUBLISH to the last reply."""
        return _aggregate(self.asked)

    @property
    def served_tps(self) -> float:
        """The same of the peer."""
        return _aggregate(self.served)

    @property
    def ratio(self) -> float:
        """Edged's rate over the peer's."""
        return self.asked_tps / self.served_tps


class WarmPair(Pair, frozen=True, kw_only=True):
    """One question after a long prefix that everyone knows.

    Attributes:
        asked: Over MQTT.
        served: By llama-server.
        alone: By the bare loop, which read the prefix before its watch began.
    """

    asked: Asked
    served: Served
    alone: Run


class DiskPair(Pair, frozen=True, kw_only=True):
    """The first question after a restart.

    Attributes:
        asked: Over MQTT.
        alone: By the bare loop.
        ready_s: From the start of the daemon until it knew the prefix again.
        source: From where, such as `disk`.
    """

    asked: Asked
    alone: Run
    ready_s: float
    source: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of every kind, in the order in which they were measured.

    Attributes:
        rates: Beside llama-bench.
        streams: Beside llama-server with several slots.
        warm: Beside llama-server with a prefix.
        disk: After a restart.
        tokens: Of each answer in `rates` of which the decoding is compared.
        stream_tokens: Of each answer in `streams`.
        warm_tokens: Of each answer in `warm` and `disk`.
    """

    rates: tuple[RatePair, ...]
    streams: tuple[StreamPair, ...]
    warm: tuple[WarmPair, ...]
    disk: tuple[DiskPair, ...]
    tokens: int
    stream_tokens: int
    warm_tokens: int

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them."""
        return (*self.rates, *self.streams, *self.warm, *self.disk)

    @property
    def asked(self) -> Iterator[Asked]:
        """Every answer over MQTT."""
        yield from (pair.asked for pair in self.rates)
        for stream in self.streams:
            yield from stream.asked
        yield from (pair.asked for pair in self.warm)
        yield from (pair.asked for pair in self.disk)

    @property
    def short(self) -> Iterator[bool]:
        """For each answer of either side, whether tokens are missing."""
        for rate in self.rates:
            yield rate.asked.tokens != (1 if rate.reads else self.tokens)
        for pair in self.streams:
            counts = [*(a.tokens for a in pair.asked), *(s.tokens for s in pair.served)]
            yield from (count != self.stream_tokens for count in counts)
        # A refusal would be the fastest first word of all.
        for warm in self.warm:
            counts = [warm.asked.tokens, warm.served.tokens, warm.alone.tokens]
            yield from (count != self.warm_tokens for count in counts)
        yield from (disk.asked.tokens != self.warm_tokens for disk in self.disk)


def _aggregate(answers: Sequence[Asked] | Sequence[Served]) -> float:
    begin = min(answer.sent_s for answer in answers)
    end = max(answer.end_s for answer in answers)
    return sum(answer.tokens for answer in answers) / (end - begin)
