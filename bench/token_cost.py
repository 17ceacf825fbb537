"""What a token costs besides `llama_decode`: choosing it, its text, the loop around it."""

from __future__ import annotations

import mmap
import tempfile
from statistics import median
from typing import TYPE_CHECKING, Final

from bench import synthetic
from bench.direct import Direct
from bench.notes import SIZE, Notebook, between
from bench.others import Others
from bench.report import Options, Result, run
from bench.token_cost_verdict import LONG, SHORT, TAIL, Cost, judge
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.notes import Note

VOCABULARIES: Final = ("1k", "152k")
STREAMS: Final = (1, 4)
CONTEXT: Final = 5120
ROUNDS: Final = 1  # of some thousand tokens each, and CPU time knows no neighbours
FULL_ROUNDS: Final = 5
SHORT_ANSWERS: Final = 12  # a round; one alone is over in a few hundredths of a second
CHOICES: Final[dict[str, Mapping[str, float]]] = {
    "greedy": {"temperature": 0.0, "repeat_penalty": 1.0},
    "sampled": {
        "temperature": 0.7,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.05,
        "repeat_penalty": 1.1,
        "seed": 1,
    },
}
PROMPT: Final = "The bathroom feels colder than this morning. Which window may be open?"
# A letter that no merge joins is a token: as deep as the last ones of a long answer are, and as
# with those each stream has a beginning of its own, so that decoding reads as much.
DEEP: Final = tuple(letter + "z" * (LONG - TAIL // 2) for letter in "bcdf")
SHALLOW: Final = (PROMPT,) * len(DEEP)


def measure(options: Options) -> Result:
    """Microseconds of a token that are not llama_decode."""
    rounds = FULL_ROUNDS if options.full else ROUNDS
    others = Others()
    costs = [
        cost
        for vocabulary in VOCABULARIES
        for streams in STREAMS
        for cost in _costs(vocabulary, streams, rounds)
    ]
    conditions: dict[str, str | float] = {
        "rounds": rounds,
        "threads": 1,
        "context": CONTEXT,
        "cores that others took": round(others.cores, 2),
    }
    return judge(costs, conditions)


def _costs(vocabulary: str, streams: int, rounds: int) -> Iterator[Cost]:
    model = synthetic.cached(f"slight-{vocabulary}")
    load = Load(
        path=str(model),
        n_ctx=CONTEXT,
        threads=1,
        threads_batch=1,
        streams=streams,
        prefix_tokens=streams * CONTEXT,
    )
    with tempfile.NamedTemporaryFile(prefix="edged-bench-") as file:
        file.truncate(SIZE)
        with (
            mmap.mmap(file.fileno(), SIZE) as page,
            Direct(load, ("-m", "bench.timed_worker", file.name)) as worker,
        ):
            meter = Meter(worker, Notebook(page), vocabulary, streams)
            for contents in (SHALLOW, DEEP):
                meter.notes("greedy", contents, SHORT)
            for _ in range(rounds):
                for choice in CHOICES:
                    yield from meter.costs(choice)


class Meter:
    """Takes the cost of answers of one worker.

    Args:
        worker: Notes what passes between its decodes.
        notebook: Where it does.
        vocabulary: Named by its size.
        streams: Answers side by side.
    """

    def __init__(self, worker: Direct, notebook: Notebook, vocabulary: str, streams: int) -> None:
        self._worker = worker
        self._notebook = notebook
        self._vocabulary = vocabulary
        self._streams = streams

    def costs(self, choice: str) -> Iterator[Cost]:
        """One of each kind."""
        half = SHORT_ANSWERS // 2
        # Half of the short answers on each side of the long one, for a load may rise or fall.
        short, deep = self._short(choice, half)
        long = self.notes(choice, SHALLOW, LONG)
        more_short, more_deep = self._short(choice, half)
        yield self._cost(choice, "short", short + more_short)
        yield self._cost(choice, "long", long)
        yield self._cost(choice, "late", long[-TAIL:])
        yield self._cost(choice, "deep", deep + more_deep)

    def notes(self, choice: str, contents: Sequence[str], size: int) -> list[Note]:
        """Of answers of `size` tokens, one for each stream, side by side.

        Args:
            choice: Of CHOICES.
            contents: The prompt of each stream.
            size: Tokens.

        Raises:
            RuntimeError: An answer was shorter.
        """
        self._notebook.take()
        fields = {**CHOICES[choice], "max_tokens": size}
        turns = [Message(role="user", content=content) for content in contents[: self._streams]]
        asked = [self._worker.ask(turn, **fields) for turn in turns]
        if any(done.completion_tokens != size for done in self._worker.answer(*asked)):
            message = "an answer ended before its limit"
            raise RuntimeError(message)
        return between(self._notebook.take(), self._streams)

    def _short(self, choice: str, count: int) -> tuple[list[Note], list[Note]]:
        return (
            [note for _ in range(count) for note in self.notes(choice, SHALLOW, SHORT)],
            [note for _ in range(count) for note in self.notes(choice, DEEP, SHORT)],
        )

    def _cost(self, choice: str, kind: str, notes: list[Note]) -> Cost:
        tokens = self._streams * len(notes)
        return Cost(
            vocabulary=self._vocabulary,
            choice=choice,
            streams=self._streams,
            kind=kind,
            cpu_us=sum(note.cpu_ns for note in notes) / tokens / 1e3,
            typical_us=median(note.cpu_ns for note in notes) / self._streams / 1e3,
            wall_us=sum(note.wall_ns for note in notes) / tokens / 1e3,
        )


if __name__ == "__main__":
    raise SystemExit(run("token_cost", measure))
