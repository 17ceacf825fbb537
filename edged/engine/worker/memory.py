"""What a context remembers, sequence by sequence, and the bytes of it."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

from edged.engine.worker.host import State
from edged.engine.worker.native import llama

_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Memory:
    """The memory of one llama.cpp context.

    Args:
        context: The context.
        partial: Whether a sequence can be copied and cut at any token.
    """

    def __init__(self, context: Any, *, partial: bool) -> None:
        self._context = context
        self._memory = llama.llama_get_memory(context)
        self.partial = partial

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` hold the tokens from `start` to `end` of `source` as well."""
        if not self.partial:
            start, end = -1, -1
        llama.llama_memory_seq_cp(self._memory, source, target, start, end)

    def drop(self, sequence: int, start: int = 0, end: int = -1) -> None:
        """Let a sequence forget the tokens from `start` to `end`."""
        llama.llama_memory_seq_rm(self._memory, sequence, start, end)

    def length(self, sequence: int) -> int:
        """Tokens that a sequence holds."""
        return int(llama.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def state_bytes(self, sequence: int) -> int:
        """Bytes that `save` takes."""
        return int(llama.llama_state_seq_get_size(self._context, sequence))

    def save(self, sequence: int, target: mmap.mmap, offset: int) -> int:
        """Write the state of a sequence into a map; returns the bytes written, 0 if it failed."""
        size = len(target) - offset
        buffer = (ctypes.c_uint8 * size).from_buffer(target, offset)
        try:
            return int(llama.llama_state_seq_get_data(self._context, buffer, size, sequence))
        finally:
            del buffer  # a map with a pointer into it cannot be closed

    def restore(self, sequence: int, source: mmap.mmap, offset: int, size: int) -> bool:
        """Read a state that `save` wrote into an empty sequence; False if llama.cpp refuses it."""
        buffer = (ctypes.c_uint8 * size).from_buffer(source, offset)
        try:
            read = llama.llama_state_seq_set_data(self._context, buffer, size, sequence)
        finally:
            del buffer
        return int(read) == size

    def copy_out(self, sequence: int) -> State | None:
        """The state of a sequence in memory of its own; None if that failed."""
        size = self.state_bytes(sequence)
        try:
            # What Python's own allocator takes it may keep.
            view = mmap.mmap(-1, size, flags=_ANONYMOUS)
        except (OSError, ValueError):  # of an empty one it is the latter
            return None
        return State(size, view) if self.save(sequence, view, 0) == size else None

    def copy_in(self, sequence: int, state: State) -> bool:
        """Let an empty sequence hold what was copied out; False if llama.cpp refuses it."""
        return self.restore(sequence, state.content, 0, state.size)
