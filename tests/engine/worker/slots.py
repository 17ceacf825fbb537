"""A context's cells in a row, of which the lowest free ones are taken, as llama.cpp does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.engine.worker.host import State

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN_SIZE = 4000


class Slot:
    def __init__(self, position: int, token: int, sequence: int) -> None:
        self.position = position
        self.token = token
        self.sequences = {sequence}


class Slots:
    partial = True

    def __init__(self, count: int) -> None:
        self.row: list[Slot | None] = [None] * count
        self.fails = False
        self.copied = 0
        self.copied_in = 0

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        for slot in self._of(source):
            if start <= slot.position < end:
                assert target not in slot.sequences
                slot.sequences.add(target)

    def drop(self, sequence: int, start: int = 0, end: int = -1) -> None:
        for index, slot in enumerate(self.row):
            if slot is None or sequence not in slot.sequences or slot.position < start:
                continue
            if end < 0 or slot.position < end:
                slot.sequences.remove(sequence)
                if not slot.sequences:
                    self.row[index] = None

    def decode(self, sequence: int, tokens: list[int]) -> None:
        for position, token in enumerate(tokens, len(self.tokens(sequence))):
            self._take(Slot(position, token, sequence))

    def tokens(self, sequence: int) -> list[int]:
        slots = sorted(self._of(sequence), key=lambda slot: slot.position)
        assert [slot.position for slot in slots] == list(range(len(slots)))
        return [slot.token for slot in slots]

    def state_bytes(self, sequence: int) -> int:
        return TOKEN_SIZE * len(list(self._of(sequence)))

    def copy_out(self, sequence: int) -> State | None:
        content = [(slot.position, slot.token) for slot in self._of(sequence)]
        assert content
        self.copied += len(content)
        return None if self.fails else State(TOKEN_SIZE * len(content), content)

    def copy_in(self, sequence: int, state: State) -> bool:
        assert not list(self._of(sequence))
        self.copied_in += len(state.content)
        for position, token in [] if self.fails else state.content:
            self._take(Slot(position, token, sequence))
        return not self.fails

    @property
    def used(self) -> int:
        return sum(slot is not None for slot in self.row)

    @property
    def extent(self) -> int:
        return max((index + 1 for index, slot in enumerate(self.row) if slot), default=0)

    def _of(self, sequence: int) -> Iterator[Slot]:
        return (slot for slot in self.row if slot and sequence in slot.sequences)

    def _take(self, slot: Slot) -> None:
        self.row[self.row.index(None)] = slot
