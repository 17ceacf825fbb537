from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.engine.marks import MIN_CHARS, MIN_USES
from edged.engine.orders import Delete, GivenUp, Known, Learn, Restore, Save, Unlearn
from edged.engine.prefix import MAX_FAILURES, RETRY_S, Persona
from edged.engine.prefixes import DISK_RETRY_S, MARK_SAVE_S, MAX_MARKS, Prefixes
from tests.engine.states import IDENTITY, found, system

if TYPE_CHECKING:
    from edged.engine.frames import Messages
    from edged.engine.orders import Order
    from edged.engine.shelf import Found

BUTLER = Persona("butler", system())
COOK = Persona("cook", system("You are the cook."))
KEY = "prefix/butler"
OTHER_MODEL = msgspec.structs.replace(IDENTITY, model="n" * 64)
OTHER_TYPE = msgspec.structs.replace(IDENTITY, kv_type="q8_0")


def text(name: str, length: int = MIN_CHARS) -> Messages:
    return system(name * length)


class Desk:
    """Prefixes with a clock."""

    def __init__(self, *personas: Persona, files: tuple[Found, ...] = ()) -> None:
        self.now = 0.0
        self.prefixes = Prefixes(personas)
        self.prefixes.found(files)

    def up(self, *, disk: bool = True) -> list[Order]:
        return self.prefixes.up(IDENTITY if disk else None, self.now)

    def learned(self, key: str = KEY, tokens: int = 20, state_bytes: int = 5000) -> list[Order]:
        return self.prefixes.learned(key, tokens, state_bytes, 12.5, self.now)

    def failed(self, code: str, key: str = KEY) -> list[Order]:
        return self.prefixes.failed(key, code, self.now)

    def stored(
        self,
        kept: Found | None,
        key: str = KEY,
        gone: tuple[str, ...] = (),
        *,
        fault: bool = False,
    ) -> list[Order]:
        return self.prefixes.stored(key, kept, gone, self.now, fault=fault)

    def used(self, messages: Messages, times: int = MIN_USES) -> list[Order]:
        orders: list[Order] = []
        for _ in range(times):
            orders += self.prefixes.used(messages, self.now)
        return orders

    def later(self, seconds: float) -> list[Order]:
        self.now += seconds
        return self.prefixes.tick(self.now)

    def mark(self, messages: Messages) -> str:
        """Use it until it is marked, and let it be learnt and not saved; the key."""
        (order,) = self.used(messages)
        assert isinstance(order, Learn)
        assert order.messages == messages
        orders = self.learned(order.key)
        if isinstance(orders[-1], Save):
            self.stored(None, order.key)
        return order.key


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


# Personas.


def test_a_new_persona_is_read_and_then_saved_once() -> None:
    desk = Desk(BUTLER)
    assert desk.up() == [Learn(key=KEY, messages=BUTLER.messages)]
    known, save = desk.learned()
    assert known == Known(name="butler", tokens=20, source="read", ms=12.5)
    assert isinstance(save, Save)
    assert (save.key, save.header.name, save.header.messages) == (KEY, "butler", BUTLER.messages)
    assert (save.header.tokens, save.header.state_bytes) == (20, 5000)
    assert save.header.identity == IDENTITY
    assert desk.stored(found("f")) == []
    assert desk.later(1e6) == []


def test_a_saved_persona_is_restored_and_not_saved_again() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    assert desk.up() == [Restore(key=KEY, messages=BUTLER.messages, file="f")]
    assert desk.learned() == [Known(name="butler", tokens=20, source="disk", ms=12.5)]
    assert desk.later(1e6) == []


def test_without_a_disk_it_is_only_read() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    assert kinds(desk.up(disk=False)) == ["Learn"]
    assert kinds(desk.learned()) == ["Known"]
    assert desk.later(1e6) == []


def test_files_are_restored_before_anything_is_read_and_each_reading_is_saved_at_once() -> None:
    maid = Persona("maid", system("You are the maid."))
    desk = Desk(maid, BUTLER, COOK, files=(found("f"),))
    assert kinds(desk.up()) == ["Restore"]
    assert desk.learned()[1:] == [Learn(key="prefix/maid", messages=maid.messages)]
    assert kinds(desk.learned("prefix/maid")) == ["Known", "Save"]
    kept = found("g", messages=maid.messages)
    assert desk.stored(kept, "prefix/maid") == [Learn(key="prefix/cook", messages=COOK.messages)]


def test_two_personas_of_one_text_have_one_file() -> None:
    twin = Persona("twin", BUTLER.messages)
    desk = Desk(BUTLER, twin)
    desk.up()
    desk.learned()
    assert kinds(desk.stored(found("f"))) == ["Restore"]
    assert kinds(desk.learned("prefix/twin")) == ["Known"]


