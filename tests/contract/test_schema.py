"""Answers that obey a schema, from the scripted child and from the real one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Done, Failed
from edged.serving.schema import plain
from tests.engine.harness import engine, prompt
from tests.serving.schemas import obeys

if TYPE_CHECKING:
    from edged.engine.supervisor import Settings

pytestmark = pytest.mark.process

SCHEMA = {
    "type": "object",
    "properties": {
        "room": {"enum": ["kitchen", "bathroom"]},
        "on": {"type": "boolean"},
        "level": {"type": "integer", "minimum": 0, "maximum": 100},
        "notes": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
    },
    "required": ["room", "on", "level"],
}


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_a_whole_answer_obeys(child: Settings, temperature: float) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            asked = prompt(schema=plain(SCHEMA), temperature=temperature, seed=5, max_tokens=200)
            supervisor.submit(asked)
            done = await desk.until(Done)
            assert done.finish_reason == "stop"
            assert obeys(json.loads(desk.text()), SCHEMA)

    asyncio.run(body())


def test_a_cut_answer_says_so(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt(schema=plain(SCHEMA), max_tokens=2))
            done = await desk.until(Done)
            assert (done.finish_reason, done.completion_tokens) == ("length", 2)

    asyncio.run(body())


def test_others_beside_it_are_free(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt("turn on the light", key="free", max_tokens=5))
            await desk.until(Done)
            alone = desk.text("free")
            supervisor.submit(prompt(schema=plain(SCHEMA), key="bound", max_tokens=200))
            await desk.until(Done)
            supervisor.submit(prompt("turn on the light", key="again", max_tokens=5))
            end = await desk.outcome()
            assert not isinstance(end, Failed)
            assert desk.text("again") == alone

    asyncio.run(body())
