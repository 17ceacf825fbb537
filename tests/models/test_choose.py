from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from edged.models.choose import choose
from edged.models.fit import GIB, Budget
from tests.models.values import (
    TERMS,
    candidate,
    family,
    measurement,
    prediction,
    published,
    quality,
    variant,
)

if TYPE_CHECKING:
    from edged.models.candidates import Candidate, Choice, Rule
    from edged.models.variants import Variant

GB = 10**9


def rules(choice: Choice) -> list[Rule]:
    return [each.rule for each in choice.verdicts]


def ladder(*speeds: float | None) -> list[Candidate]:
    """Files of one family, ever larger, with these speeds measured."""
    files = [variant(str(index), bpw=2.0 + index) for index in range(len(speeds))]
    return [
        candidate(family(*files), index, measurements=() if tps is None else (measurement(tps),))
        for index, tps in enumerate(speeds)
    ]


def test_the_best_that_meets_the_target() -> None:
    choice = choose(ladder(12.0, 9.0, 8.0, 7.0, 5.0), TERMS)
    assert (choice.status, choice.chosen) == ("ok", "2")
    assert rules(choice) == ["quality", "quality", "chosen", "slow", "slow"]
    assert choice.ladder == ("1", "0")
    found = choice.verdict("3")
    assert found is not None
    assert found.reason == "7.00 tok/s (measured), and 8 are wanted"
    assert choice.verdict("9") is None


def test_known_quality_is_told_with_its_numbers() -> None:
    files = (
        variant("a", bpw=2.5, quality=quality(94.0)),
        variant("b", bpw=3.0, quality=quality(93.0)),
    )
    of = family(*files)
    both = [candidate(of, index, measurements=(measurement(9.0),)) for index in (0, 1)]
    choice = choose(both, TERMS)
    assert choice.chosen == "a"
    assert choice.verdicts[1].reason == "93 % is under the 94 % of a"
    assert not choice.verdicts[1].inferred


def test_the_first_family_that_has_one_is_taken() -> None:
    slow = family(variant("s", family="one", published=(published(3.0),)), id="one")
    fast = family(variant("m", family="two", published=(published(9.0),)), id="two")
    last = family(variant("l", family="three", published=(published(50.0),)), id="three")
    choice = choose([candidate(slow), candidate(fast), candidate(last)], TERMS)
    assert (choice.chosen, rules(choice)) == ("m", ["slow", "chosen", "order"])
    assert choice.verdicts[2].reason == "m is of a family that comes before"
    assert choice.ladder == ("l",)


def test_none_meets_it_so_the_fastest_that_fits() -> None:
    lone = candidate(family(variant("x", family="g"), id="g"))
    choice = choose([*ladder(7.0, 6.0), lone], TERMS)
    assert (choice.status, choice.chosen) == ("degraded", "0")
    assert rules(choice) == ["chosen", "slow", "unknown"]
    assert choice.verdicts[0].reason == (
        "7.00 tok/s (measured): none meets 8, and this is the fastest that fits"
    )
    assert choice.verdicts[2].reason == "nobody knows its speed on this board"


def test_nobody_knows_any_speed_so_the_lightest_to_read() -> None:
    dense = variant("d", family="d", bytes=2 * GB)
    experts = variant("e", family="e", bytes=9 * GB)
    choice = choose(
        [
            candidate(family(dense, id="d", parameters=4 * GB)),
            candidate(family(experts, id="e", parameters=30 * GB, active=3 * GB)),
        ],
        TERMS,
    )
    assert (choice.status, choice.chosen, choice.ladder) == ("degraded", "e", ())
    assert choice.verdicts[1].reason == "it fits, and nobody knows how fast it is"
    unknown = choose([candidate(family(variant("u", bpw=None)))], TERMS)
    assert unknown.chosen == "u"


