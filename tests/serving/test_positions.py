"""Those who wait hear where they stand, and not more often than it changes."""

from __future__ import annotations

from edged.serving.effects import Effect, SendProgress
from edged.serving.events import CancelAsked, Tick
from edged.serving.positions import MAX_TOLD
from edged.serving.request import Priority
from tests.serving.make import Desk, completed, only, request


def told(effects: list[Effect]) -> dict[str, tuple[float, float]]:
    return {
        effect.id: (effect.fields["position"], effect.fields["eta_s"])
        for effect in only(effects, SendProgress)
        if effect.phase == "waiting"
    }


def busy() -> Desk:
    desk = Desk(capacity=50, per_client=50)
    desk.ask(request("run"))
    return desk


def test_newcomer_is_told() -> None:
    desk = busy()
    assert told(desk.ask(request("a"))) == {"a": (1, 30.0)}
    desk.now += 10
    assert told(desk.ask(request("b"))) == {"b": (2, 50.0)}


def test_change_is_told_to_whom_it_concerns() -> None:
    desk = busy()
    for name in "abc":
        desk.ask(request(name))
    assert desk.on(Tick()) == []
    assert told(desk.on(CancelAsked(id="b"))) == {"c": (2, 60.0)}
    assert told(desk.ask(request("now", priority=Priority.URGENT))) == {}
    assert told(desk.ask(request("u", priority=Priority.URGENT))) == {
        "u": (1, 60.0),
        "a": (2, 90.0),
        "c": (3, 120.0),
    }


def test_start_moves_everyone_up() -> None:
    desk = busy()
    for name in "ab":
        desk.ask(request(name))
    assert told(desk.on(completed(request("run").key), after=30)) == {"b": (1, 30.0)}


def test_far_back_is_told_once() -> None:
    desk = busy()
    for count in range(MAX_TOLD):
        desk.ask(request(f"r{count}"))
    assert told(desk.ask(request("far"))) == {"far": (11, 330.0)}
    assert told(desk.ask(request("farther"))) == {"farther": (12, 360.0)}
    moved = told(desk.on(completed(request("run").key), after=30))
    assert len(moved) == MAX_TOLD
    assert "farther" not in moved


def test_who_must_end_in_time_makes_nobody_wait_longer() -> None:
    desk = Desk()
    desk.ask(request("run", answer_within=10.2))
    desk.now += 4
    assert told(desk.ask(request("a", answer_within=8))) == {"a": (1, 6.0)}
    assert told(desk.ask(request("b"))) == {"b": (2, 14.0)}
    assert told(desk.ask(request("c"))) == {"c": (3, 44.0)}


def test_more_slots_are_faster() -> None:
    desk = Desk(streams=2)
    for name in ("run1", "run2", "a"):
        effects = desk.ask(request(name))
    assert told(effects) == {"a": (1, 30.0)}
    assert told(desk.ask(request("b"))) == {"b": (2, 45.0)}
