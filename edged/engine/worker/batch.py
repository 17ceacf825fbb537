"""The tokens of one step, of several sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.engine.worker.native import llama

if TYPE_CHECKING:
    from collections.abc import Sequence


class Batch:
    """A llama_batch, allocated once and filled anew for each step.

    Args:
        capacity: Tokens it can hold.
        width: Sequences that one of them can be of.
    """

    def __init__(self, capacity: int, width: int = 1) -> None:
        self.native = native = llama.llama_batch_init(capacity, 0, width)
        self.capacity = capacity
        # Each access to a field of a structure makes a new pointer object: keep them.
        self._tokens = native.token
        self._positions = native.pos
        self._logits = native.logits
        self._sequences = [native.seq_id[row] for row in range(capacity)]
        self._widths = native.n_seq_id
        for row in range(capacity):
            self._widths[row] = 1
        self._forked = 0
        self.size = 0

    def clear(self) -> None:
        """Begin a step."""
        for row in range(self._forked):
            self._widths[row] = 1
        self._forked = self.size = 0

    def add(self, token: int, position: int, sequence: int) -> int:
        """One token whose logits are wanted; returns its row."""
        row = self.size
        self._tokens[row] = token
        self._positions[row] = position
        self._sequences[row][0] = sequence
        self._logits[row] = 1
        self.size = row + 1
        return row

    def fork(self, token: int, position: int, sequences: Sequence[int]) -> int:
        """One token of several sequences, whose logits are wanted; returns its row."""
        row = self.add(token, position, sequences[0])
        for place, sequence in enumerate(sequences):
            self._sequences[row][place] = sequence
        self._widths[row] = len(sequences)
        self._forked = self.size
        return row

    def extend(self, tokens: Sequence[int], position: int, sequence: int, *, logits: bool) -> int:
        """Some tokens of a prompt, the last one with logits if wanted; returns its row."""
        row = self.size
        for row, token in enumerate(tokens, self.size):
            self._tokens[row] = token
            self._positions[row] = position
            self._sequences[row][0] = sequence
            self._logits[row] = 0
            position += 1
        self._logits[row] = int(logits)
        self.size = row + 1
        return row

    def ready(self) -> None:
        """Set the count; the step can be decoded."""
        self.native.n_tokens = self.size
