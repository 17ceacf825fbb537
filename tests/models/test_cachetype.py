from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from msgspec.structs import replace

from edged.models.cachetype import STAYS, UNTIMED, CacheType, Open, kinds, of_geometry, settle
from edged.models.figures import NO_FLASH
from edged.models.fit import GIB
from tests.models.test_headerfacts import Q8_0, header
from tests.models.values import depths, measurement

if TYPE_CHECKING:
    from edged.models.figures import KvType, Measurement

BOTH: tuple[KvType, ...] = ("f16", "q8_0")
ALL: tuple[KvType, ...] = (*BOTH, NO_FLASH)
LEFT = Open(kinds=BOTH, have=8 * GIB)
NEEDS = {"f16": 7 * GIB, "q8_0": 6 * GIB, NO_FLASH: 7 * GIB + 1}


def timed(kind: KvType, deep: float) -> Measurement:
    return measurement(14.0, kv_type=kind, depths=depths((0, 14.0), (2048, deep)))


def settled(left: Open = LEFT, *known: Measurement, name: str = "v") -> CacheType:
    return settle(name, left, NEEDS.__getitem__, known)


@pytest.mark.parametrize(
    ("wanted", "flash_attention", "open_kinds"),
    [
        ("auto", "auto", ALL),
        ("auto", "on", BOTH),
        ("auto", "off", (NO_FLASH,)),
        ("f16", "auto", ("f16", NO_FLASH)),
        ("f16", "on", ("f16",)),
        ("q8_0", "auto", ("q8_0",)),
    ],
)
def test_what_an_owner_leaves_open(
    wanted: Literal["auto", "f16", "q8_0"],
    flash_attention: Literal["auto", "on", "off"],
    open_kinds: tuple[KvType, ...],
) -> None:
    assert kinds(wanted, flash_attention) == open_kinds


def test_a_model_without_whole_blocks_or_without_attention_has_no_choice() -> None:
    geometry = header((Q8_0, 4))[0].geometry
    whole = replace(geometry, head_counts_kv=(2, 0), key_length=64, value_length=128)
    assert of_geometry(BOTH, whole) == BOTH
    assert of_geometry(BOTH, replace(whole, key_length=80)) == ("f16",)
    assert of_geometry(BOTH, replace(whole, value_length=80)) == ("f16",)
    assert of_geometry(BOTH, replace(whole, head_counts_kv=(0, 0))) == ("f16",)
    assert of_geometry(("q8_0",), replace(whole, key_length=80)) == ("q8_0",), "the owner's word"
    assert of_geometry(ALL, replace(whole, key_length=80)) == ("f16", NO_FLASH)
    assert of_geometry(ALL, replace(whole, head_counts_kv=(0, 0))) == ("f16",)


def test_what_an_owner_decided_is_taken_whatever_is_known() -> None:
    for kind in BOTH:
        left = replace(LEFT, kinds=(kind,), have=0)
        assert settled(left, timed("f16", 9.0), timed("q8_0", 13.0)) == CacheType(
            kind=kind, kinds=(kind,)
        )


def test_f16_is_taken_until_q8_0_was_faster() -> None:
    assert settled() == CacheType(kinds=BOTH)
    assert settled(LEFT, timed("f16", 12.1)) == CacheType(kinds=BOTH, why=UNTIMED)
    assert settled(LEFT, timed("q8_0", 13.0)) == CacheType(kinds=BOTH, why=UNTIMED)
    faster = settled(LEFT, timed("f16", 12.1), timed("q8_0", 13.0))
    assert (faster.kind, faster.kinds, faster.no_room) == ("q8_0", BOTH, ())
    assert faster.why == "kv q8_0: 13.0 tok/s at 2,048 tokens beside 12.1 with f16"
    even = settled(LEFT, timed("f16", 12.6), timed("q8_0", 13.0))
    assert even.kind == "f16", "a second measurement differs by as much"
    assert even.why == "kv f16: 12.6 tok/s at 2,048 tokens beside 13.0 with q8_0"


def test_flash_attention_is_done_without_where_that_was_faster() -> None:
    left = replace(LEFT, kinds=ALL)
    assert settled(left, timed("f16", 12.1)) == CacheType(kinds=ALL, why=UNTIMED)
    known = (timed("f16", 12.1), timed("q8_0", 11.0), timed(NO_FLASH, 13.0))
    faster = settled(left, *known)
    assert (faster.kind, faster.kinds, faster.no_room) == (NO_FLASH, ALL, ())
    assert faster.why == "kv f16-nofa: 13.0 tok/s at 2,048 tokens beside 12.1 with f16"
    assert settled(left, timed("f16", 12.1), timed(NO_FLASH, 12.2)).kind == "f16"
    both = settled(left, *known[:1], timed("q8_0", 14.0), known[2])
    assert both.kind == "q8_0", "the faster of two that are worth it"


def test_scores_of_attention_take_memory_that_may_not_be_there() -> None:
    left = replace(LEFT, kinds=ALL, have=7 * GIB)
    known = (timed("f16", 12.1), timed(NO_FLASH, 13.0))
    assert settled(left, *known) == CacheType(kinds=BOTH, no_room=(NO_FLASH,), why=UNTIMED)
    again = replace(left, have=8 * GIB, no_room={("v", NO_FLASH)})
    assert settled(again, *known).kind == "f16", "memory that comes back changes nothing"
    assert settled(again, *known, name="w").kind == NO_FLASH
    alone = settled(replace(left, kinds=("f16", NO_FLASH), have=0), *known)
    assert alone == CacheType(kinds=("f16",), no_room=(NO_FLASH,)), "q8_0 is not the owner's wish"


def test_q8_0_is_taken_where_f16_has_no_room() -> None:
    short = replace(LEFT, have=7 * GIB - 1)
    for known in ((), (timed("f16", 13.0), timed("q8_0", 9.0))):
        assert settled(short, *known) == CacheType(
            kind="q8_0",
            kinds=("q8_0",),
            no_room=("f16",),
            why="kv q8_0: with f16 it would need 7.0 GiB",
        )
    assert settled(replace(LEFT, have=7 * GIB)).kind == "f16"
    # What has no room at all needs as much as the smaller one, and nothing is decided.
    assert settled(replace(LEFT, have=6 * GIB - 1)) == CacheType(kind="q8_0", kinds=("q8_0",))


def test_memory_that_comes_back_changes_no_type() -> None:
    left = replace(LEFT, no_room={("v", "f16")})
    assert settled(left) == CacheType(kind="q8_0", kinds=("q8_0",), no_room=("f16",), why=STAYS)
    assert settled(left, name="w").kind == "f16"
