"""A radix tree over tokens: which sequences hold which beginnings, and how much they share.

Each node is a run of tokens that one or more sequences hold as one; its children differ in their
first token. So the longest known beginning of a prompt is found in the time it takes to compare it
once, however many sequences there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Match(NamedTuple):
    """What the tree knows of a prompt.

    Attributes:
        length: Tokens of the longest known beginning.
        holder: A sequence that holds it; -1 where the length is 0.
        follows: The token that stands there instead of the prompt's next one; -1 if there is none.
    """

    length: int
    holder: int
    follows: int = -1


class _Node:
    __slots__ = ("children", "ends", "holders", "parent", "tokens")

    def __init__(self, tokens: list[int], parent: _Node | None) -> None:
        self.tokens = tokens
        self.parent = parent
        self.children: dict[int, _Node] = {}
        self.holders: set[int] = set()
        self.ends: set[int] = set()


class Radix:
    """The tree; a sequence is a small number that its owner gives.

    Attributes:
        size: Tokens in all nodes, each counted once however many sequences hold it.
    """

    def __init__(self) -> None:
        self._root = _Node([], None)
        self._leaves: dict[int, _Node] = {}
        self.size = 0

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._leaves

    def match(self, prompt: Sequence[int]) -> Match:
        """The longest beginning of `prompt` that any sequence holds."""
        node, length = self._descend(prompt)
        if node is self._root and not length:
            return Match(0, -1, self._other(prompt))
        start = length - self._depth(node.parent)
        if start < len(node.tokens):
            return Match(length, min(node.holders), node.tokens[start])
        return Match(length, min(node.holders), next(iter(node.children), -1))

    def match_whole(self, prompt: Sequence[int]) -> Match:
        """The longest sequence that is a beginning of `prompt` as a whole."""
        node, length = self._descend(prompt)
        if node.parent is not None and length - self._depth(node.parent) < len(node.tokens):
            node = node.parent
        while not node.ends and node.parent is not None:
            node = node.parent
        return Match(self._depth(node), min(node.ends)) if node.ends else Match(0, -1)

    def insert(self, sequence: int, tokens: Sequence[int]) -> int:
        """Let a sequence hold `tokens`; it must not be in the tree.

        Returns:
            How many of them others held already.
        """
        node, shared = self._descend(tokens)
        if node.parent is not None:
            node = self._split(node, node.parent, shared - self._depth(node.parent))
        if shared < len(tokens):
            leaf = _Node(list(tokens[shared:]), node)
            node.children[tokens[shared]] = leaf
            self.size += len(leaf.tokens)
            node = leaf
        node.ends.add(sequence)
        self._leaves[sequence] = node
        while node.parent is not None:
            node.holders.add(sequence)
            node = node.parent
        return shared

    def remove(self, sequence: int) -> None:
        """Take a sequence out, and with it what nobody else holds; unknown ones are ignored."""
        node = self._leaves.pop(sequence, None)
        if node is None:
            return
        node.ends.discard(sequence)
        while node.parent is not None:
            parent = node.parent
            node.holders.discard(sequence)
            if not node.holders:
                del parent.children[node.tokens[0]]
                self.size -= len(node.tokens)
            else:
                self._join(node, parent)
            node = parent

    def alone(self, sequence: int) -> int:
        """Tokens that no other sequence holds: what removing it would free."""
        node, count = self._leaves[sequence], 0
        while node.parent is not None and len(node.holders) == 1:
            count += len(node.tokens)
            node = node.parent
        return count

    def covered(self, sequence: int) -> bool:
        """Whether another sequence holds all that this one holds."""
        return len(self._leaves[sequence].holders) > 1

    def ends_elsewhere(self, sequence: int) -> bool:
        """Whether another sequence holds exactly what this one holds."""
        return len(self._leaves[sequence].ends) > 1

    def beginnings(self, sequence: int) -> list[int]:
        """The others that end somewhere on the way to where this one ends, or there."""
        found = [other for other in self._leaves[sequence].ends if other != sequence]
        node = self._leaves[sequence].parent
        while node is not None:
            found += node.ends
            node = node.parent
        return found

    def _descend(self, tokens: Sequence[int]) -> tuple[_Node, int]:
        """The last node of which `tokens` has anything, and how many tokens agree up to there."""
        node, done = self._root, 0
        while done < len(tokens) and (child := node.children.get(tokens[done])) is not None:
            agreed = common(child.tokens, tokens[done : done + len(child.tokens)])
            node, done = child, done + agreed
            if agreed < len(child.tokens):
                break
        return node, done

    def _other(self, prompt: Sequence[int]) -> int:
        return next(iter(self._root.children), -1) if prompt else -1

    def _depth(self, node: _Node | None) -> int:
        """Tokens from the root to the end of `node`."""
        depth = 0
        while node is not None:
            depth += len(node.tokens)
            node = node.parent
        return depth

    def _split(self, node: _Node, parent: _Node, at: int) -> _Node:
        """Part a node after `at` of its tokens; returns the upper half, or the node if it is whole.

        The node itself becomes the lower half, so the sequences that end in it still do.
        """
        if at >= len(node.tokens):
            return node
        upper = _Node(node.tokens[:at], parent)
        upper.holders = set(node.holders)
        parent.children[upper.tokens[0]] = upper
        node.tokens, node.parent = node.tokens[at:], upper
        upper.children[node.tokens[0]] = node
        return upper

    def _join(self, node: _Node, parent: _Node) -> None:
        """Undo a split that no longer parts anything, or a much used beginning ends in shreds."""
        if len(node.children) != 1 or node.ends:
            return
        # Whoever holds the node holds its only child. That one stays, for leaves point to it.
        (child,) = node.children.values()
        child.tokens, child.parent = node.tokens + child.tokens, parent
        parent.children[child.tokens[0]] = child


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the longest common prefix."""
    shorter = min(len(first), len(second))
    # Slices compare in C: halving finds the place without a Python step per token.
    low, high = 0, shorter
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
