"""Cores that may be at work, spread over threads and rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.thermal.pace import Pace

if TYPE_CHECKING:
    from edged.thermal.pace import Sample

# Decode waits for memory: on a Pi 5 two threads bring twice the rate of one, three 2.5 to 2.7 times
# and four 2.4 to 3.2 times. So three that never rest beat four that do once less than 3.4 cores may
# work, and two beat three below 2.2. A thread goes when less than the first share of it may work.
GOES_BELOW, COMES_AT = 0.2, 0.4
STEP = 0.05  # of a core: finer ones would only send frames
MOST_IDLE = 0.95
# A chunk is not left once it is begun: 512 tokens can be a minute of full heat, 64 are seconds.
PACED_CHUNK = 64


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured.

    Attributes:
        target_tps: tok/s of one stream that nobody needs to exceed.
        threads: Of decode.
        threads_batch: Of prefill.
        prefill_chunk: Prompt tokens of one step.
    """

    target_tps: float
    threads: int
    threads_batch: int
    prefill_chunk: int

    @property
    def most(self) -> int:
        """Cores that may be at work at once."""
        return max(self.threads, self.threads_batch)


def threads(rules: Rules, cores: float, before: int, tps: float | None) -> int:
    """How many threads share so many cores, one more or less than before.

    Args:
        rules: What is configured.
        cores: That may be at work.
        before: Threads until now.
        tps: tok/s of one stream with these if it never rested; None if not known.
    """
    if cores >= min(before + COMES_AT, rules.most):
        return min(before + 1, rules.most)
    enough = tps is not None and tps * cores / before >= rules.target_tps
    if before > 1 and cores < before - 1 + GOES_BELOW and not enough:
        return before - 1
    return before


def spread(rules: Rules, cores: float, count: int, sample: Sample) -> Pace:
    """The pace that puts so many cores to work with `count` threads; free if they are enough.

    Down to the target rate it is the rate that is paced, which is even; below, the rests say all.
    """
    cores = round(cores / STEP) * STEP
    decoding = min(rules.threads, count)
    idle = min(MOST_IDLE, max(0.0, 1.0 - cores / decoding))
    if count == rules.most and not idle:
        return Pace()
    rate = sample.possible_tps * (1.0 - idle) if sample.possible_tps and idle else None
    return Pace(
        decode_tps=rate if rate is not None and rate >= rules.target_tps else None,
        threads=decoding,
        threads_batch=min(rules.threads_batch, count),
        idle_share=round(idle, 4),
        prefill_chunk=min(rules.prefill_chunk, PACED_CHUNK),
    )
