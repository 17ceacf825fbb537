"""Two sides that compute by turns of a second, each standing still meanwhile.

A virtual machine loses a quarter of its speed for seconds on end: one answer and then the other
differ by 20 % of that alone. Of what both do within the same seconds each has its half.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.asking import Asked
    from bench.peer.served import Served

A = TypeVar("A", "Asked", "Served")
SLICE_S: Final = 1.0  # long against what a cold cache costs, and against our own wake-up


class Turns:
    """Processes that are halted together, with a clock that stands still while they are.

    Args:
        pids: They run, or have been told to stop already.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._ran: list[tuple[float, float]] = []
        self._since: float | None = time.monotonic()

    def halt(self) -> None:
        """Let none of them run."""
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)
        if self._since is not None:
            self._ran.append((self._since, time.monotonic()))
            self._since = None

    def go(self) -> None:
        """Let all of them go on."""
        if self._since is None:
            self._since = time.monotonic()
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)

    def ran(self, at: float) -> float:
        """Seconds that they had run by a moment of the monotonic clock."""
        done = sum(min(end, at) - begin for begin, end in self._ran if begin < at)
        now = 0.0 if self._since is None else max(0.0, at - self._since)
        return done + now

    def timed(self, answer: A) -> A:
        """An answer in seconds that they ran."""
        sent, first, end = map(self.ran, (answer.sent_s, answer.first_s, answer.end_s))
        return msgspec.structs.replace(answer, sent_s=sent, first_s=first, end_s=end)


class Player(msgspec.Struct, frozen=True):
    """One side.

    Attributes:
        turns: Its processes.
        over: Waits at most so many seconds; True once it is done.
    """

    turns: Turns
    over: Callable[[float], bool]


def alternate(*players: Player) -> None:
    """Let them work by turns until all are done; all stand still then."""
    left = list(players)
    for player in left:
        player.turns.halt()
    while left:
        for player in tuple(left):
            player.turns.go()
            if player.over(SLICE_S):
                left.remove(player)
            player.turns.halt()


def ask_beside(ask: Callable[[], None], asked: Player, other: Player) -> None:
    """Ask one side while it stands still; once both are done it runs on.

    Args:
        ask: Must not wait for the side that is asked.
        asked: It idles so far.
        other: It stands still, right before what it is to do; so it does afterwards.
    """
    asked.turns.halt()
    ask()
    alternate(asked, other)
    asked.turns.go()