def test_who_may_not_serve_is_told_why() -> None:
    files = [variant(name) for name in "abcde"]
    files[1] = variant("b", kind="IQ")
    files[4] = variant("e", bytes=5 * GB)
    of = family(*files)
    many = [
        candidate(of, 0, quarantined="its sha256 differs"),
        candidate(of, 1),
        candidate(of, 2, need=None),
        candidate(of, 3, gib=9.5),
        candidate(of, 4),
        candidate(family(variant("p"), id="p", fallback=True), on_disk=True),
    ]
    choice = choose(many, TERMS._replace(free_bytes=5 * GB))
    assert (choice.status, choice.chosen, choice.serves) == ("none", None, "p")
    assert [each.reason for each in choice.verdicts] == [
        "quarantined: its sha256 differs",
        "i-quants are made for GPUs; a CPU unpacks them through tables, slowly",
        "nobody says how large it is",
        "needs 9.5 GiB, and memory leaves 8.0 GiB after 1.0 GiB for the house",
        "takes 5.0 GB of disk, and 5.0 GB are free",
        "serves when nothing else can",
    ]
    assert choose(many, TERMS).chosen == "e"  # nobody knows how much disk is free
    assert choose([many[5]], TERMS).serves == "p"
    assert choose([candidate(many[5].family, on_disk=True, quarantined="x")], TERMS).serves is None


def test_a_file_that_is_here_needs_no_room_to_be_fetched() -> None:
    of = family(variant("a", bytes=5 * GB))
    choice = choose([candidate(of, on_disk=True)], TERMS._replace(free_bytes=0))
    assert choice.chosen == "a"


def test_each_limit_of_memory_is_called_by_its_name() -> None:
    of = candidate(family(variant("a")), gib=4.0)
    for limit, told in (
        ("cgroup", "the control group's limit leaves 2.0 GiB after 1.0 GiB for the house"),
        ("cap", "model.memory_mib leaves 2.0 GiB"),
        ("other", "other leaves 2.0 GiB"),
    ):
        reserve = GIB if limit == "cgroup" else 0
        choice = choose(
            [of], TERMS._replace(budget=Budget(have=2 * GIB, limit=limit, reserve=reserve))
        )
        assert choice.verdicts[0].reason == f"needs 4.0 GiB, and {told}"


def test_what_is_here_serves_until_the_chosen_one_is() -> None:
    files = ladder(12.0, 9.0, 8.2)
    here = [*files[:1], candidate(files[1].family, 1, on_disk=True), files[2]]
    choice = choose(here, TERMS)
    assert (choice.chosen, choice.serves) == ("2", "1")
    pocket = candidate(family(variant("p"), id="p", fallback=True), on_disk=True)
    assert choose([*files, pocket], TERMS).serves == "p"


def test_measured_beats_predicted_beats_published() -> None:
    of = family(variant("a", published=(published(9.0),)))
    known: dict[str, Any] = {
        "measurements": (measurement(8.1),),
        "prediction": prediction(8.5),
    }
    choice = choose([candidate(of, **known)], TERMS)
    assert [each.source for each in choice.verdicts[0].speeds] == [
        "measured",
        "predicted",
        "published",
    ]
    assert choice.verdicts[0].speed == choice.verdicts[0].speeds[0]
    hot = choose([candidate(of, measurements=(measurement(6.0, hot=True),))], TERMS)
    assert hot.status == "ok"
    lone = candidate(family(variant("a")), measurements=(measurement(6.0, hot=True),))
    assert choose([lone], TERMS).verdicts[0].reason.startswith("6.00 tok/s (measured, hot): none")


def test_a_board_slower_than_others_is_so_for_every_file() -> None:
    files = (
        variant("a", bpw=2.66),
        variant("b", bpw=2.70, published=(published(8.03),)),
    )
    of = family(*files)
    fresh = choose([candidate(of, 0), candidate(of, 1)], TERMS)
    assert (fresh.chosen, fresh.status) == ("b", "ok")
    tried = choose([candidate(of, 0), candidate(of, 1, measurements=(measurement(7.5),))], TERMS)
    # the one that would be 8.15 by the published figure is not fetched for nothing
    assert tried.status == "degraded"
    assert [each.speed and each.speed.tps for each in tried.verdicts] == [7.61, 7.5]
    assert [each.source for each in tried.verdicts[0].speeds] == ["derived", "derived"]


