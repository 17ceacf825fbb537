"""A choice as rows of the page, and what figures hold for."""

from __future__ import annotations

from msgspec.structs import replace

from edged.client import benchrows
from edged.models.choose import choose
from edged.models.facts import DeviceFacts
from edged.models.gguf import Header, read
from edged.models.tuning import FULL
from tests.models.rawgguf import build
from tests.models.values import (
    TERMS,
    candidate,
    depths,
    family,
    measurement,
    prediction,
    published,
    quality,
    variant,
)

FACTS = DeviceFacts(
    board="Raspberry Pi 5 Model B Rev 1.1",
    architecture="aarch64",
    cores=4,
    ram_bytes=16 << 30,
    available_bytes=15 << 30,
    kernel="6.12.47-rpi-2712",
    governor="ondemand",
    firmware="2025-08-20",
    cooler=True,
)


def header() -> Header:
    found = read(build(), 1 << 20)
    assert isinstance(found, Header)
    return found


def test_rows_tell_what_the_choice_knows() -> None:
    of = family(
        variant("best", quality=quality(94.0), published=(published(8.5),)),
        variant("slow", quality=quality(99.0), bpw=6.0, published=(published(4.0),)),
        variant("large", kind="IQ"),
        name="The family",
    )
    choice = choose(
        [
            candidate(of, 0, measurements=(measurement(8.1),), prediction=prediction(9.0)),
            candidate(of, 1, gib=7.0),
            candidate(of, 2, gib=9.0),
        ],
        TERMS,
    )
    best, slow, large = benchrows.rows_of(choice)
    assert (best.name, best.family, best.kind, best.quality) == ("best", "The family", "KQ", 94.0)
    assert (best.tps, best.source, best.measured, best.predicted) == (8.1, "measured", 8.1, 9.0)
    assert (best.chosen, slow.chosen, large.chosen) == (True, False, False)
    assert (slow.source, slow.measured, slow.predicted) == (
        choice.verdicts[1].speeds[0].source,
        None,
        None,
    )
    assert slow.tps is not None
    assert 3.5 < slow.tps < 4.5, "half of the one with half the bits"
    assert (best.fits, slow.fits, large.fits, large.quality) == (True, True, False, None)
    assert slow.need == 7 << 30
    assert all(row.reason for row in (best, slow, large))


def test_what_is_unknown_stays_unknown() -> None:
    (row,) = benchrows.rows_of(choose([candidate(family(variant("x")), need=None)], TERMS))
    assert (row.need, row.fits, row.tps, row.source) == (None, None, None, "")


def test_a_file_the_choice_does_not_know_has_a_row() -> None:
    row = benchrows.own_row("mine", "my model", measurement(5.0))
    assert (row.name, row.family, row.tps, row.measured) == ("mine", "my model", 5.0, 5.0)
    assert not row.chosen


def test_the_board_in_a_line() -> None:
    assert benchrows.board_words(FACTS) == (
        "Raspberry Pi 5 Model B Rev 1.1, 4 cores, 16.0 GiB of memory"
    )
    plain = replace(FACTS, board=None, cores=1)
    assert benchrows.board_words(plain).startswith("aarch64, 1 core,")
    assert benchrows.board_words(replace(plain, cpu="A CPU")).startswith("A CPU,")


def test_a_mix_is_told_by_bytes() -> None:
    # 204 bytes of q8_0 and 256 of f32, over 256 weights
    assert benchrows.mix_words(header()) == "14.38 bits per weight: f32 56%, q8_0 44%"


def test_conditions_say_all_that_figures_hold_for() -> None:
    found = measurement(
        8.0,
        depths=depths((0, 8.0), (4096, 6.5)),
        context=4288,
        began_c=48.0,
        temp_c=71.4,
        khz=2_400_000,
        build="0.3.36",
        pp_error=0.5,
    )
    told = dict(
        benchrows.conditions(found, FULL, header(), FACTS, load=0.25, when="2026-11-25 12:00 UTC")
    )
    assert told == {
        "decode": "tg128, median of 3, +- 0.05 tok/s",
        "prefill": "pp512, median of 3, +- 0.50 tok/s",
        "context depths": "0, 4096",
        "context": "4288 tokens, f16",
        "threads": "3 of decode, 4 of prefill",
        "repack": "on",
        "quantised": "14.38 bits per weight: f32 56%, q8_0 44%",
        "cooling": "with a fan",
        "temperature": "48 C at the start, 71 C at the end",
        "clock": "2400 MHz at the end",
        "governor": "ondemand",
        "load before": "0.25",
        "engine": "0.3.36",
        "kernel": "6.12.47-rpi-2712",
        "firmware": "2025-08-20",
        "measured": "2026-11-25 12:00 UTC",
    }


def test_conditions_that_nobody_knows_say_so() -> None:
    bare = DeviceFacts(architecture="x86_64", cores=2, ram_bytes=1 << 30, available_bytes=1)
    found = measurement(8.0, repack=False)
    told = dict(benchrows.conditions(found, FULL, header(), bare, load=0, when=""))
    unknown = ("cooling", "temperature", "clock", "governor", "engine", "kernel", "firmware")
    assert {told[name] for name in unknown} == {"unknown"}
    assert told["repack"] == "off"
    hot = replace(found, began_c=79.0, temp_c=82.0, hot=True)
    warm = dict(
        benchrows.conditions(hot, FULL, header(), replace(bare, cooler=False), load=0, when="")
    )
    assert warm["temperature"] == "79 C at the start, 82 C at the end, too hot to be trusted"
    assert warm["cooling"] == "without a fan"
