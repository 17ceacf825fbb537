"""The life of the engine child as a table, and how often it may die.

Whoever supervises the child tells what happened with a trigger; this file alone decides what state
that makes, and knows nothing of processes.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from types import MappingProxyType

import msgspec


class State(Enum):
    """Where the child is; the words are supervisord's."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    FATAL = "fatal"


class Trigger(Enum):
    """What may happen to it."""

    START = "start"
    LOADED = "loaded"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    DIED = "died"
    GAVE_UP = "gave up"
    RETRY = "retry"
    REARM = "rearm"
    STOP = "stop"
    EXITED = "exited"


# A state's row lists every trigger that is legal in it; all else is a bug of the caller.
TRANSITIONS = MappingProxyType(
    {
        State.STOPPED: {Trigger.START: State.STARTING},
        State.STARTING: {
            Trigger.LOADED: State.READY,
            Trigger.DIED: State.BACKOFF,
            Trigger.GAVE_UP: State.FATAL,
            Trigger.STOP: State.STOPPING,
        },
        State.READY: {
            Trigger.SUBMITTED: State.BUSY,
            Trigger.DIED: State.BACKOFF,
            Trigger.GAVE_UP: State.FATAL,
            Trigger.STOP: State.STOPPING,
        },
        State.BUSY: {
            # Runs go side by side: each start is told, but only the end of the last one.
            Trigger.SUBMITTED: State.BUSY,
            Trigger.FINISHED: State.READY,
            Trigger.DIED: State.BACKOFF,
            Trigger.GAVE_UP: State.FATAL,
            Trigger.STOP: State.STOPPING,
        },
        State.STOPPING: {Trigger.EXITED: State.STOPPED},
        State.BACKOFF: {
            Trigger.RETRY: State.STARTING,
            Trigger.REARM: State.STARTING,
            Trigger.STOP: State.STOPPED,
        },
        State.FATAL: {Trigger.REARM: State.STARTING, Trigger.STOP: State.STOPPED},
    }
)

#: The states in which a child process exists.
ALIVE = frozenset({State.STARTING, State.READY, State.BUSY, State.STOPPING})


class IllegalTransitionError(RuntimeError):
    """A trigger that its state does not know; the state is unchanged."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient to be with a child that dies.

    Attributes:
        first_s: The pause after one death; each further death in the window doubles it.
        cap_s: The longest pause: a person who mends the cause should not wait longer than this.
        window_s: Older deaths are forgiven.
        fatal_deaths: So many deaths in the window are no accident: a model that crashes at load
            would otherwise wear the card and heat the board for ever.
    """

    first_s: float = 1.0
    cap_s: float = 60.0
    window_s: float = 600.0
    fatal_deaths: int = 5


class Lifecycle:
    """One child's state over all its lives.

    Args:
        policy: Backoff and the limit of deaths.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._state = State.STOPPED
        self._deaths: deque[float] = deque(maxlen=self._policy.fatal_deaths)

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    def on(self, trigger: Trigger) -> State:
        """Take one step of the table.

        Raises:
            IllegalTransitionError: The table has no such step.
        """
        target = TRANSITIONS[self._state].get(trigger)
        if target is None:
            message = f"{trigger.value} while {self._state.value}"
            raise IllegalTransitionError(message)
        self._state = target
        return target

    def died(self, now: float) -> float | None:
        """Count a death at `now` (seconds, monotonic).

        Returns:
            The seconds to wait before RETRY, or None: the state is FATAL.

        Raises:
            IllegalTransitionError: There was nothing alive that could die.
        """
        recent = [at for at in self._deaths if now - at < self._policy.window_s]
        count = len(recent) + 1
        fatal = count >= self._policy.fatal_deaths
        self.on(Trigger.GAVE_UP if fatal else Trigger.DIED)
        self._deaths = deque([*recent, now], maxlen=self._policy.fatal_deaths)
        return None if fatal else min(self._policy.first_s * 2.0 ** (count - 1), self._policy.cap_s)

    def rearm(self) -> State:
        """Forgive every death and start at once, from BACKOFF or FATAL.

        Raises:
            IllegalTransitionError: The child is not waiting.
        """
        state = self.on(Trigger.REARM)
        self._deaths.clear()
        return state
