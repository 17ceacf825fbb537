from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from msgspec.structs import replace

from edged.daemon.model import open_model
from edged.daemon.timing import DEEP_TG, KEY, TRIES, Timing, Tokens, tokens_of
from edged.engine.frames import Measure, Measured
from edged.models.figures import Depth
from edged.settings import Config
from tests.engine.harness import POCKET

if TYPE_CHECKING:
    from edged.engine.supervisor import Supervisor

MODEL = open_model(Config(), POCKET)
SHALLOW = Measured(key=KEY, pp_ms=(900.0, 256.0), tg_ms=(128.0, 64.0, 256.0))
DEEP = Measured(key=KEY, tg_ms=(64.0, 32.0, 128.0))


class Child:
    """Notes what it is to time."""

    def __init__(self) -> None:
        self.asked: list[Measure] = []
        self.timing = Timing(cast("Supervisor", self))

    def measure(self, frame: Measure) -> None:
        self.asked.append(frame)


def test_both_parts_make_one_measurement_and_the_first_is_not_lost() -> None:
    child = Child()
    timing = child.timing
    timing.begin(MODEL)
    assert (timing.busy, timing.halfway) == (True, False)
    model = replace(MODEL, load=replace(MODEL.load, kv_type="q8_0", repack=False))
    first = timing.take(SHALLOW, model, "b", 7.0)
    assert first is not None
    assert (timing.busy, timing.halfway) == (False, True)
    assert (first.tps, first.pp, first.depths) == (1000.0, 2000.0, (Depth(0, 1000.0),))
    assert (first.kv_type, first.repack, first.context) == ("q8_0", False, 2048)
    timing.begin(MODEL)
    timing.failed("interrupted")
    timing.begin(MODEL)
    both = timing.take(DEEP, model, "b", 8.0)
    assert both == replace(first, depths=(Depth(0, 1000.0), Depth(2048 - DEEP_TG, 500.0)), wall=8.0)
    assert not timing.halfway
    timing.begin(MODEL)
    assert [(each.depth, each.pp, each.tg) for each in child.asked] == [
        (0, 512, 128),
        (2048 - DEEP_TG, 0, DEEP_TG),
        (2048 - DEEP_TG, 0, DEEP_TG),
        (0, 512, 128),
    ]


def test_another_child_is_timed_from_the_beginning() -> None:
    child = Child()
    child.timing.begin(MODEL)
    child.timing.take(SHALLOW, MODEL, "b", 7.0)
    child.timing.renew()
    child.timing.begin(MODEL)
    assert [each.depth for each in child.asked] == [0, 0]


@pytest.mark.parametrize("frame", [Measured(key=KEY), DEEP, replace(SHALLOW, tg_ms=())])
def test_what_is_incomplete_counts_as_a_failure(frame: Measured) -> None:
    timing = Child().timing
    timing.begin(MODEL)
    assert timing.take(frame, MODEL, "b", 7.0) is None
    assert (timing.tries, timing.busy, timing.halfway) == (1, False, False)


def test_requests_do_not_count_as_failures() -> None:
    timing = Child().timing
    for _ in range(TRIES):
        timing.failed("interrupted")
    assert (timing.tries, timing.given_up) == (0, False)
    for _ in range(TRIES):
        timing.failed("too_deep")
    assert timing.given_up
    timing.renew()
    assert timing.tries == 0


@pytest.mark.parametrize(
    ("room", "tokens"),
    [
        (8192, Tokens(512, 128, 2048, 32)),
        (2048, Tokens(512, 128, 2016, 32)),
        (256, Tokens(256, 128, 224, 32)),
        (32, Tokens(32, 32, 16, 16)),
        (1, Tokens(1, 1, 1, 1)),
    ],
)
def test_all_of_it_has_room_in_the_context(room: int, tokens: Tokens) -> None:
    model = replace(MODEL, view=replace(MODEL.view, context=room))
    assert tokens_of(model) == tokens
