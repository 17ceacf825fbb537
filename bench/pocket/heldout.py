"""The held-out dialogues as tokens, each with a mark: is it a word of the assistant?"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from bench.pocket.corpus import END, SEPARATOR, START, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.pocket.corpus import Dialogue

SEED = 1  # of the training: what is held out of it was never read
CONTEXT = 2048  # tokens that the model was trained for


class Sample(NamedTuple):
    """One dialogue.

    Attributes:
        ids: Its tokens, at most `CONTEXT`.
        answers: For each, whether the assistant says it; the model is judged by these.
    """

    ids: list[int]
    answers: list[bool]


def samples(tokenize: Callable[[str], list[int]], count: int) -> Iterator[Sample]:
    """The first held-out dialogues.

    Args:
        tokenize: Text to tokens; it knows the marks of a turn's beginning and end.
        count: Of dialogues.
    """
    return (encode(tokenize, dialogue) for dialogue in islice(split(SEED, held=True), count))


def encode(tokenize: Callable[[str], list[int]], dialogue: Dialogue) -> Sample:
    """A dialogue as the training cut it into tokens: head, text and end of a turn apart."""
    ids: list[int] = []
    answers: list[bool] = []
    for turn in dialogue:
        says = turn.role == "assistant"
        for text, counted in (
            (f"{START}{turn.role}\n", False),
            (f"{turn.text}{END}", says),
            ("\n", False),
        ):
            tokens = tokenize(text)
            ids += tokens
            answers += [counted] * len(tokens)
    ids += tokenize(SEPARATOR)
    answers += [False] * (len(ids) - len(answers))
    return Sample(ids[:CONTEXT], answers[:CONTEXT])
