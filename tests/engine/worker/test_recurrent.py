"""The real child runs models whose memory is a state, wholly or in some layers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Done
from tests.engine.harness import engine, load, prompt, real
from tests.engine.worker.conftest import TINY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOKENS = 24


@pytest.mark.parametrize("name", TINY)
def test_a_model_of_each_memory_answers_the_same_each_time(
    tiny: Mapping[str, Path], name: str
) -> None:
    async def body() -> None:
        async with engine(real(), load(path=str(tiny[name]))) as (supervisor, desk):
            for key in ("a", "b"):
                supervisor.submit(prompt("how warm is it", key=key, max_tokens=TOKENS))
                done = await desk.outcome()
                assert isinstance(done, Done)
                assert done.completion_tokens == TOKENS
            assert desk.text("a") == desk.text("b")
            # Logits that are no numbers would choose one token for ever.
            assert len(set(desk.text("a"))) > TOKENS / 2

    asyncio.run(body())