def test_a_text_that_changed_costs_the_old_file() -> None:
    old = found("f", messages=system("You were the butler."))
    desk = Desk(BUTLER, files=(old,))
    delete, learn = desk.up()
    assert isinstance(delete, Delete)
    assert delete.file == "f"
    assert "not configured" in delete.reason
    assert isinstance(learn, Learn)


def test_files_of_another_model_go_and_those_of_another_setting_stay() -> None:
    files = (found("a", identity=OTHER_MODEL), found("b", identity=OTHER_TYPE))
    desk = Desk(BUTLER, files=files)
    assert desk.up() == [
        Delete(file="a", reason="of another model or engine"),
        Learn(key=KEY, messages=BUTLER.messages),
    ]
    desk.prefixes.died(blamed=False)
    assert desk.prefixes.up(OTHER_TYPE, 1.0) == [
        Restore(key=KEY, messages=BUTLER.messages, file="b")
    ]


def test_a_state_that_needs_no_bytes_is_not_saved() -> None:
    desk = Desk(BUTLER)
    desk.up()
    assert kinds(desk.learned(state_bytes=0)) == ["Known"]


# What goes wrong.


def test_a_file_that_is_not_ours_is_read_anew_and_saved() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    desk.up()
    assert desk.prefixes.refused(KEY, 0.0) == [Learn(key=KEY, messages=BUTLER.messages)]
    assert kinds(desk.learned()) == ["Known", "Save"]


def test_a_state_that_the_engine_refuses_is_deleted_and_read_anew() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    desk.up()
    assert desk.failed("bad_state") == [
        Delete(file="f", reason="the engine refuses it"),
        Learn(key=KEY, messages=BUTLER.messages),
    ]
    # it cannot be deleted twice
    desk.prefixes.died(blamed=True)
    assert kinds(desk.up()) == ["Learn"]


def test_no_room_for_a_state_is_no_fault_of_its_file() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    desk.up()
    for _ in range(MAX_FAILURES - 1):
        assert desk.failed("no_room") == []
        assert desk.later(RETRY_S - 1) == []
        assert kinds(desk.later(1)) == ["Restore"]
    assert desk.failed("no_room") == []
    assert kinds(desk.later(RETRY_S)) == ["Learn"]
    assert kinds(desk.learned()) == ["Known"]
    desk.prefixes.died(blamed=False)
    assert kinds(desk.up()) == ["Restore"]


def test_what_cannot_be_read_is_tried_again_and_then_given_up_for_this_life() -> None:
    desk = Desk(BUTLER)
    desk.up()
    for _ in range(MAX_FAILURES - 1):
        assert desk.failed("decode_failed") == []
        assert kinds(desk.later(RETRY_S)) == ["Learn"]
    assert desk.failed("decode_failed") == [GivenUp(name="butler", reason="decode_failed")]
    assert desk.later(1e6) == []
    desk.prefixes.died(blamed=False)
    assert kinds(desk.up()) == ["Learn"]


def test_a_persona_too_long_for_the_context_is_given_up_at_once() -> None:
    desk = Desk(BUTLER, COOK)
    desk.up()
    assert desk.failed("prompt_too_long") == [
        GivenUp(name="butler", reason="prompt_too_long"),
        Learn(key="prefix/cook", messages=COOK.messages),
    ]


def test_a_save_that_fails_in_the_child_is_not_tried_again() -> None:
    desk = Desk(BUTLER)
    desk.up()
    desk.learned()
    assert desk.failed("unknown") == []
    assert desk.later(1e6) == []


def test_a_disk_that_refuses_is_tried_again_much_later() -> None:
    desk = Desk(BUTLER)
    desk.up()
    desk.learned()
    assert desk.stored(None, fault=True) == []
    assert desk.later(DISK_RETRY_S - 1) == []
    assert kinds(desk.later(1)) == ["Save"]
    assert desk.stored(found("f")) == []
    assert desk.later(1e6) == []


def test_what_is_worth_less_than_all_others_is_not_saved() -> None:
    desk = Desk(BUTLER)
    desk.up()
    desk.learned()
    assert desk.stored(None) == []
    assert desk.later(1e6) == []


def test_a_child_that_is_gone_before_it_was_told_waits_for_the_next() -> None:
    desk = Desk(BUTLER)
    desk.up()
    assert desk.failed("engine_unavailable") == []
    assert desk.later(1e6) == []
    assert desk.prefixes.died(blamed=True) == []
    assert kinds(desk.up()) == ["Learn"]


