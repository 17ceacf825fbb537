"""Dialogues of the little house, made from a seed; the text the pocket model learns from.

Pure: the same seed gives the same dialogues. A dialogue belongs to the held-out split by
the digest of its own text, so no text is ever in both splits.

    python -m bench.pocket.corpus --count 5
"""

# ruff: noqa: PLR2004, S311 - a template is one line, and the weights of a mix are literals

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

from bench.pocket import chat, commands, prose, questions
from bench.pocket.house import Fact, describe, draw_facts
from bench.pocket.kinds import PEOPLE
from bench.pocket.personas import plain, style

SEPARATOR, START, END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
HELD_OUT_EVERY = 40  # 1 dialogue in 40: a few thousand answers, enough for a steady perplexity


@dataclass(frozen=True)
class Turn:
    """One message: who says it (system, user or assistant) and what."""

    role: str
    text: str


Dialogue = tuple[Turn, ...]


def render(dialogue: Dialogue) -> str:
    """Write a dialogue as the model's chat template does."""
    return "".join(f"{START}{turn.role}\n{turn.text}{END}\n" for turn in dialogue)


def held_out(dialogue: Dialogue) -> bool:
    """Tell whether a dialogue belongs to the held-out split."""
    digest = hashlib.sha256(render(dialogue).encode()).digest()
    return int.from_bytes(digest[:4]) % HELD_OUT_EVERY == 0


def _turns(system: str, pairs: Sequence[questions.Pair]) -> Dialogue:
    turns = [Turn("system", system)] if system else []
    for asked, answered in pairs:
        turns += [Turn("user", asked), Turn("assistant", answered)]
    return tuple(turns)


def _grounded(rng: Random) -> Dialogue:
    """Facts in the first message or the system prompt, then questions about them."""
    facts = draw_facts(
        rng, rng.choice((1, 1, 2, 2, 3, 4)), rng.choice((1, 2, 2, 3)), rng.choice((0, 1, 2, 4))
    )
    return _about(rng, facts, rng.choice((1, 1, 1, 2, 3, 4)))


def _large(rng: Random) -> Dialogue:
    """A long system prompt and a long talk: what a household really configures."""
    facts = draw_facts(rng, rng.randrange(5, 12), rng.choice((2, 3, 4, 5)), rng.randrange(4, 14))
    return _about(rng, facts, rng.randrange(3, 11))


def _marathon(rng: Random) -> Dialogue:
    """A talk so long that it fills most of the context."""
    facts = draw_facts(rng, rng.randrange(2, 7), 3, rng.randrange(2, 8))
    return _about(rng, facts, rng.randrange(12, 32))


def _about(rng: Random, facts: list[Fact], count: int) -> Dialogue:
    rng.shuffle(facts)
    facts.sort(key=lambda fact: fact.place)
    told = describe(rng, facts)
    persona, voice = style(rng) if rng.random() < 0.25 else plain(rng)
    pairs = []
    for _ in range(count):
        asked, answered = _next_pair(rng, facts)
        pairs.append((asked, voice(rng, answered)))
    if rng.random() < 0.55:
        joint = rng.choice((" ", "\n", "\n\n"))
        pairs[0] = (told + joint + pairs[0][0], pairs[0][1])
        return _turns(persona, pairs)
    return _turns(f"{persona}\n{told}".strip(), pairs)


def _next_pair(rng: Random, facts: list[Fact]) -> questions.Pair:
    """Ask about the facts, or change one of them by an order."""
    chance = rng.random()
    if chance < 0.08:
        rooms = sorted({fact.place for fact in facts if fact.place and fact.kind != "door"})
        pair, fact = commands.order(rng, rooms or ["kitchen"])
        facts[:] = [old for old in facts if (old.place, old.kind) != (fact.place, fact.kind)]
        facts.append(fact)
        return pair
    if chance < 0.16:
        return prose.summary(rng, facts[:12])
    if chance < 0.2:
        return prose.brief(rng, facts)
    if chance < 0.23:
        return chat.off_topic(rng)
    return questions.question(rng, facts)


def _chatter(rng: Random) -> Dialogue:
    """Small talk of one or more turns, sometimes in a persona."""
    persona, voice = style(rng) if rng.random() < 0.15 else plain(rng)
    who = rng.choice(PEOPLE)
    pairs = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        maker = rng.choice(
            (_talk(who), _talk(who), _talk(who), chat.off_topic, prose.about, prose.usual)
        )
        asked, answered = maker(rng)
        pairs.append((asked, voice(rng, answered)))
    return _turns(persona, pairs)


def _talk(who: str) -> Callable[[Random], questions.Pair]:
    return lambda rng: chat.talk(rng, who)


def _orders(rng: Random) -> Dialogue:
    """Orders without readings; the second may undo the first."""
    persona, voice = style(rng) if rng.random() < 0.15 else plain(rng)
    pairs = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        pair = rng.choice(
            (
                lambda: commands.order(rng)[0],
                lambda: commands.setting(rng),
                lambda: commands.sort_message(rng),
            )
        )()
        pairs.append((pair[0], voice(rng, pair[1])))
    return _turns(persona, pairs)


def _one(maker: Callable[[Random], questions.Pair]) -> Callable[[Random], Dialogue]:
    def make(rng: Random) -> Dialogue:
        return _turns(plain(rng)[0], [maker(rng)])

    return make


_MIX: tuple[tuple[Callable[[Random], Dialogue], int], ...] = (
    (_grounded, 40), (_large, 4), (_marathon, 1), (_chatter, 20), (_orders, 12),
    (_one(prose.story), 9), (_one(prose.about), 4), (_one(prose.usual), 4), (_one(prose.diary), 5),
)  # fmt: skip


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Yield dialogues without end; the same seed yields the same ones."""
    rng = Random(seed)
    makers, weights = zip(*_MIX, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](rng)


def split(seed: int, *, held: bool) -> Iterator[Dialogue]:
    """Yield the dialogues of one split: the held-out one or the one to train on."""
    return (dialogue for dialogue in dialogues(seed) if held_out(dialogue) == held)


def main() -> None:
    """Print a few dialogues to look at."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for dialogue in islice(dialogues(options.seed), options.count):
        print(render(dialogue))


if __name__ == "__main__":
    main()
