from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edged.models.progress import INTERVAL_S, MILESTONE_S, Progress, Track


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1000), st.floats(0, 700), st.sampled_from(["on", "begin", "state"])
        ),
        max_size=60,
    )
)
def test_it_never_goes_backwards_and_tells_at_most_eleven_tenths(
    steps: list[tuple[int, float, str]],
) -> None:
    track, now, told = Track("v"), 10.0, list[Progress]()
    told.append(track.begin(0, 1000, now))
    for done, pause, what in steps:
        now += pause
        if what == "on" and (said := track.on(done, now)) is not None:
            told.append(said)
        elif what == "begin":
            told.append(track.begin(done, 1000, now))
        elif what == "state":
            told.append(track.state("waiting", now))
    assert all(a.done <= b.done for a, b in itertools.pairwise(told))
    assert all(one.done <= 1000 for one in told)
    lines = sum(one.milestone for one in told)
    assert lines <= 11 + (now - 10.0) / MILESTONE_S


def test_a_rate_and_an_eta() -> None:
    track = Track("v")
    assert track.state("waiting", 0) == Progress(variant="v", state="waiting", done=0)
    first = track.begin(0, 1000, 10)
    assert (first.total, first.rate, first.eta_s, first.milestone) == (1000, None, None, True)
    assert track.on(10, 10 + INTERVAL_S / 2) is None
    later = track.on(100, 12)
    assert later is not None
    assert (later.done, later.rate, later.eta_s) == (100, 50, 18)
    # a line that stands has no eta, and one that was lost no rate
    stands = track.on(100, 40)
    stands = track.on(100, 60)
    assert stands is not None
    assert (stands.rate, stands.eta_s) == (0, None)
    assert track.state("verifying", 61).rate is None


def test_the_first_word_without_a_beginning() -> None:
    assert Track("v").on(5, 1) == Progress(variant="v", state="downloading", done=5)


def test_a_long_silence_is_worth_a_line() -> None:
    track = Track("v")
    track.begin(0, 1000, 0)
    quiet = track.on(1, MILESTONE_S - 1)
    due = track.on(2, MILESTONE_S + 1)
    assert quiet is not None
    assert due is not None
    assert (quiet.milestone, due.milestone) == (False, True)


def test_the_payload() -> None:
    said = Track("v").begin(5, 10, 0)
    assert msgspec.json.decode(msgspec.json.encode(said)) == {
        "variant": "v",
        "state": "downloading",
        "done": 5,
        "total": 10,
        "rate": None,
        "eta_s": None,
        "milestone": True,
    }
