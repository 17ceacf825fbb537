"""The books of both tiers against cells in a row and blocks that tell what they hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, precondition, rule

from edged.engine.worker import host, tiered
from edged.engine.worker.host import HostCache
from edged.engine.worker.tiered import Tiered
from tests.engine.worker.slots import Slots
from tests.engine.worker.test_prefixes import CELLS, KEYS, RUNS, SEQUENCES, WORDS, Machine

pytestmark = pytest.mark.timeout(900)

ROOMY = 1 << 30
BUDGET = 5 * host.PAGE
SMALL: dict[Any, dict[str, int]] = {
    host: {"MIN_SHARED": 2, "MAX_ENTRIES": 4},
    tiered: {"STEP": 3, "HOT": 12, "COPIED": 1, "EXPECTED": 1, "MIN_COPIED": 1},
}


def check(cache: HostCache) -> None:
    """The host cache holds what it says, and no more than it may."""
    uses = Counter(piece.block for entry in cache._entries.values() for piece in entry.pieces)
    assert cache.used == sum(block.cost for block in uses) <= cache.budget
    assert len(cache) <= host.MAX_ENTRIES
    for block, count in uses.items():
        assert block.uses == count
        assert block.tokens == len(block.state.content)
    for number, entry in cache._entries.items():
        tokens: list[int] = []
        for piece in entry.pieces:
            assert piece.start == len(tokens) < piece.end
            held = dict(piece.block.state.content)
            tokens += [held[place] for place in range(piece.start, piece.end)]
        assert cache.known(tokens) == len(tokens)
        assert number in cache._tree
        if entry.key is not None:
            assert cache._keys[entry.key] == (number, tokens)


class TieredMachine(Machine):
    """Blocks go and come back, and llama.cpp fails now and then, in any order."""

    prefixes: Tiered
    tight = True

    def make(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for module, constants in SMALL.items():
            for name, number in constants.items():
                self.patch.setattr(module, name, number)
        self.memory = Slots(CELLS)
        self.host = HostCache(BUDGET if self.tight else ROOMY)
        self.prefixes = Tiered(
            self.memory, self.host, cells=CELLS, runs=RUNS, sequences=SEQUENCES, branches=1
        )

    def teardown(self) -> None:
        check(self.host)
        self.patch.undo()

    @rule()
    def settle(self) -> None:
        self.prefixes.settle(self.now)
        check(self.host)

    @rule()
    def settle_wholly(self) -> None:
        for _ in range(200):
            if self.prefixes.settled:
                return
            self.prefixes.settle(self.now)
        pytest.fail("it never ends")

    @rule()
    def set_aside(self) -> None:
        self.prefixes.set_aside()
        assert self.prefixes.kept == 0 or self.memory.fails or len(self.host) <= host.MAX_ENTRIES
        check(self.host)

    @rule()
    def break_or_mend(self) -> None:
        self.memory.fails = not self.memory.fails

    @rule(key=KEYS)
    @precondition(lambda self: len(self.runs) < RUNS)
    def borrow(self, key: str) -> None:
        tokens = self.prefixes.named(key)
        try:
            with self.prefixes.borrowed(key, self.now) as sequence:
                assert tokens
                assert self.memory.tokens(sequence) == tokens
        except LookupError:
            assert key not in self.prefixes._keys

    @rule(prompt=WORDS)
    @precondition(lambda self: len(self.runs) < RUNS and not self.memory.fails)
    def what_is_known_is_had(self, prompt: list[int]) -> None:
        known = self.prefixes.known(prompt)
        room = CELLS - sum(len(self.memory.tokens(run)) for run in self.runs)
        lease = self.prefixes.open(prompt, self.now)
        assert lease is not None
        assert lease.cached <= known
        assert lease.cached == known or self.tight or known + tiered.STEP > room
        self.prefixes.abandon(lease.sequence)

    @rule()
    def branch(self) -> None:
        for run in list(self.runs)[:1]:
            tokens = self.memory.tokens(run)
            with self.prefixes.branched(run, 1) as branches:
                assert [self.memory.tokens(branch) for branch in branches] == [tokens]
                self.prefixes.forget_one(self.now)

    @invariant()
    def the_highest_cell_is_bounded(self) -> None:
        assert self.memory.extent <= self.prefixes.extent

    @rule()
    def forget_all(self) -> None:
        self.prefixes.forget_all()
        assert (self.host.used, len(self.host), self.prefixes.kept) == (0, 0, 0)


class RoomyMachine(TieredMachine):
    """The same where the second tier has room for everything: nothing that was read is lost."""

    tight = False

    def make(self) -> None:
        super().make()
        self.patch.setattr(host, "MAX_ENTRIES", 1000)


ENOUGH = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestTiered = TieredMachine.TestCase
TestTiered.settings = ENOUGH
TestRoomy = RoomyMachine.TestCase
TestRoomy.settings = ENOUGH


# With the constants as they are.

ROOM = 2000
TEXT = list(range(300))
OTHER = list(range(1000, 1400))


def make(budget: int = 1 << 30) -> tuple[Slots, Tiered]:
    slots = Slots(ROOM)
    return slots, Tiered(
        slots, HostCache(budget), cells=ROOM, runs=3, sequences=SEQUENCES, branches=2
    )


def run(slots: Slots, prefixes: Tiered, prompt: list[int], now: float = 0.0) -> int:
    lease = prefixes.open(prompt, now)
    assert lease is not None
    rest = prompt[lease.cached :]
    assert prefixes.room(len(rest), now)
    slots.decode(lease.sequence, rest)
    prefixes.read(lease.sequence, rest)
    return lease.sequence


def settle(prefixes: Tiered, now: float = 0.0) -> int:
    """Steps until nothing is left to do."""
    steps = 0
    while not prefixes.settled:
        prefixes.settle(now)
        steps += 1
    return steps


def test_it_is_copied_out_in_steps_and_once() -> None:
    slots, prefixes = make()
    assert prefixes.settled
    prefixes.close(run(slots, prefixes, TEXT), 0.0)
    assert settle(prefixes) == 4  # two blocks, a look at them, and another at everything
    assert slots.copied == 300
    prefixes.close(run(slots, prefixes, [*TEXT, 7, 8]), 0.0)
    settle(prefixes)
    assert slots.copied == 302


def test_a_long_new_prompt_clears_the_cells_and_a_short_one_does_not() -> None:
    slots, prefixes = make()
    prefixes.close(run(slots, prefixes, TEXT), 0.0)
    prefixes.close(run(slots, prefixes, [*TEXT, 5]), 0.0)
    assert slots.used == 301
    prefixes.close(run(slots, prefixes, OTHER), 0.0)
    assert slots.used == slots.extent == prefixes.extent == 400
    sequence = run(slots, prefixes, [*TEXT, 6])
    assert slots.tokens(sequence) == [*TEXT, 6]
    assert slots.extent == prefixes.extent == 301


def test_what_was_used_last_stays_and_older_cells_are_freed() -> None:
    slots, prefixes = make()
    persona = list(range(tiered.HOT - 50))
    prefixes.keep(run(slots, prefixes, persona), "prefix/a", 0.0)
    for number in range(1, 10):
        question = [*persona, *([2000 + number] * 20)]
        prefixes.close(run(slots, prefixes, question, number), number)
        settle(prefixes, number)
        assert slots.used == len(persona) + 20 * min(number, 2)
        assert prefixes.kept == 1 + min(number, 2)
    long = list(range(3000, 3000 + tiered.HOT + 100))
    prefixes.set_aside()
    prefixes.close(run(slots, prefixes, long, 50.0), 50.0)
    settle(prefixes, 50.0)
    assert prefixes.used == len(long), "the last one may be as long as it is"


def test_a_name_for_what_is_out_already_is_noted() -> None:
    slots, prefixes = make()
    prefixes.close(run(slots, prefixes, TEXT), 0.0)
    settle(prefixes)
    lease = prefixes.open([*TEXT, 0], 0.0)
    assert lease is not None
    prefixes.keep(lease.sequence, "prefix/a", 0.0)
    settle(prefixes)
    assert slots.copied == 300
    prefixes.set_aside()
    assert (prefixes.kept, prefixes.named("prefix/a")) == (0, TEXT)
    with prefixes.borrowed("prefix/a", 0.0) as sequence:
        assert slots.tokens(sequence) == TEXT
    assert slots.used == 0


def test_what_would_not_fit_stays_in_its_cells() -> None:
    slots, prefixes = make(budget=10 * host.PAGE)
    prefixes.close(run(slots, prefixes, TEXT), 0.0)
    settle(prefixes)
    prefixes.set_aside()
    assert (slots.copied, prefixes.kept, prefixes.used) == (0, 1, 300)


def test_what_the_cells_hold_already_is_not_copied_back() -> None:
    slots, prefixes = make()
    prefixes.close(run(slots, prefixes, [*TEXT, *OTHER]), 0.0)
    settle(prefixes)
    prefixes.set_aside()
    going = run(slots, prefixes, TEXT)
    prefixes.share(going)
    copied, slots.copied_in = slots.copied_in, 0
    assert copied == 512, "two blocks, the second one cut"
    lease = prefixes.open([*TEXT, *OTHER], 0.0)
    assert lease is not None
    assert lease.cached == 699
    assert slots.copied_in == 444, "the block in which the cells end, and the one behind"
    assert slots.used == 699


def test_what_cannot_be_copied_back_is_read() -> None:
    slots, prefixes = make()
    prefixes.close(run(slots, prefixes, TEXT), 0.0)
    prefixes.set_aside()
    slots.fails = True
    lease = prefixes.open([*TEXT, 0], 0.0)
    assert lease is not None
    assert (lease.cached, lease.broke, slots.used) == (0, -1, 0)


def test_without_a_sequence_or_cells_nothing_comes_back() -> None:
    slots, prefixes = make()
    prefixes.keep(run(slots, prefixes, TEXT), "prefix/a", 0.0)
    prefixes.set_aside()
    first, *_ = (run(slots, prefixes, [number]) for number in (2001, 2002, 2003))
    with pytest.raises(LookupError), prefixes.borrowed("prefix/a", 0.0):
        pass
    assert prefixes.open([*TEXT, 0], 0.0) is None
    prefixes.abandon(first)
    with pytest.raises(LookupError), prefixes.borrowed("prefix/none", 0.0):
        pass
    prefixes.abandon(run(slots, prefixes, list(range(2100, 2101))))
    many = list(range(4000, 4000 + ROOM - 100))
    holding = prefixes.open(many, 0.0)
    assert holding is not None
    slots.decode(holding.sequence, many)
    prefixes.read(holding.sequence, many)
    prefixes.abandon(next(run for run in prefixes._entries if run != holding.sequence))
    with pytest.raises(LookupError), prefixes.borrowed("prefix/a", 0.0):
        pass
    lease = prefixes.open([*TEXT, 0], 0.0)
    assert lease is not None
    assert (lease.cached, lease.broke) == (0, -1)
