from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.models.figures import KINDS, NO_FLASH, Try
from edged.models.settings import Contest, contest, gains, preferred, slope, untried
from edged.models.tuning import Setting
from tests.models.values import depths, measurement

if TYPE_CHECKING:
    from edged.models.figures import KvType, Measurement

ON = measurement(8.0, pp=11.0, repack=True, wall=2.0)
OFF = measurement(8.0, pp=11.0, repack=False, wall=1.0)


def test_nothing_is_preferred_where_nothing_is_known() -> None:
    assert preferred(()) == ()


EQUAL = measurement(8.1, pp=11.0, repack=True)
FASTER = measurement(9.0, pp=11.0, repack=True)
READER = measurement(8.0, pp=14.0, repack=True)
HOT = measurement(9.0, pp=11.0, repack=True, hot=True)


@pytest.mark.parametrize(
    ("on", "off", "repack"),
    [
        (ON, OFF, False),  # the one that takes no memory of its own
        (FASTER, OFF, True),
        (EQUAL, OFF, False),  # a second measurement differs by as much
        (READER, OFF, True),
        (READER, measurement(9.0, pp=11.0, repack=False), False),
        (HOT, OFF, False),
        (HOT, measurement(8.0, pp=11.0, repack=False, hot=True), True),
    ],
)
def test_what_decodes_fastest_is_preferred(
    on: Measurement, off: Measurement, *, repack: bool
) -> None:
    first, second = preferred((on, off))
    assert first.repack is repack
    assert {first, second} == {on, off}


def test_each_way_is_tried_once_and_only_if_it_is_left_open() -> None:
    assert untried("auto", ()) is None, "what serves is timed as it is before"
    assert untried("auto", (ON,)) == Setting(repack=False)
    assert untried("auto", (OFF,), "q8_0") == Setting(repack=True, kv_type="q8_0")
    assert untried("auto", (ON, OFF)) is None
    assert untried("on", (ON,)) is None
    assert untried("off", (OFF,)) is None


def test_what_was_compared_by_hand_is_not_tried_again() -> None:
    tries = (Try(repack=False, kv_type="f16", kind="tg", threads=2, tps=7.0),)
    assert untried("auto", (measurement(8.0, repack=True, tries=tries),)) is None


F16: tuple[KvType, ...] = ("f16",)
Q8_0: tuple[KvType, ...] = ("q8_0",)
BOTH = (*F16, *Q8_0)


def deep(kind: KvType, tps: float, tokens: int = 2048, **more: object) -> Measurement:
    return measurement(8.0, kv_type=kind, depths=depths((0, 8.0), (tokens, tps)), **more)


def test_the_other_type_of_cache_is_tried_in_the_better_way_after_both_were_timed() -> None:
    plain = deep("f16", 7.0, repack=False)
    assert untried("auto", (plain,), "f16", BOTH) == Setting(repack=True)
    assert untried("auto", (plain, ON), "f16", BOTH) == Setting(repack=False, kv_type="q8_0")
    assert untried("off", (plain,), "f16", BOTH) == Setting(repack=False, kv_type="q8_0")
    assert untried("off", (plain,), "f16", F16) is None
    small = deep("q8_0", 7.0, repack=False)
    assert untried("off", (plain, small), "f16", BOTH) is None
    assert untried("off", (small,), "f16", BOTH) == Setting(repack=False)


def test_what_was_timed_at_an_empty_context_alone_is_timed_behind_tokens() -> None:
    assert untried("on", (ON,), "f16", BOTH) == Setting(repack=True)
    assert untried("on", (ON,), "f16", F16) is None, "there is nothing to compare with"
    plain, unfinished = deep("f16", 7.0), measurement(8.0, kv_type="q8_0", depths=depths((0, 8.0)))
    assert untried("on", (plain, unfinished), "f16", BOTH) == Setting(repack=True, kv_type="q8_0")


@pytest.mark.parametrize(
    ("plain", "small", "kind"),
    [
        (deep("f16", 7.0), deep("q8_0", 7.5), "q8_0"),
        (deep("f16", 7.0), deep("q8_0", 7.3), "f16"),  # a second measurement differs by as much
        (deep("f16", 7.0), deep("q8_0", 6.0), "f16"),
        (deep("f16", 7.0), deep("q8_0", 7.5, hot=True), "f16"),
        (deep("f16", 7.0, hot=True), deep("q8_0", 6.0), "q8_0"),  # what else is cool
        (deep("f16", 7.0), measurement(9.0, kv_type="q8_0"), "f16"),  # nobody knows how at depth
        (measurement(8.0), deep("q8_0", 7.5), "f16"),
        (deep("f16", 6.0, 4096), deep("q8_0", 7.4), "q8_0"),  # 6.9 behind 2,048 tokens
        (deep("f16", 6.2, 4096), deep("q8_0", 7.3), "f16"),  # 7.0
    ],
)
def test_types_of_cache_are_compared_behind_as_many_tokens(
    plain: Measurement, small: Measurement, kind: str
) -> None:
    for known in ((plain, small), (small, plain)):
        assert preferred(known)[0].kv_type == kind
        assert set(preferred(known)) == {plain, small}


def test_a_type_that_may_not_be_taken_tells_only_how_fast_the_file_is() -> None:
    plain, small = deep("f16", 7.0), deep("q8_0", 7.5)
    assert preferred((plain, small), F16)[0] is plain
    assert preferred((plain, small), Q8_0)[0] is small
    assert preferred((small,), F16) == (small,)


def test_both_types_are_seen_in_their_best_way() -> None:
    slow = deep("f16", 5.0, repack=False, pp=10.0)
    found = contest((slow, deep("f16", 7.0), deep("q8_0", 7.5)))
    assert found is not None
    assert found[:3] == pytest.approx((2048, 7.0, 7.5))
    assert found.kind == "q8_0"
    assert contest((slow,)) is None
    assert gains(Contest(2048, 7.0, 7.5, "q8_0"))
    assert not gains(Contest(2048, 7.2, 7.5, "q8_0"))
    assert not gains(None)


def test_the_fastest_of_the_others_is_beside_f16() -> None:
    three = (deep("f16", 7.0), deep("q8_0", 7.5), deep(NO_FLASH, 8.0))
    found = contest(three)
    assert found is not None
    assert found.kind == NO_FLASH
    assert preferred(three)[0].kv_type == NO_FLASH
    within = contest(three, BOTH)
    assert within is not None
    assert within.kind == "q8_0"
    assert preferred(three, BOTH)[0].kv_type == "q8_0"
    assert preferred((three[0], deep(NO_FLASH, 7.1)))[0].kv_type == "f16"
    assert untried("off", three[:2], "f16", KINDS) == Setting(repack=True, kv_type=NO_FLASH)
    assert untried("off", three, "f16", KINDS) is None


def test_a_slope_is_of_two_points_that_differ() -> None:
    assert slope(depths((0, 8.0), (512, 7.9), (1000, 5.0))) == pytest.approx((1 / 5 - 1 / 8) / 1000)
    assert slope(depths((0, 8.0), (1000, 9.0))) == 0.0
    for odd in (depths((0, 8.0)), depths((0, 8.0), (512, 0.0)), depths((9, 8.0), (9, 7.0)), ()):
        assert slope(odd) is None
