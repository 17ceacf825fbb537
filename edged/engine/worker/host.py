"""Beginnings of prompts whose cells were copied out of the context into memory.

Attention of every step walks all cells up to the highest one in use, masked or not, so what no run
needs costs each token of those that run. In memory it costs nothing, and comes back in a fraction
of the time of reading it. A beginning lies here in blocks, which those that begin alike share.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from edged.engine.worker.prefixes import value
from edged.engine.worker.radix import Radix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# A house has dozens of them; looking for the least valuable of so many takes a millisecond or two.
MAX_ENTRIES = 1024
# The larger one of the page sizes of boards; each block is a map of its own.
PAGE = 16 << 10
# Of a token in Python: its number, and its places in the lists of entry and tree.
TOKEN_BYTES = 64
# Fewer tokens of a longer block are copied out again: they would hold all of it in memory.
MIN_SHARED = 32


class State(NamedTuple):
    """Cells as llama.cpp wrote them.

    Attributes:
        size: Bytes.
        content: The bytes, which go with the last reference to them.
    """

    size: int
    content: Any


class Block:
    """What was copied out at once.

    Attributes:
        state: The bytes.
        tokens: How many they are of.
        uses: Entries that have a piece of it.
    """

    __slots__ = ("state", "tokens", "uses")

    def __init__(self, state: State, tokens: int) -> None:
        self.state = state
        self.tokens = tokens
        self.uses = 0

    @property
    def cost(self) -> int:
        """Bytes of memory."""
        return cost_of(self.state.size, self.tokens)


class Piece(NamedTuple):
    """Some tokens of a beginning.

    Attributes:
        start: The place of the first of them, which is the first one of the block, too.
        end: The place behind the last one; the block may hold more.
        block: Holds them.
    """

    start: int
    end: int
    block: Block

    @property
    def short(self) -> bool:
        """Whether little of a longer block is used."""
        tokens = self.end - self.start
        return tokens < min(MIN_SHARED, self.block.tokens)


class Beginning(NamedTuple):
    """What is to be held.

    Attributes:
        tokens: All of them from the first one on.
        used_at: Monotonic seconds.
        hits: How often it was used.
        key: A name under which it is to stay; None lets it go as its value says.
        named: It is a part of what has a name, for which others that have one may go.
    """

    tokens: list[int]
    used_at: float
    hits: int = 0
    key: str | None = None
    named: bool = False


class _Entry:
    __slots__ = ("hits", "key", "pieces", "used_at")

    def __init__(self, beginning: Beginning, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.hits = beginning.hits
        self.used_at = beginning.used_at
        self.key = beginning.key


class HostCache:
    """Holds beginnings up to a budget, the most valuable ones.

    Args:
        budget: Bytes at most.

    Attributes:
        budget: As given.
        used: Bytes that it holds.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._tree = Radix()
        self._entries: dict[int, _Entry] = {}
        self._keys: dict[str, tuple[int, list[int]]] = {}
        self._numbers = count()
        self.used = 0

    def __len__(self) -> int:
        return len(self._entries)

    def known(self, tokens: Sequence[int]) -> int:
        """How many of these it holds, from the first one on."""
        return self._tree.match(tokens).length

    def follows(self, tokens: Sequence[int]) -> int:
        """The token that stands behind those known of these; -1 if none does."""
        return self._tree.match(tokens).follows

    def named(self, key: str) -> list[int]:
        """The tokens that are kept under a key; empty if none are."""
        return self._keys[key][1] if key in self._keys else []

    def pieces(self, tokens: Sequence[int]) -> list[Piece]:
        """What holds those of the tokens that are known."""
        match = self._tree.match(tokens)
        if not match.length:
            return []
        return list(_until(self._entries[match.holder].pieces, match.length))

    def shared(self, tokens: Sequence[int]) -> list[Piece]:
        """Of those pieces what another beginning, which has these tokens, is to share."""
        pieces = self.pieces(tokens)
        return pieces[:-1] if pieces and pieces[-1].short else pieces

    @contextmanager
    def pinned(self, tokens: Sequence[int]) -> Iterator[list[Piece]]:
        """What holds those of the tokens that are known, counted until it is no longer needed."""
        pieces = self.pieces(tokens)
        self._take(pieces)
        try:
            yield pieces
        finally:
            self._give(pieces)

    def touch(self, tokens: Sequence[int], now: float) -> None:
        """Those of the tokens that are known are of use, unless it is only how prompts begin."""
        match = self._tree.match(tokens)
        if match.length >= MIN_SHARED:
            entry = self._entries[match.holder]
            entry.hits += 1
            entry.used_at = now

    def add(
        self,
        beginning: Beginning,
        shared: list[Piece],
        size: int,
        write: Callable[[], State | None],
    ) -> bool:
        """Hold a beginning.

        Args:
            beginning: What it is.
            shared: Pieces that hold its first tokens.
            size: Bytes of the state of the others; 0 if there are none.
            write: Makes that state once there is room for it; None if that fails.

        Returns:
            False if it is not held, for there is no room or nothing was written.
        """
        pieces = list(shared)
        start = shared[-1].end if shared else 0
        count = len(beginning.tokens) - start
        self._take(shared)  # so that they stay while others make room
        try:
            if not self._room(cost_of(size, count), beginning):
                return False
            if count:
                state = write()
                if state is None:
                    return False
                pieces.append(Piece(start, len(beginning.tokens), Block(state, count)))
            self._enter(beginning, pieces)
        finally:
            self._give(shared)
        return True

    def release(self, key: str) -> None:
        """What was kept under this key may go as any other."""
        number, _ = self._keys.pop(key, (-1, []))
        if number >= 0:
            self._entries[number].key = None
            if self._tree.covered(number):
                self._remove(number)

    def clear(self) -> None:
        """Let everything go."""
        for number in list(self._entries):
            self._remove(number)

    def _room(self, more: int, beginning: Beginning) -> bool:
        """Let the least valuable go until so many bytes have room."""
        named = beginning.named or beginning.key is not None
        while self.used + more > self.budget or len(self._entries) >= MAX_ENTRIES:
            if not self._entries:
                return False
            least = min(self._entries, key=lambda each: self._value(each, beginning.used_at))
            if self._entries[least].key is not None and not named:
                return False
            self._remove(least)
        return True

    def _enter(self, beginning: Beginning, pieces: list[Piece]) -> None:
        if beginning.key is not None:
            self.release(beginning.key)
        number = next(self._numbers)
        self._entries[number] = entry = _Entry(beginning, pieces)
        self._take(pieces)
        self._tree.insert(number, beginning.tokens)
        if beginning.key is not None:
            self._keys[beginning.key] = (number, beginning.tokens)
        for other in self._tree.beginnings(number):
            self._absorb(entry, other)

    def _absorb(self, entry: _Entry, other: int) -> None:
        """Let go what a longer one makes needless; its use counts for that one."""
        shorter = self._entries[other]
        entry.hits = max(entry.hits, shorter.hits)
        if shorter.key is None:
            self._remove(other)

    def _remove(self, number: int) -> None:
        entry = self._entries.pop(number)
        self._tree.remove(number)
        if entry.key is not None:
            del self._keys[entry.key]
        self._give(entry.pieces)

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self.used += 0 if piece.block.uses else piece.block.cost
            piece.block.uses += 1

    def _give(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            piece.block.uses -= 1
            self.used -= 0 if piece.block.uses else piece.block.cost

    def _value(self, number: int, now: float) -> tuple[bool, float]:
        entry = self._entries[number]
        worth = value(self._tree.alone(number), entry.hits, now - entry.used_at)
        return entry.key is not None, worth


def cost_of(size: int, tokens: int) -> int:
    """Bytes of memory that a state of so many bytes and tokens takes."""
    return -(-size // PAGE) * PAGE + TOKEN_BYTES * tokens


def _until(pieces: Iterable[Piece], end: int) -> Iterator[Piece]:
    """The pieces up to a place, the last one cut there."""
    for piece in pieces:
        if piece.start < end:
            yield piece._replace(end=min(end, piece.end))
