from __future__ import annotations

import pytest

from edged.engine.worker.host import (
    MAX_ENTRIES,
    MIN_SHARED,
    PAGE,
    Beginning,
    HostCache,
    State,
    cost_of,
)
from edged.engine.worker.prefixes import HALF_LIFE_S, value

BLOCK = cost_of(PAGE, 100)
FIRST, SECOND, THIRD = ([each] * 100 for each in (1, 2, 3))


def keep(  # noqa: PLR0913 - what a beginning has
    cache: HostCache,
    tokens: list[int],
    now: float = 0.0,
    *,
    hits: int = 0,
    key: str | None = None,
    named: bool = False,
) -> bool:
    """Hold tokens, those that are not shared in one block of a page."""
    shared = cache.shared(tokens)
    return cache.add(
        Beginning(list(tokens), now, hits, key, named),
        shared,
        PAGE if not shared or shared[-1].end < len(tokens) else 0,
        lambda: State(PAGE, None),
    )


@pytest.fixture
def cache() -> HostCache:
    return HostCache(2 * BLOCK)


def test_a_block_costs_its_pages_and_what_python_takes() -> None:
    assert cost_of(1, 0) == cost_of(PAGE, 0) == PAGE
    assert cost_of(PAGE + 1, 10) == 2 * PAGE + 640
    assert cost_of(0, 0) == 0


def test_what_is_not_known_is_nothing(cache: HostCache) -> None:
    assert cache.known(FIRST) == 0
    assert cache.pieces(FIRST) == cache.shared(FIRST) == []
    assert cache.follows(FIRST) == -1
    assert cache.named("prefix/a") == []
    cache.touch(FIRST, 0.0)
    cache.release("prefix/a")
    with cache.pinned(FIRST) as pieces:
        assert pieces == []


def test_a_longer_one_takes_the_place_of_its_beginning(cache: HostCache) -> None:
    assert keep(cache, FIRST, hits=3)
    assert keep(cache, [*FIRST, *SECOND])
    assert (len(cache), cache.used) == (1, 2 * BLOCK)
    assert [(piece.start, piece.end) for piece in cache.pieces([*FIRST, 2, 2, 9])] == [
        (0, 100),
        (100, 102),
    ]
    assert cache.follows([*FIRST, 2, 9]) == 2
    assert [entry.hits for entry in cache._entries.values()] == [3]


def test_a_short_part_of_a_block_is_not_shared(cache: HostCache) -> None:
    keep(cache, FIRST)
    for count, end in ((MIN_SHARED - 1, 0), (MIN_SHARED, MIN_SHARED), (100, 100)):
        shared = cache.shared([*FIRST[:count], 9])
        assert (shared[-1].end if shared else 0) == end
    assert keep(cache, [*FIRST[:50], *SECOND[:50]])
    assert cache.used == BLOCK + cost_of(PAGE, 50)
    # A block that is short as a whole is shared nevertheless.
    tail = HostCache(10 * BLOCK)
    keep(tail, [*FIRST, 7])
    keep(tail, [*FIRST, 7, 8])
    assert [piece.end for piece in tail.shared([*FIRST, 7, 8, 9])] == [101, 102]


def test_the_least_valuable_goes_first(cache: HostCache) -> None:
    keep(cache, FIRST)
    keep(cache, SECOND, HALF_LIFE_S)
    cache.touch(FIRST[:MIN_SHARED], HALF_LIFE_S)
    cache.touch(SECOND[: MIN_SHARED - 1], HALF_LIFE_S)
    keep(cache, THIRD, HALF_LIFE_S)
    assert [cache.known(tokens) for tokens in (FIRST, SECOND, THIRD)] == [100, 0, 100]


def test_what_has_a_name_stays_but_for_what_has_one_too(cache: HostCache) -> None:
    keep(cache, FIRST, key="prefix/a")
    keep(cache, SECOND, key="prefix/b")
    assert not keep(cache, THIRD, hits=1000)
    assert keep(cache, THIRD, named=True)
    assert sorted(map(len, (cache.named("prefix/a"), cache.named("prefix/b")))) == [0, 100]
    cache.clear()
    assert (len(cache), cache.used) == (0, 0)


def test_a_name_moves_and_is_released(cache: HostCache) -> None:
    keep(cache, FIRST, key="prefix/a")
    keep(cache, SECOND, key="prefix/a")
    assert cache.named("prefix/a") == SECOND
    assert cache.known(FIRST) == 100, "it may go as any other"
    cache.release("prefix/a")
    assert (cache.named("prefix/a"), cache.known(SECOND)) == ([], 100)


def test_a_name_for_a_part_costs_nothing(cache: HostCache) -> None:
    keep(cache, FIRST)
    used = cache.used
    assert keep(cache, FIRST[:40], key="prefix/a")
    assert (cache.named("prefix/a"), cache.used, len(cache)) == (FIRST[:40], used, 2)
    cache.release("prefix/a")
    assert len(cache) == 1
    assert keep(cache, FIRST, key="prefix/a")
    assert (len(cache), cache.used) == (1, used), "the one without a name is needless"


def test_what_is_shared_stays_while_room_is_made(cache: HostCache) -> None:
    keep(cache, FIRST)
    keep(cache, SECOND, hits=9)
    assert keep(cache, [*FIRST, *THIRD])
    assert cache.known([*FIRST, *THIRD]) == 200
    assert cache.known(SECOND) == 0


def test_what_is_pinned_counts_until_it_is_no_longer_needed(cache: HostCache) -> None:
    keep(cache, FIRST)
    with cache.pinned(FIRST) as pieces:
        assert len(pieces) == 1
        assert keep(cache, SECOND, hits=9)
        assert keep(cache, THIRD, hits=9)
        assert cache.known(FIRST) == 0
        assert cache.used == 2 * BLOCK
        assert not keep(cache, [*THIRD, *SECOND, *FIRST])
    assert cache.used == 0


def test_what_is_too_large_or_fails_is_not_held(cache: HostCache) -> None:
    assert not cache.add(Beginning(FIRST, 0.0), [], 3 * BLOCK, lambda: State(3 * BLOCK, None))
    assert not cache.add(Beginning(FIRST, 0.0), [], PAGE, lambda: None)
    assert (len(cache), cache.used, cache.known(FIRST)) == (0, 0, 0)


def test_there_are_never_too_many() -> None:
    cache = HostCache(1 << 40)
    for number in range(MAX_ENTRIES + 10):
        keep(cache, [number] * MIN_SHARED, float(number))
    assert len(cache) == MAX_ENTRIES
    assert cache.known([0]) == 0


def test_value_fades() -> None:
    assert value(100, 1, 0.0) == 200.0
    assert value(100, 0, HALF_LIFE_S) == 50.0
    assert value(100, 0, 1e9) == 0.0
