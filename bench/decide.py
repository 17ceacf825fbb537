"""What a decision costs: beside reading its prompt, and beside writing it under a schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bench.decide_verdict import Case, judge
from bench.direct import Direct
from bench.report import Options, Result, run
from bench.schema import LARGE, POCKET, models
from edged.engine.frames import Delta, Done, Load, Message
from edged.serving.schema import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTEXT: Final = 1024
ROUNDS: Final = 6
FULL_ROUNDS: Final = 24
# Of one or two tokens each, as such words are in the vocabularies of large models; the made-up one
# spells what it does not know, and letters are what it knows.
CHOICES: Final = {
    POCKET: ("kitchen", "bathroom", "living room", "bedroom"),
    LARGE: ("b", "c", "d f", "g"),
}
# So that the prompt has some 500 tokens, as one that describes a house.
REPEATS: Final = {POCKET: 11, LARGE: 5}
WISHES: Final = (
    "Turn on the light in the {room}.",
    "It is too warm in the {room}.",
    "Is the window in the {room} open?",
    "Close the blinds of the {room}, please.",
)
HOUSE: Final = (
    "You sort wishes by room. The house has a kitchen, a bathroom, a living room and a bedroom. "
    "Each room has a lamp, a window and a thermometer. Answer with the name of one room. "
)


def measure(options: Options) -> Result:
    """A decision beside reading its prompt, and beside writing it under a schema."""
    rounds = FULL_ROUNDS if options.full else ROUNDS
    cases = [case for name, path in models() for case in _cases(name, path, rounds)]
    return judge(cases, {"rounds": rounds, "choices": len(CHOICES[POCKET]), "threads": 1})


def _cases(name: str, path: Path, rounds: int) -> Iterator[Case]:
    load = Load(path=str(path), n_ctx=CONTEXT, threads=1, threads_batch=1)
    with Direct(load) as worker:
        asker = Asker(worker, name)
        asker.case(0)
        for number in range(1, rounds + 1):
            yield asker.case(number)


class Asker:
    """Asks for decisions in several ways.

    Args:
        worker: Is asked.
        model: Its name.
    """

    def __init__(self, worker: Direct, model: str) -> None:
        self._worker = worker
        self._model = model
        self._choices = CHOICES[model]
        self._house = HOUSE * REPEATS[model]
        self._schema = plain(
            {
                "type": "object",
                "properties": {"room": {"enum": list(self._choices)}},
                "required": ["room"],
            }
        )

    def case(self, number: int) -> Case:
        """One decision."""
        room = self._choices[number % len(self._choices)]
        wish = WISHES[number // len(self._choices) % len(WISHES)].format(room=room)
        # Another beginning each time, so that the prompt is read as a whole.
        _, bare = self._ask(f"{number} bare", wish, max_tokens=1)
        _, cold = self._ask(f"{number} cold", wish, choices=self._choices)
        # The same once more: now only the last token of the prompt is to be read.
        _, warm = self._ask(f"{number} cold", wish, choices=self._choices)
        text, written = self._ask(f"{number} cold", wish, schema=self._schema, max_tokens=64)
        picked = self._choices[cold.scores.index(max(cold.scores))]
        return Case(
            model=self._model,
            prompt_tokens=cold.prompt_tokens,
            bare_ms=bare.prompt_ms,
            cold_ms=cold.prompt_ms + cold.predicted_ms,
            warm_ms=warm.prompt_ms + warm.predicted_ms,
            written_ms=written.prompt_ms + written.predicted_ms,
            agrees=json.loads(text)["room"] == picked,
        )

    def _ask(self, nonce: str, wish: str, **fields: Any) -> tuple[str, Done]:
        """The text of an answer and its sums."""
        system = Message(role="system", content=f"{nonce}. {self._house}")
        asked = self._worker.ask(system, Message(role="user", content=wish), **fields)
        self._worker.say(asked)
        parts: list[str] = []
        while not isinstance(frame := self._worker.hear(), Done):
            if isinstance(frame, Delta):
                parts.append(frame.text)
        return "".join(parts), frame


if __name__ == "__main__":
    raise SystemExit(run("decide", measure))
