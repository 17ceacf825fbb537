"""The tree against the plain definition: compare with every sequence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.engine.worker.radix import Match, Radix, common

WORDS = st.lists(st.integers(0, 2), max_size=8)
STEPS = st.lists(st.tuples(st.integers(0, 5), WORDS), max_size=30)


@pytest.mark.parametrize(
    ("first", "second", "length"),
    [([], [], 0), ([1], [], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 3], 1), ([2], [1], 0)],
)
def test_common(first: list[int], second: list[int], length: int) -> None:
    assert common(first, second) == common(second, first) == length


def longest(held: dict[int, list[int]], prompt: list[int]) -> int:
    return max((common(tokens, prompt) for tokens in held.values()), default=0)


def distinct_beginnings(held: dict[int, list[int]]) -> int:
    return len({tuple(t[:n]) for t in held.values() for n in range(1, len(t) + 1)})


@settings(max_examples=300)
@given(STEPS, WORDS)
def test_it_says_what_comparing_with_each_would_say(
    steps: list[tuple[int, list[int]]], prompt: list[int]
) -> None:
    tree, held = Radix(), dict[int, list[int]]()
    for sequence, tokens in steps:
        if sequence in held:
            tree.remove(sequence)
            del held[sequence]
        else:
            assert tree.insert(sequence, tokens) == longest(held, tokens)
            held[sequence] = tokens
        assert tree.size == distinct_beginnings(held)
        check_each(tree, held)
        check_match(tree, held, prompt)
    for sequence in list(held):
        tree.remove(sequence)
    assert tree.size == 0
    assert tree.match(prompt) == Match(0, -1, -1)


def check_match(tree: Radix, held: dict[int, list[int]], prompt: list[int]) -> None:
    match = tree.match(prompt)
    assert match.length == longest(held, prompt)
    if match.length:
        tokens = held[match.holder]
        assert tokens[: match.length] == prompt[: match.length]
    if match.follows >= 0:
        nexts = {t[match.length] for t in held.values() if len(t) > match.length}
        assert match.follows in nexts
    whole = tree.match_whole(prompt)
    ends = [t for t in held.values() if t == prompt[: len(t)]]
    assert whole.length == max(map(len, ends), default=0)
    if ends:
        assert held[whole.holder] == prompt[: whole.length]


def check_each(tree: Radix, held: dict[int, list[int]]) -> None:
    for sequence, tokens in held.items():
        assert sequence in tree
        others = {key: value for key, value in held.items() if key != sequence}
        assert tree.alone(sequence) == len(tokens) - longest(others, tokens)
        assert tree.covered(sequence) == (
            bool(tokens) and any(t[: len(tokens)] == tokens for t in others.values())
        )
        assert tree.ends_elsewhere(sequence) == (tokens in others.values())
        shorter = {key for key, t in others.items() if t == tokens[: len(t)]}
        assert set(tree.beginnings(sequence)) == shorter


def test_an_unknown_sequence_is_removed_in_silence() -> None:
    tree = Radix()
    tree.remove(7)
    assert 7 not in tree


def test_splits_that_part_nothing_any_more_are_undone() -> None:
    tree = Radix()
    tree.insert(0, list(range(100)))
    for length in range(1, 100):
        tree.insert(1, [*range(length), 1000])
        tree.remove(1)
    (only,) = tree._root.children.values()
    assert only.tokens == list(range(100))
    assert not only.children
