from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.amounts import Phase, amounts
from edged.models.solving import LEAST_SHARE, solve
from edged.models.trials import (
    DEEP_EXPERTS,
    FAR,
    HEADS,
    KINDS,
    ONCE,
    REFERENCE,
    ROUTER,
    SLIM,
    SLIM_WIDE,
    THIN,
    WIDE,
    Timing,
    Trial,
    plan,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = 2 << 20  # of a Pi 5
LIGHT = {ONCE, THIN, WIDE, HEADS, SLIM, SLIM_WIDE}  # models of next to no weights
SECONDS = st.floats(1e-10, 1e-9)
# token, block, number, head, experts, routed
CONSTANTS = {
    "decode": (1e-4, 5e-6, 5e-9, 1e-6, 2e-5, 3e-9),
    "prefill": (1e-6, 1e-6, 1e-9, 1e-7, 1e-6, 1e-9),
}


def cost(trial: Trial, byte: dict[str, float], phase: Phase) -> float:
    """A token's time as the sum says."""
    token, block, number, head, experts, routed = CONSTANTS[phase]
    shape, found = trial.shape, amounts(trial.shape, phase)
    total = token + block * found.blocks + number * found.numbers + head * found.heads
    total += found.dense * byte[shape.kind] + found.output * byte[REFERENCE]
    total += experts * found.chosen + routed * found.routed + found.router * byte[ROUTER]
    return total + found.experts * byte[shape.expert_kind]


def timed(trials: list[Trial], threads: int, byte: dict[str, float], slope: float) -> list[Timing]:
    out = []
    for trial in trials:
        shape = trial.shape
        numbers = shape.layers * shape.heads * 2 * shape.head
        for depth in sorted({0, trial.depth}):
            decode = cost(trial, byte, "decode") + slope * depth * numbers
            prefill = cost(trial, byte, "prefill")
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
    # there the reference type is rearranged as well
    trials = plan(("asimddp",), CACHE)
    byte = dict(zip((*KINDS, ROUTER), values, strict=True))
    found = solve(trials, timed(trials, 2, byte, slope))
    assert found.spread == 0
    (base,) = found.bases
    costs = (base.token, base.block, base.number, base.head, base.experts, base.routed)
    decode, prefill = CONSTANTS["decode"], CONSTANTS["prefill"]
    assert [each.decode for each in costs] == pytest.approx(decode, rel=1e-3)
    assert [each.prefill for each in costs] == pytest.approx(prefill, rel=1e-3)
    tried = {(each.name, each.repack): each for each in trials}
    for rate in found.rates:
        trial = tried[f"{rate.use} {rate.kind}", rate.repacked]
        assert rate.byte.decode == pytest.approx(discerned(trial, byte, "decode"), rel=1e-3), rate
        assert rate.byte.prefill == pytest.approx(discerned(trial, byte, "prefill"), rel=1e-3), rate
    assert all(each.number.decode == pytest.approx(slope, rel=1e-2) for each in found.slopes)


def discerned(trial: Trial, byte: dict[str, float], phase: Phase) -> float:
    """What a byte of its type costs, unless that is lost in the noise of all the rest."""
    found = amounts(trial.shape, phase)
    kind = trial.shape.expert_kind if found.experts else trial.shape.kind
    least = LEAST_SHARE * cost(trial, byte, phase) / (found.experts or found.dense)
    return max(byte[kind], least)


def test_experts_beyond_the_cache_make_all_experts_dearer() -> None:
    trials = plan(("avx2",), 480 << 20, memory_bytes=16 << 30)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    timings = [
        msgspec.structs.replace(
            each,
            decode=tuple(
                time + 3e-11 * amounts(trial.shape, "decode").experts for time in each.decode
            ),
        )
        if trial.name.startswith(FAR)
        else each
        for trial in trials
        for each in timed([trial], 1, byte, 0)
    ]
    found = solve(trials, timings)
    assert not any(rate.use == FAR for rate in found.rates)
    for rate in found.rates:
        decode = 1.3e-10 if rate.use == "experts" else 1e-10
        assert rate.byte.decode == pytest.approx(decode, rel=1e-3), rate
        assert rate.byte.prefill == pytest.approx(1e-10, rel=1e-3), rate


def dearer(trials: list[Trial], more: Callable[[Trial], float]) -> list[Timing]:
    """As the sum says, and so much more for a decoded token."""
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    return [
        msgspec.structs.replace(each, decode=tuple(time + more(trial) for time in each.decode))
        for trial in trials
        for each in timed([trial], 1, byte, 0)
    ]


def test_blocks_in_no_cache_are_dearer_than_those_of_next_to_no_weights() -> None:
    trials = plan((), CACHE, memory_bytes=16 << 30)
    _, block, _, _, experts, _ = CONSTANTS["decode"]
    found = solve(
        trials,
        dearer(trials, lambda each: 0.0 if each.name in LIGHT else 3e-5 * each.shape.layers),
    )
    (base,) = found.bases
    assert base.block.decode == pytest.approx(block + 3e-5, rel=1e-2)
    # Two cold blocks are in what tells of experts, and little of them is taken for those.
    assert base.experts.decode == pytest.approx(experts, abs=6e-6)
    assert base.block.prefill == pytest.approx(CONSTANTS["prefill"][1], rel=1e-3)
    assert all(rate.byte.decode == pytest.approx(1e-10, rel=2e-2) for rate in found.rates)


def test_experts_whose_matrices_are_in_no_cache_are_dearer() -> None:
    trials = plan((), CACHE, memory_bytes=16 << 30)
    found = solve(
        trials,
        dearer(trials, lambda each: 4e-5 * each.shape.layers * (each.name == DEEP_EXPERTS)),
    )
    (base,) = found.bases
    assert base.experts.decode == pytest.approx(CONSTANTS["decode"][4] + 4e-5, rel=1e-3)


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


def test_of_all_rounds_the_quickest_repetition_counts() -> None:
    trials = plan((), CACHE)
    byte = dict.fromkeys((*KINDS, ROUTER), 1e-10)
    quick = timed(trials, 1, byte, 0)
    slow = [
        msgspec.structs.replace(
            each,
            decode=tuple(2 * time for time in each.decode),
            prefill=tuple(3 * time for time in each.prefill),
        )
        for each in quick
    ]
    assert solve(trials, [*slow, *quick]).rates == solve(trials, quick).rates
    assert solve(trials, [*quick, *slow]).rates == solve(trials, quick).rates
