"""Which tokens the context holds, and how much of a new prompt they spare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Memory(Protocol):
    """The context's memory for one sequence; see `edged.engine.worker.model.Model`."""

    def keep(self, count: int) -> bool:
        """Forget all but the first `count` tokens; False where the model cannot do that."""

    def clear(self) -> None:
        """Forget the sequence."""


class Held:
    """The tokens whose keys and values stand in the context, in their order.

    A prompt that begins like them is read from the first difference on. The context is only
    ever trimmed here, so what `tokens` says and what it holds cannot part.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.tokens: list[int] = []

    def reuse(self, prompt: Sequence[int]) -> int:
        """Trim to what the prompt shares with the context.

        The prompt's last token is always read again: its logits choose the first new token.

        Returns:
            The number of tokens that need not be read.
        """
        self.trim(common(self.tokens, prompt[:-1]))
        return len(self.tokens)

    def trim(self, count: int) -> None:
        """Forget all but the first `count` tokens, or everything where that cannot be done."""
        if count and self._memory.keep(count):
            del self.tokens[count:]
        else:
            self._memory.clear()
            self.tokens.clear()


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
