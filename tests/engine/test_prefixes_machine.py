"""Random lives of child, disk and house: one errand at a time, no file twice, all ends well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edged.engine.orders import Delete, GivenUp, Known, Learn, Restore, Save, Unlearn
from edged.engine.prefix import Persona
from edged.engine.prefixes import DISK_RETRY_S, MARK_SAVE_S, MAX_MARKS, Prefixes
from tests.engine.states import IDENTITY, found, system

if TYPE_CHECKING:
    from edged.engine.frames import Messages
    from edged.engine.orders import Order
    from edged.engine.shelf import Found

PERSONAS = [Persona(name, system(name * 30)) for name in ("butler", "cook", "maid")]
PROMPTS = [system(chr(97 + number) * (64 + 300 * number)) for number in range(12)]
IDENTITIES = [IDENTITY, msgspec.structs.replace(IDENTITY, kv_type="q8_0")]
CODES = ["no_room", "decode_failed", "bad_state", "unknown"]


class House(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.disk: dict[str, Found] = {}
        self.rotten: set[str] = set()
        self.hand: Learn | Restore | Save | None = None
        self.up = False
        self.identity = IDENTITY
        self.known: set[str] = set()
        self.given_up: set[str | None] = set()
        self.prefixes = Prefixes([])

    @initialize(count=st.integers(0, 3), marks=st.lists(st.sampled_from(PROMPTS), max_size=12))
    def begin(self, count: int, marks: list[Messages]) -> None:
        for messages in marks:
            if messages not in {f.header.messages for f in self.disk.values()}:
                self.put(found("", name=None, messages=messages))
        self.personas = PERSONAS[:count]
        self.prefixes = Prefixes(self.personas)
        self.prefixes.found(self.disk.values())

    def put(self, new: Found) -> Found:
        self.number += 1
        new = msgspec.structs.replace(new, file=f"{self.number:04}")
        self.disk[new.file] = new
        return new

    def perform(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Delete():
                    del self.disk[order.file]
                    self.rotten.discard(order.file)
                case Unlearn():
                    assert self.hand is None or self.hand.key != order.key
                    self.known.discard(order.key)
                case Known():
                    pass
                case GivenUp():
                    self.given_up.add(order.name)
                case _:
                    self.take(order)

    def take(self, order: Learn | Restore | Save) -> None:
        assert self.up
        assert self.hand is None
        self.hand = order
        if isinstance(order, Restore):
            assert self.disk[order.file].header.messages == order.messages
            assert self.disk[order.file].header.identity == self.identity
        if isinstance(order, Save):
            assert order.key in self.known
            same = (order.header.identity, order.header.messages)
            there = [(f.header.identity, f.header.messages) for f in self.disk.values()]
            assert same not in there

    def done(self) -> Learn | Restore | Save:
        assert self.hand is not None
        order, self.hand = self.hand, None
        return order

    @precondition(lambda self: not self.up)
    @rule(which=st.sampled_from(IDENTITIES))
    def child_comes(self, which: object) -> None:
        assert isinstance(which, type(IDENTITY))
        self.up, self.identity, self.known = True, which, set()
        self.perform(self.prefixes.up(which, self.now))

    @precondition(lambda self: self.up)
    @rule(blamed=st.booleans())
    def child_dies(self, blamed: bool) -> None:
        self.up, self.hand, self.known = False, None, set()
        self.perform(self.prefixes.died(blamed=blamed))

    @precondition(lambda self: self.hand is not None)
    @rule()
    def errand_succeeds(self) -> None:
        order = self.done()
        if isinstance(order, Save):
            kept = self.put(found("", **_fields(order)))
            self.perform(self.prefixes.stored(order.key, kept, (), self.now))
        elif isinstance(order, Restore) and order.file in self.rotten:
            del self.disk[order.file]
            self.rotten.discard(order.file)
            self.perform(self.prefixes.refused(order.key, self.now))
        else:
            self.known.add(order.key)
            self.perform(self.prefixes.learned(order.key, 20, 5000, 1.0, self.now))

    @precondition(lambda self: self.hand is not None)
    @rule(code=st.sampled_from(CODES), disk=st.booleans())
    def errand_fails(self, code: str, disk: bool) -> None:
        order = self.done()
        if isinstance(order, Save) and disk:
            self.perform(
                self.prefixes.stored(order.key, None, (), self.now, fault=code == "unknown")
            )
        else:
            self.perform(self.prefixes.failed(order.key, code, self.now))

    @precondition(lambda self: self.disk)
    @rule(data=st.data())
    def file_rots(self, data: st.DataObject) -> None:
        self.rotten.add(data.draw(st.sampled_from(sorted(self.disk))))

    @rule(messages=st.sampled_from(PROMPTS), times=st.integers(1, 4))
    def somebody_asks(self, messages: Messages, times: int) -> None:
        for _ in range(times):
            self.perform(self.prefixes.used(messages, self.now))

    @rule()
    def the_owner_has_all_forgotten(self) -> None:
        self.perform(self.prefixes.forget(self.now))

    @rule(seconds=st.sampled_from([1.0, 61.0, DISK_RETRY_S, MARK_SAVE_S]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.perform(self.prefixes.tick(self.now))

    @invariant()
    def marks_are_few(self) -> None:
        assert len(self.prefixes._marks) <= MAX_MARKS

    def teardown(self) -> None:
        """With nothing going wrong any more all personas are known and on disk, or given up."""
        if not self.up:
            self.child_comes(IDENTITY)
        for _ in range(200):
            if self.hand is None:
                self.time_passes(MARK_SAVE_S)
            if self.hand is None:
                break
            self.errand_succeeds()
        assert self.hand is None
        for persona in self.personas:
            key = f"prefix/{persona.name}"
            assert key in self.known or persona.name in self.given_up


def _fields(order: Save) -> dict[str, Any]:
    return {name: getattr(order.header, name) for name in order.header.__struct_fields__}


House.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHouse = House.TestCase
