from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.engine.shelf import MAX_FILES, Found, make_room, surplus, worth
from tests.engine.states import found, header

NAMES = st.sampled_from(["persona", None])
FOUND = st.builds(
    lambda number, name, tokens, size, at: found(
        f"{number:04}", size, name=name, tokens=tokens, saved_at=float(at)
    ),
    st.integers(0, 9999),
    NAMES,
    st.integers(1, 50),
    st.integers(1, 100),
    st.integers(0, 5),
)
FILES = st.lists(FOUND, max_size=12, unique_by=lambda item: item.file)


def total(files: list[Found]) -> int:
    return sum(item.bytes for item in files)


def test_personas_are_worth_more_than_any_mark() -> None:
    persona, mark = header(tokens=10), header(name=None, tokens=9000, uses=900)
    assert worth(persona) > worth(mark)
    assert worth(header(uses=0)) == worth(header(uses=1))
    assert worth(header(uses=3)) > worth(header(uses=2))


def test_the_least_valuable_go_first_and_the_older_of_two_equals() -> None:
    old, new = found("b", saved_at=1.0), found("a", saved_at=2.0)
    mark, used = found("c", name=None), found("d", name=None, uses=7)
    assert surplus([new, used, old, mark], 25_000) == [mark, used]
    assert surplus([new, used, old, mark], 19_999) == [mark, used, old]
    assert surplus([new, used, old, mark], 40_000) == []
    assert surplus([new, used, old, mark], 0) == [mark, used, old, new]


def test_there_is_a_limit_to_their_number_too() -> None:
    files = [found(f"{number:04}", 1, saved_at=float(number)) for number in range(MAX_FILES + 2)]
    assert surplus(files, 1 << 40) == files[:2]
    head = header(tokens=99)
    assert make_room(files[:MAX_FILES], head, 1, 1 << 40) == files[:1]
    assert make_room(files[:MAX_FILES], header(tokens=1), 1, 1 << 40) is None
    assert make_room(files[: MAX_FILES - 1], head, 1, 1 << 40) == []


def test_a_new_one_does_not_push_out_its_equal() -> None:
    held = [found("a", 60)]
    assert make_room(held, header(), 60, 100) is None
    assert make_room(held, header(tokens=21), 60, 100) == held
    assert make_room([], header(), 101, 100) is None
    assert make_room(held, header(tokens=21), 101, 100) is None


@given(FILES, st.integers(0, 500))
def test_what_is_left_fits_and_no_more_goes_than_must(files: list[Found], limit: int) -> None:
    gone = surplus(files, limit)
    left = [item for item in files if item not in gone]
    assert total(left) <= limit
    if gone:
        assert total([*left, gone[-1]]) > limit
        assert all(worth(item.header) >= worth(gone[-1].header) for item in left)


@given(FILES, FOUND, st.integers(0, 500))
def test_room_is_made_only_from_what_is_worth_less(
    files: list[Found], new: Found, limit: int
) -> None:
    gone = make_room(files, new.header, new.bytes, limit)
    if gone is None:
        lesser = [item for item in files if worth(item.header) < worth(new.header)]
        assert total(files) - total(lesser) + new.bytes > limit
    else:
        assert total(files) - total(gone) + new.bytes <= limit
        assert all(worth(item.header) < worth(new.header) for item in gone)