def test_a_target_of_zero_is_met_by_all() -> None:
    choice = choose(ladder(1.0, None), TERMS._replace(target=0.0))
    assert (choice.status, choice.chosen) == ("ok", "1")


def test_steps_down_gain_speed_each_time() -> None:
    # the smallest is no faster than the one in the middle, so it is no step
    choice = choose(ladder(9.5, 10.0, 8.0), TERMS)
    assert (choice.chosen, choice.ladder) == ("2", ("1",))


def test_nothing_to_choose_from() -> None:
    choice = choose([], TERMS)
    assert (choice.status, choice.chosen, choice.serves, choice.verdicts) == (
        "none",
        None,
        None,
        (),
    )


files = st.builds(
    lambda bpw, tps, percent, kind, gib, home, here: (bpw, tps, percent, kind, gib, home, here),
    st.floats(2, 8),
    st.none() | st.floats(1, 30),
    st.none() | st.floats(80, 100),
    st.sampled_from(["KQ", "IQ", "other"]),
    st.floats(0.1, 16),
    st.sampled_from(["f", "g"]),
    st.booleans(),
)


def _candidates(drawn: list[Any]) -> list[Candidate]:
    by_home: dict[str, list[Variant]] = {"f": [], "g": []}
    rest = []
    for index, (bpw, tps, percent, kind, gib, home, here) in enumerate(drawn):
        score = None if percent is None else quality(percent)
        by_home[home].append(variant(str(index), bpw=bpw, kind=kind, quality=score, family=home))
        rest.append((home, len(by_home[home]) - 1, tps, gib, here))
    homes = {name: family(*listed, id=name) for name, listed in by_home.items()}
    made = [
        candidate(
            homes[home],
            place,
            gib=gib,
            on_disk=here,
            measurements=() if tps is None else (measurement(tps),),
        )
        for home, place, tps, gib, here in rest
    ]
    return sorted(made, key=lambda each: each.family.id)


@given(st.lists(files, max_size=10), st.floats(0, 20), st.floats(0.1, 16))
def test_whatever_there_is(drawn: list[Any], target: float, have: float) -> None:
    many = _candidates(drawn)
    terms = TERMS._replace(target=target, budget=Budget(have=int(have * GIB), limit="memory"))
    choice = choose(many, terms)
    assert [each.candidate for each in choice.verdicts] == many
    assert rules(choice).count("chosen") == (choice.chosen is not None)
    assert (choice.status == "none") == (choice.chosen is None)
    for verdict in choice.verdicts:
        assert verdict.reason
    chosen = choice.verdict(choice.chosen)
    if chosen is None or chosen.candidate.need is None:
        return
    assert chosen.candidate.need.total <= terms.budget.have
    assert chosen.candidate.variant.kind != "IQ"
    if choice.status == "ok":
        assert target <= 0 or (chosen.speed is not None and chosen.speed.tps >= target * 0.98)
    if choice.serves == choice.chosen:
        assert chosen.candidate.on_disk
    # more memory never gives a file of a later family, nor a slower one when none meets
    wider = choose(many, terms._replace(budget=Budget(have=32 * GIB, limit="memory")))
    better = wider.verdict(wider.chosen)
    assert better is not None
    if choice.status == "ok":
        assert wider.status == "ok"
        assert better.candidate.family.id <= chosen.candidate.family.id


@given(st.lists(files, min_size=1, max_size=8), st.randoms())
def test_the_order_within_a_family_does_not_matter(drawn: list[Any], random: Any) -> None:
    one = [(*each[:5], "f", each[6]) for each in drawn]
    if len({(each[0], each[1]) for each in one}) < len(one):
        return
    shuffled = list(one)
    random.shuffle(shuffled)
    first, second = (choose(_candidates(each), TERMS) for each in (one, shuffled))
    verdicts = [each.verdict(each.chosen) for each in (first, second)]
    bits = [None if each is None else each.candidate.variant.bpw for each in verdicts]
    if first.status != "degraded" or len({each[1] for each in one}) == len(one):
        assert bits[0] == bits[1]
    assert first.status == second.status
