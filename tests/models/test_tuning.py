"""Settings: which are tried, which wins, what repetitions tell."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models import tuning
from edged.models.figures import Depth, Try
from edged.models.tuning import Plan, Sense, Setting, Tuned

SPEEDS = st.floats(0.01, 1e6)


@pytest.mark.parametrize(
    ("cores", "counts"),
    [
        (0, (1,)),
        (1, (1,)),
        (2, (2, 1)),
        (4, (4, 3, 2, 1)),
        (8, (8, 7, 6, 5, 4, 3, 2, 1)),
        (12, (12, 8, 4, 2, 1)),
        (64, (64, 32, 16, 8, 4, 2, 1)),
    ],
)
def test_the_most_threads_come_first(cores: int, counts: tuple[int, ...]) -> None:
    assert tuning.thread_counts(cores) == counts


def order(speeds: dict[int, float]) -> list[int]:
    """The numbers of threads that are tried on a board with these speeds."""
    counts, known, tried = tuning.thread_counts(max(speeds)), dict[int, float](), list[int]()
    while (count := tuning.next_threads(counts, known)) is not None:
        known[count] = speeds[count]
        tried.append(count)
    return tried


@pytest.mark.parametrize(
    ("speeds", "tried"),
    [
        ({1: 2.0, 2: 4.0, 3: 6.0, 4: 8.0}, [4, 3]),
        ({1: 2.0, 2: 4.0, 3: 7.9, 4: 8.0}, [4, 3, 2]),
        # one core is taken by a neighbour
        ({1: 4.0, 2: 7.0, 3: 9.0, 4: 2.0}, [4, 3, 2]),
        ({1: 9.0, 2: 1.0}, [2, 1]),
        ({1: 1.0}, [1]),
    ],
)
def test_what_cannot_be_best_is_not_tried(speeds: dict[int, float], tried: list[int]) -> None:
    assert order(speeds) == tried


@given(st.lists(SPEEDS, min_size=1, max_size=8), st.integers(0, 7))
def test_of_one_peak_the_best_is_found(heights: list[float], peak: int) -> None:
    rising = sorted(heights[: peak + 1])
    falling = sorted(heights[peak + 1 :], reverse=True)
    if rising and falling and falling[0] > rising[-1]:
        rising, falling = [*rising, falling[0]], falling[1:]
    speeds = dict(enumerate([*rising, *falling], 1))
    tried = order(speeds)
    assert tried[0] == max(speeds)
    assert all(a > b for a, b in pairwise(tried))
    best = max(speeds.values())
    found = max(speeds[count] for count in tried)
    # left of the peak only what is slower remains; right of it a step down of a fifth ends the try
    assert found == best or any(
        speeds[count] < tuning.GIVE_UP * max(speeds[other] for other in tried if other >= count)
        for count in tried
    )


def test_of_equals_the_fewest_threads() -> None:
    assert tuning.best_threads({4: 8.0, 3: 7.9, 2: 6.0}) == 3
    assert tuning.best_threads({4: 8.0, 3: 7.8}) == 4
    assert tuning.best_threads({1: 1.0}) == 1


def load(decode: float, prefill: float, *, repack: bool = False) -> Tuned:
    return Tuned(Setting(repack), {4: decode, 3: decode / 2}, {4: prefill})


@pytest.mark.parametrize(
    ("off", "on", "repacked"),
    [
        ((8.0, 20.0), (9.0, 10.0), True),  # people wait for decode
        ((9.0, 10.0), (8.0, 20.0), False),
        ((8.0, 10.0), (8.1, 20.0), True),
        ((8.1, 20.0), (8.0, 20.1), False),  # equal: no memory of its own
        ((8.0, 20.0), (8.1, 10.0), False),
    ],
)
def test_decode_decides_then_prefill_then_memory(
    off: tuple[float, float], on: tuple[float, float], repacked: bool
) -> None:
    tried = [load(*off), load(*on, repack=True)]
    assert tuning.best_setting(tried).setting.repack is repacked
    assert tuning.best_setting(tried[::-1]).setting.repack is repacked


def test_types_of_cache_are_compared_behind_many_tokens() -> None:
    tried = [
        Tuned(setting, {2: empty, 1: 1.0}, {2: 20.0}, Depth(2048, deep))
        for setting, empty, deep in (
            (Setting(repack=False), 9.0, 4.0),
            (Setting(repack=False, kv_type="q8_0"), 8.0, 5.0),
        )
    ]
    assert tuning.best_setting(tried).setting.kv_type == "q8_0"
    assert tuning.tries(tried)[-1] == Try(
        repack=False, kv_type="q8_0", kind="tg", threads=2, tps=5.0, depth=2048
    )


def test_repetitions() -> None:
    assert tuning.rate(128, [16_000.0]) == (8.0, 0.0)
    rate = tuning.rate(100, [1000.0, 500.0, 2000.0])
    assert rate.tps == 100.0
    # speeds 100, 200 and 50: deviation 76.4, over the root of three
    assert rate.error == pytest.approx(44.1, abs=0.05)
    assert tuning.rate(1, [0.0]).tps == 1e6


@given(st.integers(1, 4096), st.lists(st.floats(0, 1e9), min_size=1, max_size=64))
def test_a_rate_lies_within_its_repetitions(tokens: int, times: list[float]) -> None:
    rate = tuning.rate(tokens, times)
    speeds = [tokens / max(ms / 1e3, 1e-6) for ms in times]
    assert min(speeds) <= rate.tps <= max(speeds) * (1 + 1e-12)
    assert rate.error >= 0


def test_all_that_was_tried_is_told() -> None:
    assert tuning.tries([load(8.0, 20.0, repack=True)]) == (
        Try(repack=True, kv_type="f16", kind="tg", threads=3, tps=4.0),
        Try(repack=True, kv_type="f16", kind="tg", threads=4, tps=8.0),
        Try(repack=True, kv_type="f16", kind="pp", threads=4, tps=20.0),
    )


def test_depths_end_with_the_context() -> None:
    plan = Plan(depths=(512, 2048, 4096), depth_tg=32)
    assert tuning.depths_within(plan, 4128) == (512, 2048, 4096)
    assert tuning.depths_within(plan, 4127) == (512, 2048)
    assert tuning.depths_within(plan, 512) == ()
    assert tuning.curve(8.0, [(512, 7.5)]) == (Depth(0, 8.0), Depth(512, 7.5))
    assert tuning.curve(8.0, []) == (Depth(0, 8.0),)


def felt(*pairs: tuple[float | None, int | None]) -> list[Sense]:
    return [Sense(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("senses", "hot"),
    [
        ([], False),
        (felt((None, None)), False),
        (felt((50.0, 1_500_000), (70.0, 2_400_000), (75.0, 2_400_000)), False),
        (felt((79.0, None), (70.0, None)), True),
        (felt((50.0, None), (78.1, None)), True),
        (felt((50.0, None), (90.0, None), (77.0, None)), False),
        # the clock of an idle board says nothing
        (felt((50.0, 2_400_000), (60.0, 1_500_000), (60.0, 1_500_000)), False),
        (felt((50.0, 1_500_000), (60.0, 2_400_000), (70.0, 2_000_000)), True),
        (felt((None, 1_500_000), (None, 2_400_000), (None, 2_390_000)), False),
    ],
)
def test_hot_is_a_temperature_at_either_end_or_a_clock_that_fell(
    senses: list[Sense], hot: bool
) -> None:
    assert tuning.is_hot(senses) is hot


def test_one_odd_reading_is_no_fall() -> None:
    clock = [2_400_000] * 20
    clock[7] = clock[-1] = 1_500_000
    assert not tuning.is_hot([Sense(), *(Sense(None, khz) for khz in clock)])
    assert tuning.is_hot([Sense(), *(Sense(None, khz) for khz in [*clock[:14], *[1_500_000] * 6])])


def test_a_quick_plan_is_part_of_the_full_one() -> None:
    assert (tuning.QUICK.tg, tuning.QUICK.pp) == (tuning.FULL.tg, tuning.FULL.pp) == (128, 512)
    assert tuning.QUICK.repeat < tuning.FULL.repeat
