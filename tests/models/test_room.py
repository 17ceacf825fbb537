from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.models.room import MAX_KEPT, MAX_KEPT_BYTES, Candidate, evictions, surplus

CANDIDATES = st.lists(
    st.builds(
        Candidate, st.text("abcdefgh", min_size=1, max_size=3), st.integers(1, 100), st.floats(0, 9)
    ),
    max_size=8,
    unique_by=lambda one: one.file,
)


@given(CANDIDATES, st.integers(1, 500), st.sets(st.text("abcdefgh", min_size=1, max_size=3)))
def test_what_goes_makes_room_and_spares_what_is_kept(
    candidates: list[Candidate], lacking: int, keep: set[str]
) -> None:
    sizes = {one.file: one.bytes for one in candidates}
    gone = evictions(candidates, lacking, keep)
    free = sum(size for file, size in sizes.items() if file not in keep)
    assert not set(gone) & keep
    assert (sum(sizes[file] for file in gone) >= lacking) if gone else free < lacking
    # none of them goes for nothing
    for file in gone:
        assert sum(sizes[other] for other in gone) - sizes[file] < lacking


def test_the_oldest_go_first() -> None:
    files = [Candidate("new", 50, 3), Candidate("old", 50, 1), Candidate("mid", 50, 2)]
    assert evictions(files, 60, ()) == ("old", "mid")
    assert evictions(files, 60, {"old"}) == ("mid", "new")
    assert evictions(files, 160, ()) == ()
    small = [Candidate("small", 1, 1), Candidate("large", 100, 2)]
    assert evictions(small, 50, ()) == ("large",)


@given(
    st.lists(
        st.builds(
            Candidate,
            st.text("abcdefgh", min_size=1, max_size=3),
            st.integers(1, MAX_KEPT_BYTES),
            st.floats(0, 9),
        ),
        max_size=20,
        unique_by=lambda one: one.file,
    )
)
def test_the_quarantine_is_bounded(kept: list[Candidate]) -> None:
    gone = surplus(kept)
    left = [one for one in kept if one.file not in gone]
    assert len(left) <= MAX_KEPT
    assert sum(one.bytes for one in left) <= MAX_KEPT_BYTES


def test_the_newest_bad_ones_stay() -> None:
    kept = [Candidate(str(n), 1, n) for n in range(MAX_KEPT + 2)]
    assert surplus(kept) == ("0", "1")
