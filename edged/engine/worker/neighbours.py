"""How many threads to compute with while others want the cores too.

llama.cpp's threads wait for each other several hundred times a token. Where one of them shares its
core with a neighbour, all wait for the neighbour's time slices; one thread fewer, with a core to
itself, may be faster for both. Whether it was is judged by the time of like steps before and after.
"""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

# Without neighbours one of n threads does 1/n of the work, so one fewer cannot pay before a
# thread waits for 1/n of its time; a little less, as the threads do not wait at the same moments.
# 2 threads on 2 cores: a stream over MQTT to a client on the same board shows 0.06 to 0.10, one
# busy neighbour 0.46 to 0.49.
BUSY_PART: Final = 0.8
QUIET_SHARE: Final = 0.12
# Fewer threads may compute so much slower: each spares the house a core.
KEPT_RATE: Final = 0.95
FIRST_WAIT_S: Final = 4.0  # a neighbour that pauses for less has not gone
LONGEST_WAIT_S: Final = 60.0  # a failed try costs two windows of half a second: at most 2 %

Speeds = dict[int, tuple[int, float]]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What half a second of computing showed.

    Attributes:
        delay_share: The time a thread waited for a core, over the time it waited or ran; of the
            thread that waited most.
        speeds: By the rows of a step, how many such steps there were and their seconds together.
    """

    delay_share: float
    speeds: Speeds = {}


class Descent(msgspec.Struct, frozen=True, kw_only=True):
    """Threads were given up, and it is not known yet what that brought.

    Attributes:
        threads: How many there were before.
        speeds: Of the last window with those.
    """

    threads: int
    speeds: Speeds


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the neighbours.

    Attributes:
        configured: Threads where there are none, or as many as the pace allows.
        most: Threads that they let us have; None: as many as there are.
        wait_s: How long it must be quiet before one more is tried.
        quiet_since: When it became quiet; None while it is not.
        raised_at: When the last one was tried; None after it failed.
        busy: Whether the last window was.
        descent: What is to be judged.
        keep_s: How long fewer threads are not tried after they were slower.
        kept_until: When that ends.
    """

    configured: int
    most: int | None = None
    wait_s: float = FIRST_WAIT_S
    quiet_since: float | None = None
    raised_at: float | None = None
    busy: bool = False
    descent: Descent | None = None
    keep_s: float = FIRST_WAIT_S
    kept_until: float = -inf

    @property
    def threads(self) -> int:
        """As many as to compute with, at least one: the fewer of what pace and house allow."""
        return self.configured if self.most is None else min(self.configured, self.most)


def configure(state: State, threads: int) -> State:
    """Compute with at most so many from now on; what is known about the neighbours stays."""
    return msgspec.structs.replace(state, configured=threads, busy=False, descent=None)


def step(state: State, window: Window, now: float) -> State:
    """Judge one window of computing.

    Args:
        state: Of the last window.
        window: What it showed.
        now: Monotonic seconds, the end of the window.
    """
    if window.delay_share >= BUSY_PART / state.threads and state.threads > 1:
        return _crowded(state, window, now)
    if state.descent is not None:
        state = _judge(state, state.descent, window.speeds, now)
    return _calm(state, window, now)


def faster(before: Speeds, after: Speeds) -> float | None:
    """How many times as fast steps became, by those of as many rows; None if there are none."""
    same = before.keys() & after.keys()
    was = sum(after[rows][0] * before[rows][1] / before[rows][0] for rows in same)
    now = sum(after[rows][1] for rows in same)
    return was / now if now > 0.0 else None


def _crowded(state: State, window: Window, now: float) -> State:
    """A neighbour takes a core from us: one thread fewer."""
    waited = msgspec.structs.replace(state, busy=True, quiet_since=None)
    if now < state.kept_until:
        return waited
    # He may have come in the middle of the first window, which says nothing about its steps. One
    # who was there before the last try was there in all of it.
    tried = state.raised_at is not None and now - state.raised_at < state.wait_s
    if not (state.busy or tried or state.descent):
        return waited
    descent = state.descent or Descent(threads=state.threads, speeds=window.speeds)
    return _lower(waited, descent, now)


def _lower(state: State, descent: Descent, now: float) -> State:
    """Give one up; a try that did not last makes the next one wait longer."""
    wait_s = state.wait_s
    if state.raised_at is not None:
        failed = now - state.raised_at < wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S) if failed else FIRST_WAIT_S
    return msgspec.structs.replace(
        state, most=state.threads - 1, wait_s=wait_s, raised_at=None, busy=False, descent=descent
    )


def _judge(state: State, descent: Descent, speeds: Speeds, now: float) -> State:
    """Take back what was given up, if it was faster with it."""
    gain = faster(descent.speeds, speeds)
    if gain is None:
        return state
    if gain >= KEPT_RATE:
        return msgspec.structs.replace(state, descent=None, keep_s=FIRST_WAIT_S)
    return msgspec.structs.replace(
        state,
        most=descent.threads,
        descent=None,
        kept_until=now + state.keep_s,
        keep_s=min(2 * state.keep_s, LONGEST_WAIT_S),
    )


def _calm(state: State, window: Window, now: float) -> State:
    """Nobody takes a core from these threads: try one more once it was quiet for long enough."""
    if window.delay_share > QUIET_SHARE:
        return msgspec.structs.replace(state, busy=False, quiet_since=None)
    since = now if state.quiet_since is None else state.quiet_since
    if state.threads < state.configured and now - since >= state.wait_s:
        most = state.threads + 1
        return msgspec.structs.replace(
            state, most=most, busy=False, quiet_since=None, raised_at=now, descent=None
        )
    return msgspec.structs.replace(state, busy=False, quiet_since=since)
