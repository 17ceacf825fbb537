from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.models.cachetype import CacheType
from edged.models.choose import choose
from edged.models.explain import MAX_REASON, rows, selection, sentences
from edged.models.fit import GIB, Budget
from tests.models.boards import board
from tests.models.test_replays import BIG, replay
from tests.models.values import (
    TERMS,
    candidate,
    depths,
    family,
    measurement,
    published,
    quality,
    variant,
)

if TYPE_CHECKING:
    from edged.models.candidates import Choice


def measured(tps: float, *pairs: tuple[int, float]) -> Choice:
    one = family(variant("a", quality=quality(94.18)))
    known = measurement(tps, depths=depths(*pairs))
    return choose([candidate(one, measurements=(known,), on_disk=True)], TERMS)


def test_a_choice_in_words() -> None:
    assert sentences(replay(board("pi5-16gb"))) == [
        (
            f"{BIG}Q3_K_S-2.70bpw, 94.18 % of the unquantised model: 8.03 tok/s (published) meets "
            "8, and no better file of its family does; it needs 10.4 GiB, and memory leaves "
            "14.1 GiB after 1.0 GiB for the house."
        ),
        (
            "It falls under 8 tok/s behind 41 tokens of context; behind 2048 tokens of context it "
            "is 6.8 tok/s."
        ),
        "No file that could serve is on this disk.",
    ]


def test_how_keys_and_values_are_kept() -> None:
    one = family(variant("a", quality=quality(94.18)))
    why = "kv f16: 12.6 tok/s at 2,048 tokens beside 13.0 with q8_0"
    known = candidate(one, measurements=(measurement(9.0),), cache=CacheType(why=why))
    choice = choose([known], TERMS)
    assert sentences(choice)[1] == f"{why}."
    (told,) = selection(choice)["candidates"]
    assert (told["kv_type"], told["kv"]) == ("f16", why)


def test_how_far_the_promise_goes() -> None:
    assert sentences(measured(8.5)) == sentences(measured(8.5, (0, 8.5)))
    assert len(sentences(measured(8.5))) == 1
    (_, below) = sentences(measured(7.9, (0, 7.9), (1000, 7.0)))
    assert below.startswith("That is at an empty context; behind 2048 tokens of context it is 6.3")
    (_, beyond) = sentences(measured(12.0, (0, 12.0), (1000, 11.5)))
    assert beyond == (
        "That holds at an empty context; behind 2048 tokens of context it is 11.0 tok/s."
    )
    (_, flat) = sentences(measured(12.0, (0, 12.0), (1000, 12.0)))
    assert flat.endswith("it is 12.0 tok/s.")


def test_what_serves_meanwhile() -> None:
    of = family(variant("a", bpw=2.0), variant("b", bpw=3.0))
    known = (measurement(9.0),)
    pair = [
        candidate(of, 0, measurements=known, on_disk=True),
        candidate(of, 1, measurements=known),
    ]
    assert sentences(choose(pair, TERMS))[-1] == "a serves until it is here."
    pocket = candidate(family(variant("p"), id="p", fallback=True), on_disk=True)
    alone = choose([pocket], TERMS)
    assert sentences(alone) == [
        "No variant can serve: none is of a kind, a size and a state that could.",
        "p serves.",
    ]
    nothing = choose([candidate(of, 0, gib=9.0), candidate(of, 1, need=None)], TERMS)
    assert sentences(nothing) == [
        (
            "No variant can serve: the smallest, a, needs 9.0 GiB, and memory leaves 8.0 GiB after "
            "1.0 GiB for the house."
        )
    ]


def test_degraded_is_said() -> None:
    (told,) = sentences(measured(5.0))
    assert told == (
        "a (degraded), 94.18 % of the unquantised model: 5.00 tok/s (measured): none meets 8, and "
        "this is the fastest that fits; it needs 1.0 GiB, and memory leaves 8.0 GiB after 1.0 GiB "
        "for the house."
    )
    plain = family(variant("a", published=(published(9.0),)))
    wide = TERMS._replace(budget=Budget(have=8 * GIB, limit="cap"))
    told = sentences(choose([candidate(plain, on_disk=True)], wide))[0]
    assert told.startswith("a: 9.00 tok/s (published) meets 8")
    assert told.endswith("and model.memory_mib leaves 8.0 GiB.")


def test_rows_are_short_and_complete() -> None:
    choice = replay(board("pi5-16gb"))
    shown = rows(choice)
    assert len(shown) == len(choice.verdicts)
    second = shown[1]
    assert second[:6] == (
        "qwen3-30b-a3b-instruct-2507",
        "Q3_K_S-2.70bpw",
        False,
        "10.4 GiB",
        "8.03 tok/s (published)",
        "94.18 %",
    )
    assert (second.rule, shown[0].quality, shown[-1].need) == ("chosen", "inferred", "-")
    assert [row.name for row in shown if row.family == "olmo-2-1b-instruct"] == [
        "OLMo-2-0425-1B-Instruct-Q4_K_M"
    ]
    names = family(variant("model"), variant("model-a"), variant("other"), id="x")
    odd = choose([candidate(names, index) for index in range(3)], TERMS)
    assert [row.name for row in rows(odd)] == ["model", "model-a", "other"]


def test_the_topic_holds_every_number() -> None:
    choice = replay(board("pi5-8gb"))
    text = msgspec.json.encode(selection(choice))
    assert len(text) < 64_000  # a broker with small packets must still take it
    view = msgspec.json.decode(text)
    assert (view["status"], view["target_tps"], view["context"]) == ("ok", 8.0, 2048)
    assert (view["have_bytes"], view["limit"]) == (choice.budget.have, "memory")
    assert view["reserve_bytes"] == choice.budget.reserve
    assert view["text"] == sentences(choice)
    assert view["sentence"] == sentences(choice)[0]
    assert len(view["candidates"]) == len(choice.verdicts)
    first = view["candidates"][1]
    assert (first["id"], first["rule"]) == (f"{BIG}Q3_K_S-2.70bpw", "memory")
    assert (first["quality"], first["quality_source"]) == (94.18, "byteshape.com")
    assert (first["need_from"], first["bytes_are"]) == ("catalogue", "rounded")
    assert first["need_bytes"] > view["have_bytes"]
    assert [(speed["source"], speed["tps"]) for speed in first["speeds"]] == [("derived", 8.03)]
    iq = next(each for each in view["candidates"] if each["kind"] == "IQ")
    assert (iq["tps"], iq["quality"], iq["inferred"]) == (None, None, True)


def test_a_long_reason_is_cut() -> None:
    bad = candidate(family(variant("a")), quarantined="x" * 999)
    choice = choose([bad], TERMS)
    assert len(rows(choice)[0].reason) == MAX_REASON
    assert len(selection(choice)["candidates"][0]["reason"]) == MAX_REASON
    unsized = choose([candidate(family(variant("a")), need=None)], TERMS)
    assert selection(unsized)["candidates"][0]["need_bytes"] is None
