from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.solving import solve
from edged.models.trials import (
    DEPTH,
    KINDS,
    REFERENCE,
    ROUTER,
    Timing,
    Trial,
    dense_bytes,
    expert_bytes,
    plan,
    router_bytes,
)

CACHE = 2 << 20  # of a Pi 5
SECONDS = st.floats(1e-11, 1e-9)


def cost(trial: Trial, byte: dict[str, float], constants: tuple[float, float, float]) -> float:
    """A token's time as the sum says."""
    token, block, experts = constants
    shape = trial.shape
    total = token + shape.layers * block + dense_bytes(shape) * byte[shape.kind]
    if shape.experts:
        total += shape.layers * experts + router_bytes(shape) * byte[ROUTER]
        total += expert_bytes(shape) * byte[shape.expert_kind]
    return total


def timed(trials: list[Trial], threads: int, byte: dict[str, float], slope: float) -> list[Timing]:
    out = []
    for trial in trials:
        shape = trial.shape
        numbers = shape.layers * shape.heads * 2 * shape.head
        for depth in sorted({0, trial.depth}):
            decode = cost(trial, byte, (1e-4, 5e-5, 8e-5)) + slope * depth * numbers
            prefill = cost(trial, byte, (1e-6, 1e-6, 1e-6)) / 10
            out.append(
                Timing(
                    trial=trial.name,
                    repack=trial.repack,
                    threads=threads,
                    depth=depth,
                    decode=(decode,) * 3,
                    prefill=(prefill,) if trial.read else (),
                )
            )
    return out


@given(st.lists(SECONDS, min_size=len(KINDS) + 1, max_size=len(KINDS) + 1), SECONDS)
def test_the_terms_of_a_sum_are_found_again(values: list[float], slope: float) -> None:
    trials = plan(("avx2",), CACHE)
    byte = dict(zip((*KINDS, ROUTER), values, strict=True))
    found = solve(trials, timed(trials, 2, byte, slope))
    assert found.spread == 0
    (base,) = found.bases
    assert base.token.decode == pytest.approx(1e-4, rel=1e-3, abs=1e-7)
    assert base.block.decode == pytest.approx(5e-5, rel=1e-3, abs=1e-7)
    assert base.experts.decode == pytest.approx(8e-5, rel=1e-2, abs=1e-6)
    for rate in found.rates:
        assert rate.byte.decode == pytest.approx(byte[rate.kind], rel=0.02), rate
    assert all(each.number.decode == pytest.approx(slope, rel=1e-2) for each in found.slopes)


def test_prefill_is_timed_with_the_most_threads_and_scales() -> None:
    trials = plan((), CACHE)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    timings = [*timed(trials, 1, byte, 0), *timed(trials, 4, byte, 0)]
    found = solve(trials, timings)
    one, four = ([rate for rate in found.rates if rate.threads == n] for n in (1, 4))
    assert len(one) == len(four) == 2 * len(KINDS) + 1
    for slow, fast in zip(one, four, strict=True):
        assert slow.byte.prefill == pytest.approx(4 * fast.byte.prefill)


def test_noise_never_makes_a_type_free() -> None:
    trials = plan((), CACHE)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    timings = [
        Timing(trial=each.trial, repack=False, threads=1, decode=(1e-9, 3e-9), prefill=(1e-9,))
        if each.trial == "dense q8_0"
        else each
        for each in timed(trials, 1, byte, 0)
    ]
    found = solve(trials, timings)
    assert all(rate.byte.decode > 0 < rate.byte.prefill for rate in found.rates)


def test_without_the_reference_nothing_is_told() -> None:
    trials = plan((), CACHE)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    timings = [each for each in timed(trials, 1, byte, 0) if REFERENCE not in each.trial]
    with pytest.raises(KeyError):
        solve(trials, timings)


def test_repetitions_of_no_time_have_no_scatter() -> None:
    trials = plan((), CACHE)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    timings = [
        Timing(trial=t.trial, repack=False, threads=1, depth=t.depth, decode=(0.0,), prefill=(1.0,))
        for t in timed(trials, 1, byte, 0)
    ]
    assert solve(trials, timings).spread == 0


def test_only_what_the_cpu_rearranges_is_tried_twice() -> None:
    def twice(*features: str) -> set[str]:
        return {trial.shape.expert_kind for trial in plan(features, CACHE) if trial.repack}

    assert twice() == {REFERENCE} - {REFERENCE}
    assert {"q4_0", "q4_K"} <= twice("avx2")
    assert "q6_K" in twice("asimddp")
    assert all(trial.depth in {0, DEPTH} for trial in plan((), CACHE))


def test_a_larger_cache_makes_larger_models() -> None:
    small, large = (
        next(trial.shape for trial in plan((), cache) if trial.name == f"experts {REFERENCE}")
        for cache in (2 << 20, 32 << 20)
    )
    assert small.experts < large.experts <= 128
    assert small.experts % small.used == 0
