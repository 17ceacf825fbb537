"""Recorded boards with published figures alone: what is chosen, and what is said of the rest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.models import fit
from edged.models.choose import choose
from edged.models.device import probe, recorded
from edged.models.gather import gather
from edged.models.inventory import read_catalogue
from edged.models.reasons import Terms
from edged.models.speeds import board_kind
from edged.models.variants import Published
from tests.models.boards import BOARDS, board

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.candidates import Choice, Verdict
    from edged.models.facts import DeviceFacts
    from edged.models.variants import Catalogue

BIG = "Qwen3-30B-A3B-Instruct-2507-"
GIB = 1 << 30


def replay(facts: DeviceFacts, target: float = 8, catalogue: Catalogue | None = None) -> Choice:
    setup = fit.Setup(features=facts.cpu_features)
    terms = Terms(fit.budget(facts), target, board_kind(facts), setup.context)
    return choose(gather(catalogue or read_catalogue(None), setup, prefix_mib=256), terms)


def said(choice: Choice, name: str) -> Verdict:
    found = choice.verdict(name)
    assert found is not None, name
    return found


def test_a_pi_5_of_16_gb_takes_2_70_bits() -> None:
    choice = replay(board("pi5-16gb"))
    assert (choice.status, choice.chosen) == ("ok", f"{BIG}Q3_K_S-2.70bpw")
    chosen = said(choice, choice.chosen or "")
    assert chosen.candidate.variant.quality is not None
    assert chosen.candidate.variant.quality.percent == 94.18
    assert chosen.reason == (
        "8.03 tok/s (published) meets 8, and no better file of its family does"
    )
    smaller = said(choice, f"{BIG}Q3_K_S-2.66bpw")
    assert (smaller.rule, smaller.reason) == (
        "quality",
        f"lower quality than {choice.chosen}, inferred from 2.66 bits per weight against 2.70",
    )
    assert smaller.speed is not None
    assert smaller.speed.tps == 8.15
    larger = said(choice, f"{BIG}Q3_K_S-3.25bpw")
    assert (larger.rule, larger.reason) == ("slow", "6.67 tok/s (derived), and 8 are wanted")
    iq = [each for each in choice.verdicts if each.candidate.variant.kind == "IQ"]
    assert iq
    assert all(each.rule == "kind" and "made for GPUs" in each.reason for each in iq)
    for bits in ("3.61", "3.92"):
        assert said(choice, f"{BIG}Q4_K_S-{bits}bpw").rule in {"slow", "memory"}
    assert said(choice, "Llama-3.2-1B-Instruct-Q4_K_M").rule == "order"
    assert choice.ladder[0] == f"{BIG}Q3_K_S-2.66bpw"


def test_derived_speeds_agree_with_the_bandwidth_of_the_board() -> None:
    # 8.9 GB/s for the 3.3e9 weights that work on a token, and 5 to 6 published for the last two
    choice = replay(board("pi5-16gb"))
    for name, tps in (("Q3_K_S-3.18", 6.8), ("Q3_K_S-3.25", 6.6), ("Q4_K_S-3.61", 6.0)):
        speed = said(choice, f"{BIG}{name}bpw").speed
        assert speed is not None
        assert speed.source == "derived"
        assert speed.tps == pytest.approx(tps, abs=0.1)
        assert speed.low < tps < speed.high
    last = said(choice, f"{BIG}Q4_K_S-3.92bpw").speed
    assert last is not None
    assert 5 <= last.tps <= 6


def test_a_lower_target_buys_quality() -> None:
    choice = replay(board("pi5-16gb"), target=6)
    chosen = said(choice, choice.chosen or "")
    assert chosen.candidate.family.id == "qwen3-30b-a3b-instruct-2507"
    assert (chosen.candidate.variant.bpw or 0) > 3.2
    assert chosen.inferred or chosen.candidate.variant.quality
    assert said(choice, f"{BIG}Q3_K_S-2.70bpw").rule == "quality"


def test_a_pi_5_of_8_gb_takes_a_file_of_another_family() -> None:
    choice = replay(board("pi5-8gb"))
    for verdict in choice.verdicts:
        if "30B" in verdict.candidate.variant.file and verdict.candidate.variant.kind == "KQ":
            assert verdict.rule == "memory"
            need = verdict.candidate.need
            assert need is not None
            assert f"needs {need.total / GIB:.1f} GiB" in verdict.reason
            assert f"leaves {choice.budget.have / GIB:.1f} GiB" in verdict.reason
    chosen = said(choice, choice.chosen or "")
    assert choice.status == "ok"
    assert chosen.candidate.family.id == "olmo-2-1b-instruct"
    assert chosen.reason.startswith("9.84 tok/s (derived) meets 8")
    # the dense 4B, which comes before, misses the target with llama.cpp
    four = said(choice, "Qwen3-4B-Instruct-2507-Q3_K_S-2.77bpw")
    assert (four.rule, four.speed is not None and 6 < four.speed.tps < 7.84) == ("slow", True)
    lower = replay(board("pi5-8gb"), target=7)
    assert lower.chosen == "Qwen3-4B-Instruct-2507-Q3_K_S-2.77bpw"


def test_a_pi_5_of_4_gb_takes_what_fits() -> None:
    choice = replay(board("pi5-4gb"))
    chosen = said(choice, choice.chosen or "")
    assert choice.status == "ok"
    assert chosen.candidate.need is not None
    assert chosen.candidate.need.total <= choice.budget.have < 4 * GIB


def test_a_limited_board_is_as_the_smaller_one(tmp_path: Path) -> None:
    tree = tmp_path / "board"
    shutil.copytree(BOARDS / "pi5-16gb", tree, symlinks=True)
    service = tree / "sys/fs/cgroup/system.slice/edged.service/memory.max"
    service.write_text(f"{8 * GIB}\n")
    limited = replay(probe(recorded(tree)))
    small = replay(board("pi5-8gb"))
    assert limited.budget.limit == "cgroup"
    assert limited.chosen == small.chosen
    rules = [
        [(each.candidate.variant.id, each.rule) for each in choice.verdicts]
        for choice in (limited, small)
    ]
    assert rules[0] == rules[1]
    assert "the control group's limit leaves" in said(limited, f"{BIG}Q3_K_S-2.70bpw").reason


def test_nothing_fits_and_the_pocket_model_serves() -> None:
    facts = msgspec.structs.replace(board("pi5-4gb"), available_bytes=300 << 20)
    setup = fit.Setup()
    catalogue = read_catalogue(None)
    pocket = catalogue.families[-1].variants[0]
    candidates = tuple(
        msgspec.structs.replace(each, on_disk=each.variant.id == pocket.id)
        for each in gather(catalogue, setup)
    )
    choice = choose(candidates, Terms(fit.budget(facts), 8, board_kind(facts)))
    assert (choice.status, choice.chosen, choice.serves) == ("none", None, "pocket")
    assert {each.rule for each in choice.verdicts} == {"memory", "kind", "fallback"}
    least = said(choice, "Llama-3.2-1B-Instruct-Q4_K_M")
    assert least.reason == "needs 1.2 GiB, and memory leaves 0.0 GiB after 0.2 GiB for the house"


def test_a_pi_4_has_no_published_speeds_so_the_lightest_is_tried() -> None:
    choice = replay(board("pi4-4gb"))
    assert choice.status == "degraded"
    chosen = said(choice, choice.chosen or "")
    assert chosen.candidate.variant.id == "Llama-3.2-1B-Instruct-Q4_K_M"
    assert chosen.reason == "it fits, and nobody knows how fast it is"


@pytest.mark.parametrize(("tps", "meets"), [(7.99, True), (7.84, True), (7.83, False)])
def test_a_rate_within_measurement_error_meets_the_target(tps: float, meets: bool) -> None:
    catalogue = read_catalogue(None)
    family = catalogue.families[0]
    only = msgspec.structs.replace(
        family.variants[1],
        published=(
            Published(board="pi5-16gb", engine="llama.cpp", tps=tps, error=0.03, source="here"),
        ),
    )
    one = msgspec.structs.replace(
        catalogue, families=(msgspec.structs.replace(family, variants=(only,)),)
    )
    choice = replay(board("pi5-16gb"), catalogue=one)
    assert choice.chosen == only.id
    assert choice.status == ("ok" if meets else "degraded")