def test_after_a_death_everything_is_restored_or_read_anew() -> None:
    desk = Desk(BUTLER, COOK, files=(found("f"),))
    desk.up()
    desk.learned()
    desk.learned("prefix/cook")
    desk.stored(None, "prefix/cook")
    assert desk.prefixes.died(blamed=False) == []
    assert desk.later(5) == []
    assert kinds(desk.up()) == ["Restore"]
    assert kinds(desk.learned()) == ["Known", "Learn"]


def test_what_was_in_hand_at_two_deaths_is_given_up() -> None:
    desk = Desk(BUTLER, COOK)
    desk.up()
    assert desk.prefixes.died(blamed=True) == []
    assert kinds(desk.up()) == ["Learn"]
    assert desk.prefixes.died(blamed=True) == [
        GivenUp(name="butler", reason="the engine died of it twice")
    ]
    for _ in range(3):
        assert desk.up() == [Learn(key="prefix/cook", messages=COOK.messages)]
        assert desk.prefixes.died(blamed=False) == []


def test_a_file_that_the_engine_died_of_is_deleted() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    desk.up()
    assert desk.prefixes.died(blamed=True) == [Delete(file="f", reason="the engine died of it")]
    assert kinds(desk.up()) == ["Learn"]


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    desk = Desk(BUTLER, files=(found("f"),))
    assert desk.learned() == []
    desk.up()
    assert desk.learned("prefix/cook") == []
    assert desk.failed("bad_state", "prefix/cook") == []
    assert desk.prefixes.refused("prefix/cook", 0.0) == []
    # of a life before: what the disk did then is known, but it answers no question of now
    assert desk.stored(found("g")) == []
    assert kinds(desk.learned()) == ["Known"]


# Marks.


def test_a_system_prompt_that_is_used_again_and_again_is_kept_and_saved() -> None:
    desk = Desk()
    desk.up()
    assert desk.used(text("a"), MIN_USES - 1) == []
    (learn,) = desk.used(text("a"), 1)
    assert isinstance(learn, Learn)
    assert learn.messages == text("a")
    assert learn.key.startswith("prefix/~")
    known, save = desk.learned(learn.key)
    assert known == Known(name=None, tokens=20, source="read", ms=12.5)
    assert isinstance(save, Save)
    assert (save.header.name, save.header.uses) == (None, MIN_USES)


@pytest.mark.parametrize(
    "messages",
    [
        text("a", MIN_CHARS - 1),
        BUTLER.messages,
        tuple(msgspec.structs.replace(turn, role="user") for turn in text("a")),
    ],
)
def test_a_short_one_a_personas_and_a_users_text_are_no_marks(messages: Messages) -> None:
    desk = Desk(BUTLER)
    desk.up()
    desk.learned()
    desk.stored(found("f"))
    assert desk.used(messages, 10) == []


def test_a_mark_comes_after_the_personas() -> None:
    desk = Desk(BUTLER)
    assert desk.used(text("a")) == []
    assert desk.up() == [Learn(key=KEY, messages=BUTLER.messages)]
    desk.learned()
    assert [order.key for order in desk.stored(found("f")) if isinstance(order, Learn)] != [KEY]


def test_marks_are_written_seldom() -> None:
    desk = Desk()
    desk.up()
    (first,) = desk.used(text("a"))
    assert isinstance(first, Learn)
    desk.learned(first.key)
    assert desk.stored(found("a", name=None, messages=text("a")), first.key) == []
    (second,) = desk.used(text("b"))
    assert isinstance(second, Learn)
    assert kinds(desk.learned(second.key)) == ["Known"]
    assert desk.later(MARK_SAVE_S - 1) == []
    assert kinds(desk.later(1)) == ["Save"]


def test_only_what_is_worth_more_takes_the_place_of_another_mark() -> None:
    desk = Desk()
    desk.up()
    keys = [desk.mark(text(chr(97 + number), 400 + number)) for number in range(MAX_MARKS)]
    assert desk.used(text("z", 64)) == []
    long = text("y", 20_000)
    unlearn, learn = desk.used(long)
    assert isinstance(unlearn, Unlearn)
    assert unlearn.key == keys[0]
    assert isinstance(learn, Learn)
    assert learn.messages == long


def test_what_is_in_hand_does_not_lose_its_place() -> None:
    desk = Desk()
    desk.up()
    keys = [desk.mark(text(chr(97 + number), 400)) for number in range(MAX_MARKS - 1)]
    (learn,) = desk.used(text("x", 100))
    assert isinstance(learn, Learn)
    unlearn, *rest = desk.used(text("y", 20_000))
    assert isinstance(unlearn, Unlearn)
    assert unlearn.key in keys
    assert rest == []


