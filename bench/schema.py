"""What a JSON Schema costs: decode with one beside decode without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import synthetic
from bench.direct import Direct
from bench.report import Options, Result, run
from bench.schema_verdict import Pair, judge
from edged.engine.frames import Load, Message
from edged.serving.schema import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.engine.frames import Done

POCKET: Final = "pocket"
POCKET_FILE: Final = Path(__file__).parents[1] / "edged" / "data" / "pocket.gguf"
# Made-up weights with the vocabulary of large models; whatever they would say is no JSON, so that
# each token is chosen anew, which no trained model asks for.
LARGE: Final = "overhead"
CONTEXT: Final = 1024
ROUNDS: Final = 7
FULL_ROUNDS: Final = 25
TOKENS: Final = 128  # of some answers together
ANSWER: Final = 32  # of one at most, or those without a schema were shorter, and so less deep
WARM: Final = 2  # answers before those that count
PROMPT: Final = "Describe the lamps of the house as a list in JSON, with room, state and a note."
LAMP: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "room": {"enum": ["kitchen", "bathroom", "living room", "bedroom", "garage"]},
        "on": {"type": "boolean"},
        "level": {"type": "integer", "minimum": 0, "maximum": 100},
        "note": {"type": "string", "minLength": 20, "maxLength": 80},
    },
    "required": ["room", "on", "level", "note"],
}
# Each answer is cut at its limit.
SCHEMA: Final = plain({"type": "array", "items": LAMP, "minItems": ANSWER})
CHOICE: Final[dict[str, Any]] = {"temperature": 0.7, "repeat_penalty": 1.0, "max_tokens": ANSWER}


def measure(options: Options) -> Result:
    """Decode with a JSON Schema beside decode without."""
    rounds = FULL_ROUNDS if options.full else ROUNDS
    pairs = [pair for name, path in models() for pair in _pairs(name, path, rounds)]
    conditions: dict[str, str | float] = {"rounds": rounds, "tokens": TOKENS, "threads": 1}
    return judge(pairs, conditions)


def models() -> Iterator[tuple[str, Path]]:
    """Names and files."""
    yield POCKET, POCKET_FILE
    yield LARGE, synthetic.cached(LARGE)


def _pairs(name: str, path: Path, rounds: int) -> Iterator[Pair]:
    load = Load(path=str(path), n_ctx=CONTEXT, threads=1, threads_batch=1)
    with Direct(load) as worker:
        for number in range(-WARM, rounds):
            free, bound = (_rate(worker, number, schema=schema) for schema in (None, SCHEMA))
            if number >= 0:
                yield Pair(model=name, free_tps=free, bound_tps=bound)


def _rate(worker: Direct, seed: int, **fields: Any) -> float:
    """Tok/s of answers that are long enough together."""
    turn = Message(role="user", content=PROMPT)
    done: list[Done] = []
    while sum(one.completion_tokens for one in done) < TOKENS:
        asked = worker.ask(turn, seed=1000 * (seed + WARM) + len(done), **CHOICE, **fields)
        done += worker.answer(asked)
    made = sum(one.completion_tokens - 1 for one in done)
    return made / max(sum(one.predicted_ms for one in done), 1e-9) * 1e3


if __name__ == "__main__":
    raise SystemExit(run("schema", measure))
