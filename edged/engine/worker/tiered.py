"""Prefixes of which those that no run needs lie in memory instead of the context's cells.

While nobody asks, what is kept is copied out, a block at a time; so cells can be freed at once when
a prompt comes that does not need them, and what it does need is copied back.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from edged.engine.worker.host import Beginning
from edged.engine.worker.prefixes import Lease, Prefixes
from edged.engine.worker.prefixes import Memory as ContextMemory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.engine.worker.host import HostCache, Piece, State

# Tokens copied at once; 25 MB of a 30B-A3B's f16 keys and values, which take a Pi some 20 ms.
STEP = 256
# Cells that may stay in the context for whoever goes on where he was: decoding past so many takes
# a Pi under one percent longer.
HOT = 1024
# Walking past a cell takes a token of a 30B-A3B about a nanosecond for each of its 1,536 heads;
# copying a token back takes about 32 times that. (Where threads divide 512 and more f16 cells by
# place, as many idle ones as one's own left one of two threads idle: 23 ns each on an x86.)
COPIED = 32
# Tokens of an answer that are reckoned with.
EXPECTED = 64
NOTHING = -1
# For fewer tokens no block is copied back.
MIN_COPIED = 8


class Memory(ContextMemory, Protocol):
    """The context's memory, whose cells can be copied out; see `edged.engine.worker.memory`."""

    def state_bytes(self, sequence: int) -> int:
        """Bytes that the state of a sequence takes; 0 if llama.cpp cannot tell."""

    def copy_out(self, sequence: int) -> State | None:
        """The state of a sequence; None if that failed."""

    def copy_in(self, sequence: int, state: State) -> bool:
        """Let an empty sequence hold what was copied out; False if that failed."""


