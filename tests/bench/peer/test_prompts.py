"""Prompts have the number of tokens they are made for, by llama.cpp's own count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.bare import Bare
from bench.mixes import MIXES
from bench.peer import warmth
from bench.peer.prompts import count, text, turn_tokens
from bench.shapes import SHAPES
from bench.tasks import Settings, render, render_system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    model: Path = tmp_path_factory.mktemp("model") / "m.gguf"
    synthetic.write(model, SHAPES["tiny-spoken"], MIXES["2.70"])
    loaded = Bare(model, Settings(context=256))
    yield loaded
    loaded.close()


@pytest.mark.parametrize("tokens", [1, 2, 3, 50, 501])
def test_a_text_has_its_number_of_tokens(bare: Bare, tokens: int) -> None:
    for seed in range(20):
        assert len(bare.tokenize(text(seed, tokens))) == tokens


def test_a_rendered_turn_is_counted_as_llama_cpp_counts_it(bare: Bare) -> None:
    rendered = render(text(3, 60))
    assert count(rendered) == len(bare.tokenize(rendered)) == 60 + turn_tokens()


def test_prefix_and_question_are_as_long_as_told(bare: Bare) -> None:
    prefix = render_system(warmth.system()) + warmth.HEAD
    tail = warmth.question(5) + warmth.TAIL
    assert len(bare.tokenize(prefix)) == warmth.PREFIX
    assert len(bare.tokenize(tail)) == warmth.QUESTION
    whole = render_system(warmth.system()) + render(warmth.question(5))
    assert prefix + tail == whole
    assert bare.tokenize(prefix) + bare.tokenize(tail) == bare.tokenize(whole)


def test_neighbouring_texts_differ_from_the_first_token_on() -> None:
    firsts = [text(seed, 30).split()[0] for seed in range(40)]
    assert len(set(firsts)) == len(firsts)
    assert text(3, 30) == text(3, 30)


def test_a_long_text_has_hardly_a_token_twice_as_a_random_one(bare: Bare) -> None:
    assert len(set(bare.tokenize(text(1, 500)))) > 480
