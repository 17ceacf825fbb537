from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.models.figures import Try
from edged.models.settings import preferred, untried
from tests.models.values import measurement

if TYPE_CHECKING:
    from edged.models.figures import Measurement

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
    assert untried("auto", (ON,)) is False
    assert untried("auto", (OFF,)) is True
    assert untried("auto", (ON, OFF)) is None
    assert untried("on", (ON,)) is None
    assert untried("off", (OFF,)) is None


def test_what_was_compared_by_hand_is_not_tried_again() -> None:
    tries = (Try(repack=False, kv_type="f16", kind="tg", threads=2, tps=7.0),)
    assert untried("auto", (measurement(8.0, repack=True, tries=tries),)) is None
