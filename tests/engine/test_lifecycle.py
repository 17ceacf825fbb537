"""Every legal step is in the table, and an illegal one changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edged.engine.lifecycle import (
    ALIVE,
    TRANSITIONS,
    IllegalTransitionError,
    Lifecycle,
    Policy,
    State,
    Trigger,
)

PATHS: dict[State, list[Trigger]] = {
    State.STOPPED: [],
    State.STARTING: [Trigger.START],
    State.READY: [Trigger.START, Trigger.LOADED],
    State.BUSY: [Trigger.START, Trigger.LOADED, Trigger.SUBMITTED],
    State.STOPPING: [Trigger.START, Trigger.STOP],
    State.BACKOFF: [Trigger.START, Trigger.DIED],
    State.FATAL: [Trigger.START, Trigger.GAVE_UP],
}


def at(state: State, policy: Policy | None = None) -> Lifecycle:
    lifecycle = Lifecycle(policy)
    for trigger in PATHS[state]:
        lifecycle.on(trigger)
    assert lifecycle.state is state
    return lifecycle


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
def test_the_table_is_all_there_is(state: State, trigger: Trigger) -> None:
    lifecycle = at(state)
    target = TRANSITIONS[state].get(trigger)
    if target is None:
        with pytest.raises(IllegalTransitionError, match=f"{trigger.value} while {state.value}"):
            lifecycle.on(trigger)
        assert lifecycle.state is state
    else:
        assert lifecycle.on(trigger) is target is lifecycle.state


@pytest.mark.parametrize("state", State)
def test_only_the_living_die(state: State) -> None:
    lifecycle = at(state)
    if state in ALIVE - {State.STOPPING}:
        assert lifecycle.died(0.0) == 1.0
        return
    with pytest.raises(IllegalTransitionError):
        lifecycle.died(0.0)
    assert lifecycle.state is state
    if state is State.BACKOFF:
        lifecycle.on(Trigger.RETRY)
        assert lifecycle.died(0.0) == 1.0, "a refused death was not counted"


def die(lifecycle: Lifecycle, now: float) -> float | None:
    retry_in = lifecycle.died(now)
    if retry_in is not None:
        lifecycle.on(Trigger.RETRY)
    return retry_in


def test_backoff_doubles_and_the_fifth_death_in_ten_minutes_is_fatal() -> None:
    lifecycle = at(State.STARTING)
    assert [die(lifecycle, now) for now in (0, 100, 200, 300, 599.9)] == [1, 2, 4, 8, None]
    assert lifecycle.state is State.FATAL


def test_old_deaths_are_forgiven() -> None:
    lifecycle = at(State.STARTING)
    assert [die(lifecycle, now) for now in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert die(lifecycle, 601.5) == 4, "two are older than ten minutes"
    assert die(lifecycle, 5000) == 1


def test_the_pause_is_capped() -> None:
    lifecycle = at(State.STARTING, Policy(fatal_deaths=10))
    assert [die(lifecycle, now) for now in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("deaths", "state"), [(1, State.BACKOFF), (2, State.FATAL)])
def test_rearm_starts_at_once_with_a_clean_slate(deaths: int, state: State) -> None:
    lifecycle = at(State.STARTING, Policy(fatal_deaths=2))
    for now in range(deaths):
        die(lifecycle, now)
    if state is State.BACKOFF:
        lifecycle = at(State.STARTING)
        lifecycle.died(0)
    assert lifecycle.state is state
    assert lifecycle.rearm() is State.STARTING
    assert lifecycle.died(2) == 1


@pytest.mark.parametrize("state", sorted(set(State) - {State.BACKOFF, State.FATAL}, key=str))
def test_rearm_is_for_those_who_wait(state: State) -> None:
    lifecycle = at(state)
    with pytest.raises(IllegalTransitionError):
        lifecycle.rearm()
    assert lifecycle.state is state


class Machine(RuleBasedStateMachine):
    """A model that counts deaths by itself."""

    @initialize()
    def begin(self) -> None:
        self.lifecycle = Lifecycle()
        self.now = 0.0
        self.deaths: list[float] = []

    @rule(seconds=st.floats(0, 700))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(trigger=st.sampled_from(sorted(set(Trigger) - {Trigger.DIED, Trigger.GAVE_UP}, key=str)))
    def anything(self, trigger: Trigger) -> None:
        before = self.lifecycle.state
        try:
            self.lifecycle.on(trigger)
        except IllegalTransitionError:
            assert self.lifecycle.state is before
        else:
            assert self.lifecycle.state is TRANSITIONS[before][trigger]

    @precondition(lambda self: self.lifecycle.state in ALIVE - {State.STOPPING})
    @rule()
    def death(self) -> None:
        self.deaths.append(self.now)
        recent = sum(1 for at in self.deaths if self.now - at < 600)
        retry_in = self.lifecycle.died(self.now)
        if recent >= 5:
            assert retry_in is None
            assert self.lifecycle.state is State.FATAL
        else:
            assert retry_in == min(60, 2 ** (recent - 1))
            assert self.lifecycle.state is State.BACKOFF

    @precondition(lambda self: self.lifecycle.state in {State.BACKOFF, State.FATAL})
    @rule()
    def rearm(self) -> None:
        self.lifecycle.rearm()
        self.deaths.clear()

    @invariant()
    def somewhere(self) -> None:
        assert self.lifecycle.state in TRANSITIONS


TestMachine = Machine.TestCase
TestMachine.settings = settings(deadline=None)  # other processes share the cores
