from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.calibration import Base, Calibration, Cost, Rate, Slope
from edged.models.figures import NO_FLASH
from edged.models.fit import Setup
from edged.models.predict import BAND, BATCH, MOST_BAND, attended, parts, predict
from tests.models.test_need import DENSE, EXPERTS, with_geometry

ZERO = Cost(0.0, 0.0)
GB_S = Cost(1e-9, 1e-10)
NOTHING = Base(threads=1, token=ZERO, block=ZERO, number=ZERO, head=ZERO, experts=ZERO, routed=ZERO)


def known(*, kinds: tuple[str, ...] = ("q4_K", "q5_K", "f32"), **changes: Any) -> Calibration:
    rates = tuple(
        Rate(kind=kind, use=use, repacked=False, threads=1, byte=GB_S)
        for kind in kinds
        for use in ("dense", "experts")
    )
    base: dict[str, Any] = {"board": "b", "rates": rates, "bases": (NOTHING,)}
    return Calibration(**{**base, **changes})


SETUP = Setup(repack=False, threads=4)


def passed(header: Any, *, last: bool = True) -> float:
    return sum(part.nbytes for part in parts(header, SETUP) if last or not part.last)


def test_decode_passes_each_matrix_once_and_one_row_of_the_embedding() -> None:
    found = predict(DENSE, known(), SETUP)
    matrices = sum(
        tensor.nbytes
        for tensor in DENSE.tensors
        if len(tensor.dims) > 1 and tensor.name != "token_embd.weight"
    )
    assert passed(DENSE) == matrices
    assert found.tps == pytest.approx(1e9 / matrices)
    assert (found.low, found.high) == pytest.approx(
        (found.tps * (1 - BAND), found.tps * (1 + BAND))
    )


def test_only_the_experts_that_are_used_count() -> None:
    experts = sum(part.nbytes for part in parts(EXPERTS, SETUP) if part.use == "experts")
    whole = sum(tensor.nbytes for tensor in EXPERTS.tensors if "_exps" in tensor.name)
    assert experts == whole * 2 / 8


def test_the_output_is_for_the_last_token_of_a_prompt() -> None:
    found = predict(DENSE, known(), SETUP)
    output = passed(DENSE) - passed(DENSE, last=False)
    assert output > 0
    expected = passed(DENSE, last=False) * 1e-10 + output * 1e-9 / BATCH
    assert found.pp == pytest.approx(1 / expected)


def test_an_embedding_that_serves_as_output_is_passed() -> None:
    tied = msgspec.structs.replace(
        DENSE, tensors=tuple(each for each in DENSE.tensors if each.name != "output.weight")
    )
    assert passed(tied) == passed(DENSE)
    again = Setup(features=("avx2",))
    assert any(part.last and part.repacked for part in parts(tied, again))
    assert not any(part.last and part.repacked for part in parts(tied, SETUP))


def test_each_block_and_its_experts_cost_something_besides() -> None:
    changes = {"token": Cost(1.0, 0), "block": Cost(0.1, 0), "experts": Cost(0.01, 0)}
    base = msgspec.structs.replace(NOTHING, **changes)
    slow = known(bases=(base,))
    assert 1 / predict(DENSE, slow, SETUP).tps == pytest.approx(1.2, rel=0.01)
    assert 1 / predict(EXPERTS, slow, SETUP).tps == pytest.approx(1.22, rel=0.01)


def test_the_fastest_number_of_threads_is_taken_for_each() -> None:
    rates = tuple(
        Rate(kind="q4_K", use="dense", repacked=False, threads=n, byte=Cost(decode, prefill))
        for n, decode, prefill in ((2, 2e-9, 4e-10), (3, 1e-9, 3e-10), (4, 3e-9, 1e-10))
    )
    bases = tuple(msgspec.structs.replace(NOTHING, threads=n) for n in (2, 3, 4))
    found = predict(DENSE, known(rates=rates, bases=bases), SETUP)
    assert (found.threads, found.threads_batch) == (3, 4)
    few = predict(DENSE, known(rates=rates, bases=bases), Setup(threads=2, repack=False))
    assert (few.threads, few.threads_batch) == (2, 2)
    fewer = predict(DENSE, known(rates=rates, bases=bases), Setup(threads=1, repack=False))
    assert fewer.threads == 2


def test_depth_costs_by_heads_and_only_where_there_is_attention() -> None:
    assert attended(DENSE) == 2 * 4 * 128
    assert attended(with_geometry(DENSE, head_counts_kv=(0, 2))) == 4 * 128
    slope = Slope(kv_type="f16", threads=1, number=Cost(1e-9, 1e-10))
    found = predict(DENSE, known(slopes=(slope,)), SETUP)
    assert found.slope == pytest.approx(1e-9 * 1024)
    assert found.pp is not None
    assert found.pp < (predict(DENSE, known(), SETUP).pp or 0)
    without = Slope(kv_type=NO_FLASH, threads=1, number=Cost(5e-10, 1e-10))
    plain = msgspec.structs.replace(SETUP, flash_attention=False)
    assert predict(DENSE, known(slopes=(slope, without)), plain).slope < found.slope


def test_the_band_is_wider_where_less_is_known() -> None:
    def width(calibration: Calibration, header: Any = DENSE) -> float:
        found = predict(header, calibration, SETUP)
        return (found.high - found.low) / (2 * found.tps)

    sure = width(known())
    assert sure == pytest.approx(BAND)
    assert width(known(spread=0.05)) == pytest.approx(BAND + 0.05)
    assert width(known(kinds=("q2_K",))) > 2 * sure
    assert width(known(), with_geometry(DENSE, state_width=10)) > sure
    assert width(known(spread=1.0)) == pytest.approx(MOST_BAND)


def test_without_any_rate_nothing_is_sure() -> None:
    found = predict(DENSE, known(rates=()), SETUP)
    assert found.high > 1.4 * found.tps


@given(st.floats(1e-12, 1e-6), st.floats(0, 1))
def test_a_speed_is_a_number_within_its_band(byte: float, spread: float) -> None:
    rates = (Rate(kind="q4_K", use="dense", repacked=False, threads=1, byte=Cost(byte, byte)),)
    found = predict(EXPERTS, known(rates=rates, spread=spread), SETUP)
    assert 0 < found.low <= found.tps <= found.high < float("inf")
    assert found.pp is not None
    assert 0 < found.pp < float("inf")
