"""Which beginnings of prompts the context holds, and which of them have to go.

The context has a number of cells, one for a token. A run has a sequence of its own; when it ends
its cells stay, as a prefix that later prompts share in. Sequences that begin alike share cells, so
what is counted here is what llama.cpp has. Nothing but this file copies, trims or drops sequences.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edged.engine.worker.radix import Match, Radix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# After so many seconds without use a prefix counts half: a house asks in mornings and evenings,
# and a conversation goes on within minutes or not at all.
HALF_LIFE_S = 1800.0


class Memory(Protocol):
    """The context's memory; see `edged.engine.worker.memory`."""

    @property
    def partial(self) -> bool:
        """Whether a beginning of a sequence can be copied; false for recurrent models."""

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` hold the tokens from `start` to `end` of `source` as well."""

    def drop(self, sequence: int, start: int = 0, end: int = -1) -> None:
        """Let a sequence forget these tokens; cells that nobody else holds become free."""


class Lease(NamedTuple):
    """A sequence for a run.

    Attributes:
        sequence: Its number in the context.
        cached: Tokens of the prompt that it holds already.
        broke: The token that stands after those in what was known; -1 if none does.
    """

    sequence: int
    cached: int
    broke: int


class _Entry:
    """One sequence in use, of a run or kept."""

    __slots__ = ("hits", "key", "loose", "shared", "tokens", "used_at")

    def __init__(self, tokens: list[int], now: float) -> None:
        self.tokens = tokens
        self.shared = 0  # tokens that the tree knows of
        self.loose = 0  # cells that the tree does not count
        self.key: str | None = None
        self.hits = 0
        self.used_at = now


class Prefixes:
    """The sequences of one context.

    Args:
        memory: Of the context.
        cells: Tokens it has room for.
        runs: The sequences below this number can be computed.
        sequences: Those from `runs` and `branches` on to this number can only be kept.
        branches: So many from `runs` on can be computed for a moment.
    """

    def __init__(
        self, memory: Memory, cells: int, runs: int, sequences: int, branches: int = 0
    ) -> None:
        self._memory = memory
        self._cells = cells
        self._free = list(range(runs - 1, -1, -1))
        self._branches = list(range(runs, runs + branches))
        self._shelves = list(range(sequences - 1, runs + branches - 1, -1))
        self._runs = runs
        self._tree = Radix()
        self._entries: dict[int, _Entry] = {}
        self._keys: dict[str, int] = {}
        self._loose = 0

    @property
    def used(self) -> int:
        """Cells that are taken; where state is recurrent rather too many than too few."""
        return self._tree.size + self._loose

    @property
    def kept(self) -> int:
        """Sequences that are kept and do not run."""
        return len(self._idle())

    def named(self, key: str) -> list[int]:
        """The tokens that are kept under a key; empty if none are."""
        kept = self._keys.get(key)
        return [] if kept is None else self._entries[kept].tokens

    def known(self, prompt: Sequence[int]) -> int:
        """Tokens of a prompt that `open` would find, at this moment."""
        return self._match(prompt[:-1]).length

    # A run, from its first token to its last.

    def open(self, prompt: Sequence[int], now: float) -> Lease | None:
        """A sequence that holds as much of `prompt` as is known.

        The prompt's last token is always left to be read: its logits choose the first new token.

        Returns:
            None if all sequences run.
        """
        if not self._free:
            return None
        match = self._match(prompt[:-1])
        sequence = self._free.pop()
        if match.length:
            source = self._entries[match.holder]
            source.hits += 1
            source.used_at = now
            self._memory.copy(match.holder, sequence, 0, match.length)
        tokens = list(prompt[: match.length])
        self._entries[sequence] = entry = _Entry(tokens, now)
        if self._memory.partial:
            self._tree.insert(sequence, tokens)
            entry.shared = match.length
        else:
            self._loosen(entry, match.length)
        return Lease(sequence, match.length, match.follows)

    def read(self, sequence: int, tokens: Sequence[int]) -> None:
        """These were decoded at the end of a sequence."""
        entry = self._entries[sequence]
        entry.tokens += tokens
        self._loosen(entry, len(tokens))

    def share(self, sequence: int) -> None:
        """Let others share in all that a running sequence has read.

        A recurrent state is past it already, so that is shared only when the run ends.
        """
        entry = self._entries[sequence]
        if self._memory.partial and entry.shared < len(entry.tokens):
            self._settle(sequence, entry)

    def checkpoint(self, sequence: int, now: float) -> None:
        """Keep what a running sequence holds at this moment, unless it is kept already."""
        self.share(sequence)
        tokens = self._entries[sequence].tokens
        if self._match(tokens).length < len(tokens):
            self._shelve(sequence, _Entry(list(tokens), now), now)

    def close(self, sequence: int, now: float) -> None:
        """A run ended; what it holds is kept unless others hold it all."""
        entry = self._entries[sequence]
        entry.used_at = now
        self.share(sequence)
        if not self._held_elsewhere(sequence, entry):
            kept = self._shelve(sequence, entry, now)
            if kept is not None and self._memory.partial:
                self._clear_beginnings(kept)
        self._leave(sequence)

    def abandon(self, sequence: int) -> None:
        """A run failed: nothing that only it holds is to be trusted."""
        self._leave(sequence)

    # Between runs.

    @property
    def settled(self) -> bool:
        """Whether `settle` has nothing to do."""
        return True

    def settle(self, now: float) -> None:
        """Take a step of what can be done while nobody asks."""

    # What is kept for a name.

    def keep(self, sequence: int, key: str, now: float) -> bool:
        """End a run and keep what it holds under a key, whatever else has to go.

        Returns:
            False if everything that is kept has a name already and there is no place.
        """
        self.release(key)
        entry = self._entries[sequence]
        entry.used_at = now
        self.share(sequence)
        kept = self._shelve(sequence, entry, now)
        self._leave(sequence)
        if kept is not None:
            self._entries[kept].key = key
            self._keys[key] = kept
        return kept is not None

    def release(self, key: str) -> None:
        """What was kept under this key may go as any other."""
        sequence = self._keys.pop(key, None)
        if sequence is not None:
            self._entries[sequence].key = None
            if self._spare(sequence):
                self._leave(sequence)

    @contextmanager
    def borrowed(self, key: str, _now: float) -> Iterator[int]:
        """What is kept under a key, as a sequence that llama.cpp computes and saves.

        Raises:
            LookupError: Nothing is kept under it, or all sequences run.
        """
        kept = self._keys[key]
        sequence = self._free.pop()
        self._memory.copy(kept, sequence, 0, len(self._entries[kept].tokens))
        try:
            yield sequence
        finally:
            self._memory.drop(sequence)
            self._free.append(sequence)

    @property
    def branches(self) -> int:
        """How many ways a run can go on in at once."""
        return len(self._branches)

    @contextmanager
    def branched(self, sequence: int, count: int) -> Iterator[list[int]]:
        """Copies of a running sequence, to be computed on and to be forgotten after that."""
        branches = self._branches[:count]
        for branch in branches:
            self._memory.copy(sequence, branch, 0, len(self._entries[sequence].tokens))
        try:
            yield branches
        finally:
            for branch in branches:
                self._memory.drop(branch)

    # Room.

    def room(self, count: int, now: float) -> bool:
        """Free cells for `count` more tokens, the least valuable prefixes first.

        Returns:
            False if runs hold too much for that.
        """
        while self._cells - self.used < count:
            if not self._evict(now):
                return False
        return True

    def forget_one(self, now: float) -> bool:
        """Let the least valuable prefix go; False if none is left."""
        return self._evict(now)

    def forget_all(self) -> None:
        """Let go of everything that does not run."""
        for sequence in self._idle():
            self._leave(sequence)

    def _evict(self, now: float) -> bool:
        idle = self._idle()
        if not idle:
            return False
        self._part(min(idle, key=lambda sequence: self._value(sequence, now)), now)
        return True

    def _idle(self) -> list[int]:
        """The sequences that are kept and do not run."""
        return [sequence for sequence in self._entries if sequence >= self._runs]

    def _part(self, sequence: int, _now: float) -> None:
        """Let what was kept go for want of room."""
        self._leave(sequence)

    def _value(self, sequence: int, now: float) -> tuple[bool, float]:
        """Tokens that would have to be read again, times their use, fading; named ones last."""
        entry = self._entries[sequence]
        alone = self._tree.alone(sequence) + entry.loose
        return entry.key is not None, value(alone, entry.hits, now - entry.used_at)

    # The books.

    def _match(self, prompt: Sequence[int]) -> Match:
        return self._tree.match(prompt) if self._memory.partial else self._tree.match_whole(prompt)

    def _loosen(self, entry: _Entry, count: int) -> None:
        entry.loose += count
        self._loose += count

    def _settle(self, sequence: int, entry: _Entry) -> None:
        """Put all that a sequence holds into the tree.

        Where another one has read the same meanwhile, its cells take the place of this one's.
        """
        self._tree.remove(sequence)
        known = self._tree.match(entry.tokens)
        self._loosen(entry, -entry.loose)
        if not self._memory.partial:
            self._loosen(entry, known.length)
        elif known.length > entry.shared:
            self._memory.drop(sequence, entry.shared, known.length)
            self._memory.copy(known.holder, sequence, entry.shared, known.length)
        self._tree.insert(sequence, entry.tokens)
        entry.shared = len(entry.tokens)

    def _shelve(self, sequence: int, entry: _Entry, now: float) -> int | None:
        """Keep what a run holds in a sequence of its own; None if there is no place for it."""
        if not self._shelves and not self._evict(now):
            return None
        kept = self._shelves.pop()
        self._memory.copy(sequence, kept, 0, len(entry.tokens))
        self._entries[kept] = mine = _Entry(list(entry.tokens), now)
        mine.hits, mine.shared = entry.hits, entry.shared
        self._settle(kept, mine)
        return kept

    def _leave(self, sequence: int) -> None:
        """Let a sequence go, and with it what nobody else holds."""
        entry = self._entries.pop(sequence)
        self._loosen(entry, -entry.loose)
        if entry.key is not None:
            del self._keys[entry.key]
        self._tree.remove(sequence)
        self._memory.drop(sequence)
        (self._free if sequence < self._runs else self._shelves).append(sequence)

    def _held_elsewhere(self, sequence: int, entry: _Entry) -> bool:
        """Whether nothing is lost when this run goes."""
        if self._memory.partial:
            return not entry.tokens or self._tree.covered(sequence)
        return self._match(entry.tokens).length == len(entry.tokens)

    def _spare(self, sequence: int) -> bool:
        """Whether nothing is lost with what was kept: others hold the same and more."""
        if self._memory.partial:
            return self._tree.covered(sequence)
        return self._tree.ends_elsewhere(sequence)

    def _clear_beginnings(self, sequence: int) -> None:
        """Let go what a longer one makes needless."""
        for other in self._tree.beginnings(sequence):
            entry = self._entries[other]
            if other >= self._runs and entry.key is None:
                self._leave(other)


def value(tokens: int, hits: int, age_s: float) -> float:
    """Tokens that would have to be read again, times their use, fading."""
    fading: float = 0.5 ** (age_s / HALF_LIFE_S)
    return tokens * (1 + hits) * fading