class Tiered(Prefixes):
    """Prefixes in two tiers: the context's cells, and memory.

    Args:
        memory: Of the context.
        host: The second tier.
        cells: As in `Prefixes`.
        runs: As in `Prefixes`.
        sequences: As in `Prefixes`.
        branches: As in `Prefixes`; at least one, through which states come and go.
    """

    def __init__(  # noqa: PLR0913 - those of `Prefixes` and one more
        self,
        memory: Memory,
        host: HostCache,
        *,
        cells: int,
        runs: int,
        sequences: int,
        branches: int,
    ) -> None:
        super().__init__(memory, cells, runs, sequences, branches)
        self._states = memory
        self._host = host
        self._scratch = self._branches[-1]
        self._branching = False
        self._extent = 0
        self._tried: set[int] = set()
        self._settled = True

    @property
    def settled(self) -> bool:
        """Whether `settle` has nothing to do."""
        return self._settled

    @property
    def extent(self) -> int:
        """Cells up to the highest one in use, at most.

        llama.cpp takes the lowest free cells: while any is free below, none above comes into use.
        """
        return max(self._extent, self.used)

    def named(self, key: str) -> list[int]:
        """The tokens that are kept under a key; empty if none are."""
        return super().named(key) or self._host.named(key)

    def known(self, prompt: Sequence[int]) -> int:
        """Tokens of a prompt that `open` would find, at this moment."""
        return max(super().known(prompt), self._host.known(prompt[:-1]))

    # A run, from its first token to its last.

    def open(self, prompt: Sequence[int], now: float) -> Lease | None:
        """A sequence that holds as much of `prompt` as is known, in either tier."""
        self._settled = False
        self._host.touch(prompt[:-1], now)
        if self._free and self._in_the_way(prompt):
            self.set_aside(self._match(prompt[:-1]).holder)
        lease = super().open(prompt, now)
        return lease and self._copy_in(lease, prompt[:-1], now, MIN_COPIED)

    def share(self, sequence: int) -> None:
        """Let others share in all that a running sequence has read."""
        self._extent = self.extent
        super().share(sequence)

    def close(self, sequence: int, now: float) -> None:
        """A run ended; what it holds is kept unless others hold it all."""
        self._settled = False
        super().close(sequence, now)

    @contextmanager
    def branched(self, sequence: int, count: int) -> Iterator[list[int]]:
        """Copies of a running sequence, to be computed on and to be forgotten after that."""
        self._branching = True
        try:
            with super().branched(sequence, count) as branches:
                yield branches
        finally:
            self._branching = False

    # What is kept for a name.

    def keep(self, sequence: int, key: str, now: float) -> bool:
        """End a run and keep what it holds under a key, whatever else has to go."""
        self._settled = False
        return super().keep(sequence, key, now)

    def release(self, key: str) -> None:
        """What was kept under this key may go as any other."""
        super().release(key)
        self._host.release(key)

    @contextmanager
    def borrowed(self, key: str, now: float) -> Iterator[int]:
        """What is kept under a key, as a sequence that llama.cpp computes and saves.

        Raises:
            LookupError: Nothing is kept under it, all sequences run, or they hold all cells.
        """
        if key in self._keys:
            with super().borrowed(key, now) as sequence:
                yield sequence
            return
        tokens = self._host.named(key)
        lease = super().open([*tokens, 0], now)  # the last one is left to be read
        if lease is None:
            raise LookupError(key)
        try:
            lease = self._copy_in(lease, tokens, now, least=1)
            if not tokens or lease.cached < len(tokens):
                raise LookupError(key)
            yield lease.sequence
        finally:
            self.abandon(lease.sequence)

    # Between runs.

    def settle(self, now: float) -> None:
        """Copy out a block of what is kept, or free cells where there are many."""
        for sequence in self._idle():
            if sequence not in self._tried:
                if self._is_out(sequence) or not self._copy_out(sequence):
                    self._tried.add(sequence)
                return
        self._trim(now)
        self._settled = True

    def set_aside(self, last: int = NOTHING) -> None:
        """Free the cells of what no run needs, if it can be had again without reading it.

        Args:
            last: What is needed next, so that nothing else takes its place in the host cache.
        """
        for sequence in sorted(self._idle(), key=lambda each: each == last):
            if self._all_out(sequence):
                self._leave(sequence)

    def forget_all(self) -> None:
        """Let go of everything that does not run, in both tiers."""
        self._host.clear()
        super().forget_all()

    def _in_the_way(self, prompt: Sequence[int]) -> bool:
        """Whether walking past what no run needs takes longer than copying this one's part back."""
        here = super().known(prompt)
        runs = (entry for sequence, entry in self._entries.items() if sequence < self._runs)
        idle = self.extent - here - sum(len(entry.tokens) for entry in runs)
        steps = len(prompt) - self.known(prompt) + EXPECTED
        return idle * steps > COPIED * here

    def _trim(self, now: float) -> None:
        """Free the least valuable cells of too many, but not those used last."""
        newest = max(self._idle(), key=lambda each: self._entries[each].used_at, default=None)
        for sequence in sorted(self._idle(), key=lambda each: self._value(each, now)):
            if self.used <= HOT:
                return
            if sequence != newest and self._tree.alone(sequence) and self._is_out(sequence):
                self._leave(sequence)

    # Copying.

    def _is_out(self, sequence: int) -> bool:
        """Whether the host cache holds all of what is kept, under its name if it has one."""
        entry = self._entries[sequence]
        if entry.key is not None:
            return self._host.named(entry.key) == entry.tokens
        return self._host.known(entry.tokens) == len(entry.tokens)

    def _all_out(self, sequence: int) -> bool:
        """Copy out what is yet to be copied; False if that cannot be done."""
        while not self._is_out(sequence):
            if not self._copy_out(sequence):
                return False
        return True

    def _copy_out(self, sequence: int) -> bool:
        """Copy out the next block; False if there is no room for it, or llama.cpp fails."""
        entry = self._entries[sequence]
        shared = self._host.shared(entry.tokens)
        start = shared[-1].end if shared else 0
        end = min(start + STEP, len(entry.tokens))
        key = entry.key if end == len(entry.tokens) else None
        named = entry.key is not None
        tokens = entry.tokens[:end]
        beginning = Beginning(tokens, entry.used_at, entry.hits, key, named)
        if start == end:
            return self._host.add(beginning, shared, 0, self._state)
        self._memory.copy(sequence, self._scratch, start, end)
        try:
            size = self._states.state_bytes(self._scratch)
            # Or the last block would push out the first.
            if size * len(entry.tokens) > self._host.budget * (end - start):
                return False
            return self._host.add(beginning, shared, size, self._state)
        finally:
            self._memory.drop(self._scratch)

    def _state(self) -> State | None:
        return self._states.copy_out(self._scratch)

    def _copy_in(self, lease: Lease, tokens: Sequence[int], now: float, least: int) -> Lease:
        """Go on in the host cache where the cells end, if it has `least` tokens more."""
        known = self._host.known(tokens)
        if known < lease.cached + least:
            return lease
        follows = self._host.follows(tokens)
        cached = lease.cached
        with self._host.pinned(tokens) as pieces:
            for piece in pieces:
                if piece.end > cached:
                    if not self._copy_piece(piece, lease.sequence, cached, now):
                        follows = NOTHING
                        break
                    self.read(lease.sequence, tokens[cached : piece.end])
                    cached = piece.end
        self.share(lease.sequence)
        return Lease(lease.sequence, cached, follows)

    def _copy_piece(self, piece: Piece, sequence: int, start: int, now: float) -> bool:
        """Let a sequence hold a piece from the place `start` on; False if that failed."""
        count = piece.block.tokens
        if not self.room(count, now):
            return False
        self._extent = max(self._extent, self.used + count)
        if not self._states.copy_in(self._scratch, piece.block.state):
            return False
        self._memory.copy(self._scratch, sequence, start, piece.end)
        self._memory.drop(self._scratch)
        return True

    # The books.

    def _part(self, sequence: int, now: float) -> None:
        """Let cells go for want of room, but not what they hold."""
        if not self._branching:
            self._all_out(sequence)
        super()._part(sequence, now)

    def _leave(self, sequence: int) -> None:
        """Let a sequence go, and with it what nobody else holds."""
        self._extent = self.extent
        super()._leave(sequence)
        self._tried.discard(sequence)
        if not self.used:
            self._extent = 0