def test_a_mark_that_loses_its_place_loses_its_file() -> None:
    files = tuple(
        found(chr(97 + n), name=None, messages=text(chr(97 + n)), uses=9 + n)
        for n in range(MAX_MARKS)
    )
    desk = Desk(files=files)
    desk.up()
    orders = desk.used(text("y", 20_000))
    assert kinds(orders) == ["Unlearn", "Delete"]
    assert orders[1] == Delete(file="a", reason="others are used more")


def test_marks_of_an_earlier_start_are_restored_the_most_valuable_first() -> None:
    files = tuple(
        found(f"{n}", name=None, messages=text(chr(97 + n)), uses=n + 1)
        for n in range(MAX_MARKS + 1)
    )
    desk = Desk(BUTLER, files=(*files, found("p"), found("q", name=None, identity=OTHER_TYPE)))
    delete, restore = desk.up()
    assert delete == Delete(file="0", reason="others are used more")
    assert isinstance(restore, Restore)
    assert restore.file == "p"
    (_, order) = desk.learned()
    for number in range(MAX_MARKS, 1, -1):
        assert isinstance(order, Restore)
        assert order.file == f"{number}"
        (_, order) = desk.learned(order.key)


def test_the_text_of_a_file_that_is_not_ours_is_never_read() -> None:
    desk = Desk(files=(found("f", name=None, messages=text("a")),))
    (restore,) = desk.up()
    assert isinstance(restore, Restore)
    assert desk.prefixes.refused(restore.key, 0.0) == []
    assert desk.later(1e6) == []


def test_nor_that_of_a_file_that_went_before_it_was_verified() -> None:
    messages = text("a")
    files = (found("f", name=None, messages=messages), found("p"))
    desk = Desk(BUTLER, files=files)
    desk.up()
    assert kinds(desk.prefixes.refused(KEY, 0.0)) == ["Restore"]
    desk.prefixes.died(blamed=False)
    # saved in an earlier life, when this had to go for it
    desk.stored(found("p"), gone=("f",))
    assert kinds(desk.up()) == ["Restore"]
    assert kinds(desk.learned()) == ["Known"]
    assert desk.later(1e6) == []
    # unless a request brings it
    (learn,) = desk.used(messages, 1)
    assert isinstance(learn, Learn)
    assert learn.messages == messages


def test_a_verified_mark_that_the_engine_refuses_is_read_anew() -> None:
    desk = Desk(files=(found("f", name=None, messages=text("a")),))
    (restore,) = desk.up()
    assert isinstance(restore, Restore)
    assert kinds(desk.failed("bad_state", restore.key)) == ["Delete", "Learn"]


def test_a_mark_that_became_a_persona_is_its_file() -> None:
    desk = Desk(BUTLER, files=(found("f", name=None),))
    assert desk.up() == [Restore(key=KEY, messages=BUTLER.messages, file="f")]
    assert kinds(desk.learned()) == ["Known"]


def test_an_empty_house_has_nothing_to_do() -> None:
    desk = Desk()
    assert desk.later(5) == []
    assert desk.up() == []
    assert desk.prefixes.died(blamed=True) == []


# Forgetting.


def test_what_was_marked_is_forgotten_and_a_persona_is_not() -> None:
    foreign = msgspec.structs.replace(found("o", name=None, messages=text("o")).header)
    other = msgspec.structs.replace(foreign, identity=OTHER_TYPE)
    desk = Desk(BUTLER, files=(found("f"), msgspec.structs.replace(found("o"), header=other)))
    desk.up()
    desk.learned()
    key = desk.mark(text("m"))
    orders = desk.prefixes.forget(desk.now)
    assert [order for order in orders if isinstance(order, Unlearn)] == [Unlearn(key=key)]
    assert [order.file for order in orders if isinstance(order, Delete)] == ["o"]
    assert desk.used(text("m"), MIN_USES - 1) == []
    assert kinds(desk.used(text("m"), 1)) == ["Learn"]


def test_a_mark_in_hand_is_forgotten_with_its_file_when_the_errand_is_over() -> None:
    desk = Desk()
    desk.up()
    (learn,) = desk.used(text("m"))
    assert isinstance(learn, Learn)
    (_, save) = desk.learned(learn.key)
    assert isinstance(save, Save)
    assert desk.prefixes.forget(desk.now) == []
    unlearn, delete = desk.stored(found("g", name=None, messages=text("m")), learn.key)
    assert unlearn == Unlearn(key=learn.key)
    assert isinstance(delete, Delete)
    assert delete.file == "g"


def test_a_mark_that_the_disk_refuted_meanwhile_needs_no_second_end() -> None:
    desk = Desk(files=(found("f", name=None, messages=text("m")),))
    (restore,) = desk.up()
    assert isinstance(restore, Restore)
    assert desk.prefixes.forget(desk.now) == []
    assert desk.prefixes.refused(restore.key, desk.now) == []
