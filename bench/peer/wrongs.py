"""What makes the two sides of a pair unequal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from bench.others import QUIET
from bench.peer.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.asking import Asked
    from bench.peer.pairs import Measured
    from bench.peer.served import Served
    from bench.tasks import Run

P = TypeVar("P", bound=Pair)

SPARED: Final = 0.8  # of the threads' time; what is lost at the ends of a prompt is less
DISK: Final = "disk"  # what the daemon's log calls it
KNOWN_OF_PROMPT: Final = 16  # tokens of the chat template that any two prompts begin with


def undisturbed(pairs: Sequence[P]) -> Sequence[P]:
    """Without those in which others computed, if that leaves any."""
    return [pair for pair in pairs if pair.others < QUIET] or pairs


WRONGS: Final[tuple[tuple[str, Callable[[Measured], bool]], ...]] = (
    (
        "others computed in every pair of a kind, so their figures are not to be trusted",
        lambda m: any(
            all(pair.others >= QUIET for pair in kind) and kind
            for kind in (m.rates, m.streams, m.warm, m.disk)
        ),
    ),
    (
        "edged met a neighbour and computed on fewer threads than its peer",
        lambda m: any(p.cores < SPARED * p.row.n_threads for p in undisturbed(m.rates)),
    ),
    (
        "a prompt had not the length it was made for",
        lambda m: any(p.reads and p.asked.prompt_tokens != p.row.n_prompt for p in m.rates),
    ),
    (
        "a prompt to read anew was partly known",
        lambda m: any(p.reads and p.asked.cached_tokens > KNOWN_OF_PROMPT for p in m.rates),
    ),
    (
        "the deltas of an answer did not join to its text",
        lambda m: any(asked.streamed != asked.reply.get("text") for asked in m.asked),
    ),
    (
        "edged read the long prefix again though it was warm",
        lambda m: any(_read_again(pair.asked, pair.alone) for pair in m.warm),
    ),
    (
        "llama-server read the long prefix again though it was warm",
        lambda m: any(_read_again(pair.served, pair.alone) for pair in m.warm),
    ),
    (
        "after a restart the long prefix was read again",
        lambda m: any(p.source != DISK or _read_again(p.asked, p.alone) for p in m.disk),
    ),
)


def _read_again(answer: Asked | Served, alone: Run) -> bool:
    return answer.read_tokens > alone.prompt_tokens + KNOWN_OF_PROMPT


def notes(measured: Measured) -> tuple[str, ...]:
    """What makes the two sides unequal, if anything does."""
    return tuple(text for text, wrong in WRONGS if wrong(measured))
