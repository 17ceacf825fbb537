"""Prompts of an exact number of tokens for the made-up models."""

from __future__ import annotations

from typing import Final

import numpy as np

from bench.tasks import render
from bench.vocabulary import MERGES, SPECIALS

# Each byte of these is one token, for no merge joins them. Many tokens, as a MoE reads a text of
# few different ones with few of its experts, and so faster.
SHORT: Final = "bcdfgjklmpqsuvwxyzBCDFGJKLMPQSUVWXYZ0123456789!#$%&()*+,-./:;=?@[]^_{}~"
LONG: Final = "".join(map(chr, (*range(0xC0, 0x250), *range(0x3B1, 0x482), *range(0x48A, 0x530))))
LONG_BYTES: Final = 2


def text(seed: int, tokens: int) -> str:
    """Characters that are exactly `tokens` tokens; another seed differs from the first one on."""
    rng = np.random.default_rng(seed)
    # Neighbouring seeds begin with different ones, so that no prefix cache knows more of one
    # than of the next.
    pieces = [SHORT[seed % len(SHORT)]]
    left = tokens - 1
    while left:
        alphabet = LONG if left >= LONG_BYTES and rng.random() < 1 / LONG_BYTES else SHORT
        pieces.append(alphabet[int(rng.integers(len(alphabet)))])
        left -= len(pieces[-1].encode())
    return "".join(pieces)


def turn_tokens() -> int:
    """Tokens that the chat template adds to one user turn."""
    return count(render(""))


def count(rendered: str) -> int:
    """Tokens of a rendered prompt whose text is that of `text`."""
    for special in SPECIALS:
        rendered = rendered.replace(special, "\0")
    # What the template says has merges, but no two that could want the same letter.
    for merge in MERGES:
        rendered = rendered.replace(merge.replace(" ", ""), "\0")
    return len(rendered.encode())
