"""The whole model's bench: its sums, and every step of it on a model that fits a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import persona, synthetic
from bench.footprint import Footprint, footprint, larger
from bench.full_verdict import Found, Persona, Round, judge
from bench.mixes import MIXES
from bench.report import MET, MISSED, Figure
from bench.roofline import bytes_per_token, read_gb_per_s
from bench.shapes import SHAPES, plan
from edged.engine.frames import Load

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """Name:\tpython
Pid:\t7
VmHWM:\t    3000 kB
RssAnon:\t    1000 kB
RssFile:\t     500 kB
RssShmem:\t      20 kB
voluntary_ctxt_switches:\t1
"""


def one_round(tg: float = 10, pp: float = 100) -> Round:
    return Round(tg=tg, pp=pp, tg_bench=10, pp_bench=100, load_s=3)


def one_persona(restore_ms: float = 50, disk_ms: float = 420) -> Persona:
    return Persona(
        kv_type="q8_0",
        tokens=1015,
        state_bytes=52_000_000,
        save_s=0.1,
        restore_ms=restore_ms,
        cold_ms=60_000,
        memory_ms=(390, 400, 410),
        disk_ms=(disk_ms,),
    )


def figures(*rounds: Round, kept: Persona | None = None) -> dict[str, Figure]:
    found = Found(
        rounds=rounds or (one_round(),),
        personas=(kept or one_persona(),),
        peak=Footprint(anonymous=1, file=2, peak=3),
        bandwidth=24,
        token_bytes=1_200_000_000,
    )
    return {figure.name: figure for figure in judge(found, {}).figures}


def test_rates_are_compared_round_by_round() -> None:
    found = figures(one_round(tg=9), one_round(tg=9.9), one_round(tg=11, pp=90))
    assert found["decode, edged / llama-bench, median"].value == 0.99
    assert found["decode, edged / llama-bench, median"].verdict == MET
    assert found["prefill, edged / llama-bench, median"].verdict == MET
    assert figures(one_round(pp=97))["prefill, edged / llama-bench, median"].verdict == MISSED


def test_the_roofline_is_bandwidth_over_bytes() -> None:
    found = figures(one_round(tg=15))
    assert found["roofline of decode"].value == 20
    assert found["decode / roofline"].value == 0.75


def test_the_disk_may_cost_little_more_than_memory() -> None:
    name = "persona of 1,015 tokens, q8_0: disk beyond memory"
    assert figures()[name].value == 70
    assert figures()[name].verdict == MET
    assert figures(kept=one_persona(restore_ms=200))[name].verdict == MISSED


def test_a_token_reads_only_the_experts_it_uses() -> None:
    shape, mix = SHAPES["30b-a3b"], MIXES["2.70"]
    whole = sum(tensor.size for tensor in plan(shape, mix))
    assert 0.10 < bytes_per_token(shape, mix) / whole < 0.15
    dense = SHAPES["tiny-dense"]
    read = bytes_per_token(dense, mix)
    embedding = plan(dense, mix)[0].size
    everything = sum(tensor.size for tensor in plan(dense, mix))
    assert read == everything - embedding + embedding // dense.vocabulary


def test_memory_is_read_at_some_rate() -> None:
    assert read_gb_per_s(2, array_bytes=1 << 20) > 0.01


def test_a_footprint_is_what_the_kernel_counts(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text(STATUS)
    found = footprint(7, tmp_path)
    assert found == Footprint(anonymous=1000 * 1024, file=520 * 1024, peak=3000 * 1024)
    other = Footprint(anonymous=1, file=10**9, peak=2)
    assert larger(found, other) == Footprint(anonymous=found.anonymous, file=10**9, peak=found.peak)


@pytest.mark.parametrize("kv_type", ["f16", "q8_0"])
def test_a_persona_goes_to_the_disk_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kv_type: str
) -> None:
    path = tmp_path / "m.gguf"
    synthetic.write(path, SHAPES["tiny-spoken"], MIXES["2.70"])
    monkeypatch.setattr(persona, "QUESTIONS", 2)
    load = Load(path=str(path), threads=1, threads_batch=1, kv_type=kv_type)  # type: ignore[arg-type]
    kept, peak = persona.measure(load, tmp_path)
    assert kept.kv_type == kv_type
    assert 1000 <= kept.tokens < 1030
    assert len(kept.memory_ms) == len(kept.disk_ms) == 2
    # 2 layers, keys and values, 2 heads of 64: 1 KiB of f16 a token, or 17/32 of it.
    expected = kept.tokens * (1024 if kv_type == "f16" else 544)
    assert kept.state_bytes == pytest.approx(expected, rel=0.1)
    assert max(kept.disk_ms) < kept.cold_ms
    assert peak.peak > 0
