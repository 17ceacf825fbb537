from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edged.models import speeds
from edged.models.facts import DeviceFacts
from edged.models.speeds import Speed
from tests.models.values import depths, family, measurement, prediction, published, variant

GIB = 1 << 30


def speed(tps: float, **more: object) -> Speed:
    base = Speed(tps=tps, low=tps, high=tps, source="measured", said="here")
    return replace(base, **more)


@pytest.mark.parametrize(
    ("name", "gib", "kind"),
    [
        ("Raspberry Pi 5 Model B Rev 1.1", 15.8, "pi5-16gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 7.9, "pi5-8gb"),
        ("Raspberry Pi 500 Rev 1.0", 7.9, "pi5-8gb"),
        ("Raspberry Pi Compute Module 5 Rev 1.0", 3.9, "pi5-4gb"),
        ("Raspberry Pi 4 Model B Rev 1.4", 3.7, "pi4-4gb"),
        ("Raspberry Pi 400 Rev 1.0", 3.7, "pi4-4gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 4000.0, "pi5-128gb"),
        ("Raspberry Pi Zero 2 W", 0.4, None),
        ("OptiPlex 3000", 31.0, None),
        (None, 31.0, None),
    ],
)
def test_what_catalogues_call_a_board(name: str | None, gib: float, kind: str | None) -> None:
    facts = DeviceFacts(
        board=name, architecture="aarch64", cores=4, ram_bytes=int(gib * GIB), available_bytes=0
    )
    assert speeds.board_kind(facts) == kind


def test_the_best_measurement_counts() -> None:
    hot = measurement(6.0, wall=9.0, hot=True)
    best = speeds.measured((measurement(8.1, wall=2.0), measurement(8.2, wall=1.0), hot))
    assert best is not None
    assert (best.tps, best.low, best.high, best.hot) == (8.1, 8.1 - 0.05, 8.1 + 0.05, False)
    only = speeds.measured([hot])
    assert only is not None
    assert (only.hot, only.said) == (True, "here, on a hot board")
    assert speeds.measured([]) is None


def test_the_slope_is_from_the_first_depth_to_the_last() -> None:
    deep = measurement(8.0, depths=depths((0, 8.0), (512, 7.9), (1000, 5.0)))
    found = speeds.measured([deep])
    assert found is not None
    assert found.slope == pytest.approx((1 / 5 - 1 / 8) / 1000)
    assert found.at(1000) == pytest.approx(5.0)
    assert found.depth_of(5.0) == pytest.approx(1000, abs=1)
    for odd in (depths((0, 8.0)), depths((0, 8.0), (512, 0.0)), depths((9, 8.0), (9, 7.0)), ()):
        flat = speeds.measured([measurement(8.0, depths=odd)])
        assert flat is not None
        assert flat.slope is None
        assert flat.at(100) is None
        assert flat.depth_of(5.0) is None


def test_a_prediction_has_a_band() -> None:
    found = speeds.predicted(prediction(8.0, slope=1e-5))
    assert found is not None
    assert (found.low, found.high, found.source, found.slope) == (7.2, 8.8, "predicted", 1e-5)
    assert speeds.predicted(None) is None


def test_what_was_published_for_this_board_and_engine() -> None:
    said = published(8.03, error=0.03, context=10, slope=1e-5, engine="llama.cpp-b7651")
    one = variant("a", published=(published(5.0, "pi5-8gb"), said))
    found = speeds.published(one, family(one), "pi5-16gb")
    assert found == Speed(
        tps=8.03,
        low=8.03 - 0.03,
        high=8.03 + 0.03,
        source="published",
        said="test, llama.cpp-b7651 on pi5-16gb",
        context=10,
        slope=1e-5,
    )
    assert speeds.published(one, family(one), None) is None
    assert speeds.published(one, family(one), "pi4-4gb") is None


def test_what_was_published_for_another_size_of_memory_is_derived() -> None:
    one = variant("a", bpw=None, published=(published(10.0),))
    found = speeds.published(one, family(one), "pi5-8gb")
    assert found is not None
    assert (found.source, found.tps, found.low, found.high) == ("derived", 10.0, 9.0, 11.0)
    assert found.said == "from 10 of this file, llama.cpp on pi5-16gb"


def test_another_engine_is_scaled_and_an_unknown_one_not_used() -> None:
    one = variant("a", published=(published(10.0, engine="ik_llama.cpp"),))
    found = speeds.published(one, family(one), "pi5-16gb")
    assert found is not None
    assert (found.tps, found.source) == (8.9, "derived")
    odd = variant("a", published=(published(10.0, engine="bitnet.cpp"),))
    assert speeds.published(odd, family(odd), "pi5-16gb") is None


def test_our_engine_on_another_file_beats_another_engine_on_this_one() -> None:
    this = variant("a", bpw=3.0, published=(published(9.9, engine="ik_llama.cpp"),))
    near = variant("b", bpw=2.7, published=(published(8.0, slope=2e-5),))
    far = variant("c", bpw=4.0, published=(published(4.0),))
    iq = variant("d", bpw=3.0, kind="IQ", published=(published(1.0),))
    bare = variant("e", bpw=None, published=(published(2.0),))
    found = speeds.published(this, family(this, far, near, iq, bare), "pi5-16gb")
    assert found is not None
    assert found.tps == round(8.0 * 2.7 / 3.0, 2)
    assert found.said == "from 8 of 2.70 bits per weight, llama.cpp on pi5-16gb"
    # how far context slows it is the same for all files of a family
    assert found.slope == 2e-5
    lone = variant("f", bpw=3.1)
    other = speeds.published(lone, family(lone, this), "pi5-16gb")
    assert other is not None
    assert other.slope is None


def test_a_sibling_measured_here_tells_of_the_others() -> None:
    here = variant("a", bpw=2.7)
    far = variant("b", bpw=4.0)
    iq = variant("c", bpw=3.0, kind="IQ")
    bare = variant("d", bpw=None)
    one = variant("e", bpw=3.0)
    known = [(far, speed(5.0)), (here, speed(8.0, slope=2e-5)), (iq, speed(1.0)), (bare, speed(2))]
    found = speeds.scaled(one, known)
    assert found == Speed(
        tps=7.2,
        low=6.48,
        high=7.92,
        source="derived",
        said="from 8.00 of 2.70 bits per weight, measured here",
        slope=2e-5,
    )
    assert speeds.scaled(bare, known) is None
    assert speeds.scaled(one, [(here, speed(8.0, hot=True))]) is None
    assert speeds.scaled(one, []) is None


def test_a_hot_measurement_is_trusted_only_where_it_helps() -> None:
    slow, fast = speed(6.0, hot=True), speed(8.5, hot=True)
    told = speed(8.2, source="predicted")
    assert speeds.best([slow, told], 8.0) is told
    assert speeds.best([fast, told], 8.0) is fast
    assert speeds.best([slow], 8.0) is slow
    assert speeds.best([], 8.0) is None
    assert speeds.best([speed(6.0), told], 8.0) == speed(6.0)


def test_depths() -> None:
    one = speed(8.03, slope=1.12e-5, context=100)
    assert one.at(50) == pytest.approx(8.03)
    assert one.depth_of(8.0) == 141
    assert one.depth_of(9.0) == 0
    assert one.depth_of(0.0) is None
    assert speed(8.0, slope=1e-300).depth_of(7.0) is None
    assert speed(8.0, slope=0.0).depth_of(7.0) is None


@given(st.floats(0.1, 100), st.floats(0, 1e-3), st.integers(0, 10**6), st.floats(0.1, 100))
def test_a_speed_falls_with_depth(tps: float, slope: float, depth: int, wanted: float) -> None:
    one = speed(tps, slope=slope)
    there = one.at(depth)
    assert there is not None
    assert there <= tps * 1.000001
    edge = one.depth_of(wanted)
    if edge is not None and wanted < tps:
        held = one.at(edge)
        assert held is not None
        assert held >= wanted * 0.999999
