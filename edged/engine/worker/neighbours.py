"""How many threads to compute with while others want the cores too.

llama.cpp's threads wait for each other several hundred times a token. Where one of them shares its
core with a neighbour, all wait for the neighbour's time slices; one thread fewer, with a core to
itself, is faster for both.
"""

from __future__ import annotations

from typing import Final

import msgspec

# Of the time a thread wanted to run, on 2 cores with 2 threads: a quiet board shows 0.01, a stream
# over MQTT to a client on the same board 0.06 to 0.10, one busy neighbour 0.46 to 0.49.
BUSY_SHARE: Final = 0.25
QUIET_SHARE: Final = 0.12
FIRST_WAIT_S: Final = 4.0  # a neighbour that pauses for less has not gone
LONGEST_WAIT_S: Final = 60.0  # a failed try costs a window of half a second: at most 1 %


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the neighbours.

    Attributes:
        configured: Threads where there are none, or as many as the pace allows.
        most: Threads that they let us have; None: as many as there are.
        wait_s: How long it must be quiet before one more is tried.
        quiet_since: When it became quiet; None while it is not.
        raised_at: When the last one was tried; None after it failed.
    """

    configured: int
    most: int | None = None
    wait_s: float = FIRST_WAIT_S
    quiet_since: float | None = None
    raised_at: float | None = None

    @property
    def threads(self) -> int:
        """As many as to compute with, at least one: the fewer of what pace and house allow."""
        return self.configured if self.most is None else min(self.configured, self.most)


def configure(state: State, threads: int) -> State:
    """Compute with at most so many from now on; what is known about the neighbours stays."""
    return msgspec.structs.replace(state, configured=threads)


def step(state: State, delay_share: float, now: float) -> State:
    """Judge one window of computing.

    Args:
        state: Of the last window.
        delay_share: The time a thread waited for a core, over the time it waited or ran; of the
            thread that waited most.
        now: Monotonic seconds, the end of the window.
    """
    if delay_share >= BUSY_SHARE:
        return _lower(state, now)
    if delay_share > QUIET_SHARE:
        return msgspec.structs.replace(state, quiet_since=None)
    since = now if state.quiet_since is None else state.quiet_since
    if state.threads < state.configured and now - since >= state.wait_s:
        most = state.threads + 1
        return msgspec.structs.replace(state, most=most, quiet_since=None, raised_at=now)
    return msgspec.structs.replace(state, quiet_since=since)


def _lower(state: State, now: float) -> State:
    """One thread fewer, at once; a try that did not last makes the next one wait longer."""
    wait_s = state.wait_s
    if state.raised_at is not None:
        failed = now - state.raised_at < wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S) if failed else FIRST_WAIT_S
    most = max(1, state.threads - 1)
    return msgspec.structs.replace(
        state, most=most, wait_s=wait_s, quiet_since=None, raised_at=None
    )
