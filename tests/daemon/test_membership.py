from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.daemon.membership import BACK_S, WAITING, Membership, against, step
from edged.serving.dispatcher import Dispatcher, Standing
from edged.serving.state import Settings

WELL = msgspec.structs.replace(Dispatcher(Settings(capacity=64)).snapshot(0.0), ready=True)
HERE = Membership(None, 0.0)


def standing(**fields: Any) -> Standing:
    return msgspec.structs.replace(WELL, **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"draining": True, "paused": True}, "stopping"),
        ({"fatal": "model_bad", "ready": False}, "no_model"),
        ({"paused": True, "hot": True}, "paused"),
        ({"ready": False}, "loading"),
        ({"hot": True, "waiting": 64}, "hot"),
        ({"waiting": 48}, "full"),
    ],
)
def test_it_leaves_at_once_and_says_why(fields: dict[str, Any], reason: str) -> None:
    assert step(HERE, standing(**fields), 10.0) == Membership(reason)
    assert not Membership(reason).here


def test_it_begins_outside_and_joins_when_all_has_been_well_for_a_while() -> None:
    member = step(Membership(), WELL, 5.0)
    assert member == Membership(WAITING, 5.0)
    assert step(member, WELL, 5.0 + BACK_S - 0.1).reason == WAITING
    member = step(member, WELL, 5.0 + BACK_S)
    assert member.here
    assert step(member, WELL, 99.0).here


def test_a_trouble_meanwhile_starts_the_wait_anew() -> None:
    member = step(step(Membership(), WELL, 0.0), standing(hot=True), 2.0)
    assert member == Membership("hot")
    assert step(member, WELL, 2.5) == Membership(WAITING, 2.5)


def test_it_leaves_with_room_for_what_is_under_way_and_returns_half_empty() -> None:
    assert against(standing(waiting=47), here=True) is None
    assert against(standing(waiting=47), here=False) == "full"
    assert against(standing(waiting=31), here=False) is None


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans()), max_size=30))
def test_it_never_joins_sooner_than_the_wait_and_never_stays_in_trouble(
    moves: list[tuple[float, bool]],
) -> None:
    member, now, last_trouble = Membership(), 0.0, 0.0
    for pause, hot in moves:
        now += pause
        last_trouble = now if hot else last_trouble
        member = step(member, standing(hot=hot), now)
        if member.here:
            assert not hot
            assert now - last_trouble >= BACK_S
