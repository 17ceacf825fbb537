"""Prompts of an exact number of tokens for the made-up models of large vocabularies."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from bench.tasks import render
from bench.vocabulary import MERGES, SPECIALS, SPOKEN_LETTERS, spelt

# Each is one token after a space. As many as these, as llama-bench reads random tokens: a text of
# 150 different ones was read in 1.016 times the time of those.
WORDS: Final = tuple(spelt(SPOKEN_LETTERS))


def text(seed: int, tokens: int) -> str:
    """Words that are exactly `tokens` tokens; another seed differs from the first one on."""
    rng = np.random.default_rng(seed)
    # Neighbouring seeds begin with different ones, so that no prefix cache knows more of one
    # than of the next.
    chosen = [seed % len(WORDS), *rng.integers(len(WORDS), size=tokens - 1)]
    return "".join(f" {WORDS[number]}" for number in chosen)


def turn_tokens() -> int:
    """Tokens that the chat template adds to one user turn."""
    return count(render(""))


def count(rendered: str) -> int:
    """Tokens of a rendered prompt whose text is that of `text`."""
    for special in SPECIALS:
        rendered = rendered.replace(special, "\0")
    rendered = re.sub(rf" [a-z]{{{SPOKEN_LETTERS}}}", "\0", rendered)
    # What the template says has merges, but no two that could want the same letter.
    for merge in MERGES:
        rendered = rendered.replace(merge.replace(" ", ""), "\0")
    return len(rendered.encode())
