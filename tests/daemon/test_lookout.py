from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from edged.daemon.lookout import LOOK_S, SIGNS_S, Lookout
from edged.daemon.notes import Notes
from edged.daemon.outlook import View, Wish
from edged.models.signs import Entry, Signs
from tests.daemon.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.errand import DiskThread
    from edged.daemon.outlook import Survey

WISH, OTHER = Wish(target_tps=8.0), Wish(target_tps=9.0)
SIGNS = Signs(have=100, limit=None)
VIEW = View(board="b", best="a", local="a", model=None, need=50, signs=SIGNS)


class Desk:
    """A lookout whose thread only notes what it is asked to do."""

    def __init__(self) -> None:
        self.rooms = Rooms()
        self.asked: list[tuple[Any, ...]] = []
        self.lookout = Lookout(
            cast("Survey", self),
            cast("DiskThread", self),
            lambda: 7,
            self.rooms.clock,
            Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
        )

    look, signs = "look", "signs"

    def run(self, job: None, work: Callable[..., object], *args: object) -> None:
        assert job is None
        self.asked.append((work, *args))

    def after(self, seconds: float, *, calm: bool = True) -> bool:
        self.rooms.clock.advance(seconds)
        return self.lookout.due(WISH, self.rooms.clock.monotonic(), calm=calm)

    def seen(self, result: View | Signs | Exception) -> View | None:
        return self.lookout.take(result, WISH)


def looked() -> Desk:
    desk = Desk()
    desk.lookout.see(WISH)
    assert desk.seen(VIEW) is VIEW
    desk.asked.clear()
    return desk


def test_a_look_asked_for_meanwhile_follows_and_the_result_before_it_is_not_believed() -> None:
    desk = Desk()
    desk.lookout.see(WISH)
    desk.lookout.see(OTHER)
    assert desk.asked == [("look", WISH, 7)]
    assert desk.lookout.take(VIEW, OTHER) is None
    assert desk.lookout.view is None
    assert desk.asked == [("look", WISH, 7), ("look", OTHER, 7)]
    assert desk.seen(VIEW) is desk.lookout.view is VIEW


def test_it_looks_now_and_then_and_reads_the_signs_in_between() -> None:
    desk = looked()
    assert not desk.after(SIGNS_S / 2)
    assert desk.asked == []
    assert not desk.after(SIGNS_S / 2)
    assert desk.asked == [("signs", 7)]
    assert not desk.after(SIGNS_S / 2)
    assert desk.after(LOOK_S)
    assert desk.asked == [("signs", 7), ("look", WISH, 7)]


def test_no_signs_are_read_while_the_child_changes_or_a_look_is_under_way() -> None:
    desk = looked()
    assert not desk.after(SIGNS_S, calm=False)
    assert desk.asked == []
    desk.lookout.see(WISH)
    assert not desk.after(SIGNS_S)
    assert desk.asked == [("look", WISH, 7)]


@pytest.mark.parametrize(
    "signs",
    [
        Signs(have=49),
        Signs(have=100, limit=90),
        Signs(have=100, models=(Entry("new.gguf", 1, 1),)),
    ],
)
def test_a_house_that_changes_is_looked_at_at_once(signs: Signs) -> None:
    desk = looked()
    assert desk.seen(signs) is None
    assert desk.asked == [("look", WISH, 7)]
    assert desk.lookout.view is VIEW


def test_signs_that_say_nothing_new_cost_nothing() -> None:
    desk = looked()
    assert desk.seen(SIGNS) is None
    assert desk.seen(SIGNS._replace(have=50)) is None
    assert desk.asked == []
    early = Desk()
    early.seen(SIGNS._replace(limit=1))
    assert early.asked == []


def test_a_look_that_fails_is_told_and_the_view_before_stays() -> None:
    desk = looked()
    desk.lookout.see(WISH)
    assert desk.seen(RuntimeError("secret")) is None
    assert desk.lookout.view is VIEW
    (line,) = desk.rooms.lines
    assert "selection" in line
    assert "secret" not in line
