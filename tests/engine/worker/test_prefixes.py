"""The books of the context against a context that keeps cells one by one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from edged.engine.worker.prefixes import HALF_LIFE_S, Prefixes

# A thousand interleavings take a while where coverage watches each line.
pytestmark = pytest.mark.timeout(900)

CELLS, RUNS, SEQUENCES = 40, 4, 9


class Cells:
    """A memory in which every token of a sequence stands in a cell that others may share."""

    def __init__(self, *, partial: bool) -> None:
        self.partial = partial
        self.held: dict[int, list[tuple[int, int]]] = {}
        self._number = itertools.count()

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        have = self.held.setdefault(target, [])
        if not self.partial:
            self.held[target] = list(self.held[source])
            return
        assert start <= end <= len(self.held[source])
        assert len(have) >= start
        have[start:start] = self.held[source][start:end]

    def drop(self, sequence: int, start: int = 0, end: int = -1) -> None:
        have = self.held.get(sequence, [])
        end = len(have) if end < 0 else end
        assert self.partial or (start == 0 and end == len(have)), "a state cannot be cut"
        del have[start:end]

    def decode(self, sequence: int, tokens: list[int]) -> None:
        cells = [(next(self._number), token) for token in tokens]
        self.held.setdefault(sequence, []).extend(cells)

    def tokens(self, sequence: int) -> list[int]:
        return [token for _, token in self.held.get(sequence, [])]

    @property
    def used(self) -> int:
        return len({cell for cells in self.held.values() for cell, _ in cells})


WORDS = st.lists(st.integers(0, 2), min_size=1, max_size=10)
KEYS = st.sampled_from(["prefix/a", "prefix/b"])


class Machine(RuleBasedStateMachine):
    """Runs begin, read, decode, end, are cancelled and fail in any order."""

    partial = True
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.memory: Any
        self.prefixes: Prefixes
        self.make()
        self.now = 0.0
        self.runs: set[int] = set()

    def make(self) -> None:
        self.memory = Cells(partial=self.partial)
        self.prefixes = Prefixes(self.memory, CELLS, RUNS, SEQUENCES)

    def _extend(self, sequence: int, tokens: list[int]) -> None:
        if self.prefixes.room(len(tokens), self.now):
            assert CELLS - self.memory.used >= len(tokens)
            self.memory.decode(sequence, tokens)
            self.prefixes.read(sequence, tokens)

    @rule(target=running, prompt=WORDS)
    def begin(self, prompt: list[int]) -> int:
        known = self.prefixes.known(prompt)
        lease = self.prefixes.open(prompt, self.now)
        if lease is None:
            assert len(self.runs) == RUNS
            return -1
        self.runs.add(lease.sequence)
        assert lease.cached <= min(known, len(prompt) - 1)
        assert self.memory.tokens(lease.sequence) == prompt[: lease.cached]
        self._extend(lease.sequence, prompt[lease.cached :])
        self.prefixes.share(lease.sequence)
        return lease.sequence

    @rule(sequence=running, tokens=WORDS)
    def go_on(self, sequence: int, tokens: list[int]) -> None:
        if sequence in self.runs:
            self._extend(sequence, tokens)

    @rule(sequence=running)
    def checkpoint(self, sequence: int) -> None:
        if sequence in self.runs:
            self.prefixes.checkpoint(sequence, self.now)

    @rule(sequence=consumes(running))
    def end(self, sequence: int) -> None:
        if sequence in self.runs:
            self.runs.remove(sequence)
            self.prefixes.close(sequence, self.now)

    @rule(sequence=consumes(running))
    def fail(self, sequence: int) -> None:
        if sequence in self.runs:
            self.runs.remove(sequence)
            self.prefixes.abandon(sequence)
            assert self.memory.tokens(sequence) == []

    @rule(sequence=consumes(running), key=KEYS)
    def name(self, sequence: int, key: str) -> None:
        if sequence in self.runs and self.memory.tokens(sequence):
            self.runs.remove(sequence)
            tokens = self.memory.tokens(sequence)
            assert self.prefixes.keep(sequence, key, self.now)
            assert self.prefixes.named(key) == tokens

    @rule(key=KEYS)
    def unname(self, key: str) -> None:
        self.prefixes.release(key)
        assert self.prefixes.named(key) == []

    @rule(seconds=st.floats(0, 2 * HALF_LIFE_S))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def forget(self) -> None:
        idle = self.prefixes.kept
        assert self.prefixes.forget_one(self.now) == (idle > 0)
        assert self.prefixes.kept == max(0, idle - 1)

    @invariant()
    def the_books_are_true(self) -> None:
        for sequence, entry in self.prefixes._entries.items():
            assert self.memory.tokens(sequence) == entry.tokens
        empty = set(range(SEQUENCES)) - set(self.prefixes._entries) - set(self.prefixes._branches)
        assert not any(
            self.memory.tokens(sequence)
            for sequence in range(SEQUENCES)
            if sequence not in self.prefixes._entries
        )
        assert {*self.prefixes._free, *self.prefixes._shelves} == empty
        assert self.runs == {s for s in self.prefixes._entries if s < RUNS}
        assert self.prefixes.kept == len(self.prefixes._entries) - len(self.runs)
        if self.partial:
            assert self.prefixes.used == self.memory.used
        assert self.memory.used <= self.prefixes.used
        assert self.memory.used <= CELLS


class RecurrentMachine(Machine):
    """The same where only whole states can be kept."""

    partial = False


ENOUGH = settings(max_examples=500, stateful_step_count=40, deadline=None)
TestPartial = Machine.TestCase
TestPartial.settings = ENOUGH
TestRecurrent = RecurrentMachine.TestCase
TestRecurrent.settings = ENOUGH


def run(prefixes: Prefixes, memory: Cells, prompt: list[int], now: float = 0.0) -> int:
    lease = prefixes.open(prompt, now)
    assert lease is not None
    rest = prompt[lease.cached :]
    assert prefixes.room(len(rest), now)
    memory.decode(lease.sequence, rest)
    prefixes.read(lease.sequence, rest)
    prefixes.share(lease.sequence)
    return lease.sequence


@pytest.fixture
def memory() -> Cells:
    return Cells(partial=True)


@pytest.fixture
def prefixes(memory: Cells) -> Prefixes:
    return Prefixes(memory, CELLS, RUNS, SEQUENCES)


def test_two_that_run_share_what_they_begin_with(prefixes: Prefixes, memory: Cells) -> None:
    run(prefixes, memory, [1, 2, 3, 4])
    run(prefixes, memory, [1, 2, 3, 9])
    assert memory.used == prefixes.used == 5


def test_what_two_read_at_the_same_time_is_held_once(prefixes: Prefixes, memory: Cells) -> None:
    first, second = prefixes.open([1, 2, 3], 0.0), prefixes.open([1, 2, 3], 0.0)
    assert first is not None
    assert second is not None
    for lease in (first, second):
        memory.decode(lease.sequence, [1, 2, 3])
        prefixes.read(lease.sequence, [1, 2, 3])
    assert memory.used == 6
    prefixes.share(first.sequence)
    prefixes.share(second.sequence)
    assert memory.used == prefixes.used == 3


def test_one_tier_is_always_settled(prefixes: Prefixes, memory: Cells) -> None:
    prefixes.close(run(prefixes, memory, [1, 2, 3, 4]), 0.0)
    assert prefixes.settled
    prefixes.settle(0.0)
    assert prefixes.kept == 1
    prefixes.forget_all()
    assert prefixes.kept == prefixes.used == 0


def test_the_break_is_told(prefixes: Prefixes, memory: Cells) -> None:
    prefixes.close(run(prefixes, memory, [1, 2, 3, 4]), 0.0)
    lease = prefixes.open([1, 2, 9, 9], 0.0)
    assert lease is not None
    assert (lease.cached, lease.broke) == (2, 3)


def test_a_longer_one_makes_its_own_beginning_needless(prefixes: Prefixes, memory: Cells) -> None:
    prefixes.close(run(prefixes, memory, [1, 2]), 0.0)
    prefixes.close(run(prefixes, memory, [1, 2, 3]), 0.0)
    assert prefixes.kept == 1
    prefixes.close(run(prefixes, memory, [1, 2]), 0.0)
    assert prefixes.kept == 1


def test_the_least_valuable_goes_first(prefixes: Prefixes, memory: Cells) -> None:
    def known(*words: list[int]) -> list[int]:
        return [prefixes.known([*word, 99]) for word in words]

    old, long, used, named = [1] * 4, [2] * 12, [3] * 6, [4] * 2
    prefixes.keep(run(prefixes, memory, named), "prefix/n", 0.0)
    prefixes.close(run(prefixes, memory, old), 0.0)
    for word in (long, used):
        prefixes.close(run(prefixes, memory, word, HALF_LIFE_S), HALF_LIFE_S)
    for _ in range(3):
        prefixes.close(run(prefixes, memory, [*used, 7], HALF_LIFE_S), HALF_LIFE_S)
    left = [known(old, long, used, named)]
    while prefixes.forget_one(HALF_LIFE_S):
        left.append(known(old, long, used, named))
    assert left[0] == [4, 12, 6, 2]
    assert left[1:] == [[0, 12, 6, 2], [0, 0, 6, 2], [0, 0, 0, 2], [0, 0, 0, 0]]


def test_runs_alone_can_hold_everything(prefixes: Prefixes, memory: Cells) -> None:
    for number in range(RUNS):
        run(prefixes, memory, [number] * 6)
    assert prefixes.open([9], 0.0) is None
    assert prefixes.room(CELLS - prefixes.used, 0.0)
    assert not prefixes.room(CELLS - prefixes.used + 1, 0.0)


def test_a_new_prefix_takes_the_place_of_its_name(prefixes: Prefixes, memory: Cells) -> None:
    prefixes.keep(run(prefixes, memory, [1, 2]), "prefix/a", 0.0)
    prefixes.keep(run(prefixes, memory, [3, 4]), "prefix/a", 0.0)
    assert prefixes.named("prefix/a") == [3, 4]
    with prefixes.borrowed("prefix/a", 0.0) as sequence:
        assert memory.tokens(sequence) == [3, 4]
        assert sequence < RUNS
    assert memory.tokens(sequence) == []
    assert prefixes.kept == 2, "the old one may go as any other"
    prefixes.release("prefix/none")


def test_a_name_is_released_and_what_others_hold_too_goes(
    prefixes: Prefixes, memory: Cells
) -> None:
    prefixes.keep(run(prefixes, memory, [1, 2]), "prefix/a", 0.0)
    prefixes.close(run(prefixes, memory, [1, 2, 3]), 0.0)
    assert prefixes.kept == 2
    prefixes.release("prefix/a")
    assert prefixes.kept == 1


def test_recurrent_state_is_taken_over_whole_or_not_at_all() -> None:
    memory: Any = Cells(partial=False)
    prefixes = Prefixes(memory, CELLS, RUNS, SEQUENCES)
    lease = prefixes.open([1, 2, 3, 4], 0.0)
    assert lease is not None
    memory.decode(lease.sequence, [1, 2])
    prefixes.read(lease.sequence, [1, 2])
    prefixes.checkpoint(lease.sequence, 0.0)
    prefixes.checkpoint(lease.sequence, 0.0)
    memory.decode(lease.sequence, [3, 4])
    prefixes.read(lease.sequence, [3, 4])
    prefixes.close(lease.sequence, 0.0)
    assert prefixes.kept == 2
    assert [prefixes.known([*word, 9]) for word in ([1, 2], [1, 2, 3], [1, 2, 3, 4], [1])] == [
        2,
        2,
        4,
        0,
    ]


def test_without_a_place_nothing_is_kept() -> None:
    memory = Cells(partial=True)
    prefixes = Prefixes(memory, CELLS, RUNS, RUNS)
    prefixes.close(run(prefixes, memory, [1, 2]), 0.0)
    assert not prefixes.keep(run(prefixes, memory, [1, 2]), "prefix/a", 0.0)
    assert (prefixes.kept, prefixes.used, memory.used) == (0, 0, 0)
