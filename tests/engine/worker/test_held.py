from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.held import Held, common

few = st.lists(st.integers(0, 2), max_size=12)


class FakeMemory:
    """Counts tokens as llama.cpp's memory would; `recurrent` cannot drop a tail."""

    def __init__(self, *, recurrent: bool = False) -> None:
        self.recurrent = recurrent
        self.size = 0

    def keep(self, count: int) -> bool:
        if self.recurrent and count < self.size:
            return False
        self.size = min(self.size, count)
        return True

    def clear(self) -> None:
        self.size = 0


@given(few, few)
def test_common_is_the_longest_shared_beginning(first: list[int], second: list[int]) -> None:
    length = common(first, second)
    assert first[:length] == second[:length]
    assert length == min(len(first), len(second)) or first[length] != second[length]


@given(st.booleans(), st.lists(st.tuples(few.filter(bool), st.integers(0, 12)), max_size=8))
def test_what_it_says_is_what_the_context_holds(
    recurrent: bool, runs: list[tuple[list[int], int]]
) -> None:
    memory = FakeMemory(recurrent=recurrent)
    held = Held(memory)
    for prompt, generated in runs:
        before = list(held.tokens)
        cached = held.reuse(prompt)
        # Never the whole prompt: its last token makes the first logits.
        assert cached < len(prompt)
        assert held.tokens == prompt[:cached] == before[:cached]
        assert memory.size == cached
        new = [*prompt[cached:], *([7] * generated)]
        held.tokens += new
        memory.size += len(new)


def test_a_step_that_was_cut_off_is_trimmed_away() -> None:
    memory = FakeMemory()
    held = Held(memory)
    held.tokens = [1, 2, 3]
    memory.size = 5
    held.trim(3)
    assert memory.size == 3


def test_a_model_without_tail_removal_starts_anew() -> None:
    memory = FakeMemory(recurrent=True)
    held = Held(memory)
    held.tokens, memory.size = [1, 2, 3], 3
    assert held.reuse([1, 2, 9, 9]) == 0
    assert (held.tokens, memory.size) == ([], 0)
