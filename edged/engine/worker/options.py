"""The options of a decision as a tree of tokens, and how likely each of them is.

An option's score is the logarithm of the probability that the answer begins with it: the sum over
its tokens. The sum and not the mean, because no answer begins with two of them, so that these
probabilities can be compared and add up; with the mean a long option wins by its last tokens,
which are certain once the first are written. Where another option begins with this one, its end
counts as well, or it could only be the likelier of the two. Elsewhere it does not: an answer may go
on as it likes ("on, please") and means that option, and a token that nothing follows need not be
read at all.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = 0


class Row(NamedTuple):
    """A token to be read in a round.

    Attributes:
        node: Where it stands in the tree.
        token: The token.
        depth: Tokens of the option up to here; what stands before all of them has 0.
        ways: Places in the round of the options that go through it.
    """

    node: int
    token: int
    depth: int
    ways: tuple[int, ...]


class Options:
    """Collects what is known of the probabilities.

    Args:
        options: The tokens of each.
        ends: Tokens of which any ends an answer.
        before: The token that stands before all options.
    """

    def __init__(self, options: Sequence[Sequence[int]], ends: Sequence[int], before: int) -> None:
        self._ends = tuple(dict.fromkeys(ends))
        self._tokens = [before]
        self._parents = [-1]
        self._depths = [0]
        self._children: list[dict[int, int]] = [{}]
        self._scores: dict[int, Mapping[int, float]] = {}
        self._leaves = [self._grow(tokens) for tokens in options]
        order = sorted(range(len(options)), key=lambda option: self._path(self._leaves[option]))
        self._waiting = [option for option in order if self._inner(self._leaves[option])]

    @property
    def size(self) -> int:
        """Tokens of all options, those that several begin with counted once."""
        return len(self._tokens) - 1

    @property
    def left(self) -> bool:
        """Whether something is to be read."""
        return bool(self._waiting) or ROOT not in self._scores

    def wanted(self, node: int) -> tuple[int, ...]:
        """The tokens whose logarithmic probabilities count behind a node."""
        ends = self._ends if node in self._leaves and self._children[node] else ()
        return (*self._children[node], *ends)

    def enter(self, node: int, scores: Mapping[int, float]) -> None:
        """Take the logarithmic probabilities of the wanted tokens behind a node."""
        self._scores[node] = scores

    def round(self, width: int) -> tuple[int, list[Row]]:
        """The next at most `width` options: how many, and their tokens, each behind its parent.

        There may be none that need it; the first row, what stands before them all, is always read.
        """
        group = self._waiting[:width]
        ways: dict[int, list[int]] = {ROOT: list(range(max(1, len(group))))}
        for place, option in enumerate(group):
            for node in self._inner(self._leaves[option]):
                ways.setdefault(node, []).append(place)
        rows = [
            Row(node, self._tokens[node], self._depths[node], tuple(ways[node]))
            for node in sorted(ways)
        ]
        return len(group), rows

    def passed(self, count: int) -> None:
        """So many options of the last round are read."""
        del self._waiting[:count]

    def scores(self) -> tuple[float, ...]:
        """The score of each option, at most 0; all must have been read."""
        return tuple(self._score(leaf) for leaf in self._leaves)

    def _grow(self, tokens: Sequence[int]) -> int:
        node = ROOT
        for token in tokens:
            child = self._children[node].setdefault(token, len(self._tokens))
            if child == len(self._tokens):
                self._tokens.append(token)
                self._parents.append(node)
                self._depths.append(self._depths[node] + 1)
                self._children.append({})
            node = child
        return node

    def _path(self, node: int) -> list[int]:
        """From the first token on; parents have the smaller numbers."""
        path = []
        while node != ROOT:
            path.append(node)
            node = self._parents[node]
        return path[::-1]

    def _inner(self, node: int) -> list[int]:
        """Those on the path that something follows."""
        return [step for step in self._path(node) if self._children[step]]

    def _score(self, leaf: int) -> float:
        steps = sum(
            self._scores[self._parents[node]][self._tokens[node]] for node in self._path(leaf)
        )
        if self._children[leaf]:
            steps += log_sum(self._scores[leaf][end] for end in self._ends)
        return min(0.0, steps)


def log_sum(scores: Iterable[float]) -> float:
    """The logarithm of the sum of probabilities that are given by their logarithms."""
    given = list(scores)
    most = max(given, default=-inf)
    if most == -inf:
        return -inf
    return most + log(sum(exp(score - most) for score in given))
