"""Saved prefixes made up for tests."""

from __future__ import annotations

from typing import Any

from edged.engine.frames import Message
from edged.engine.shelf import Found
from edged.engine.statefile import Header, Identity, seal

KEY = bytes(range(32))
IDENTITY = Identity(
    model="m" * 64,
    build="0.3.36 abc",
    system="CPU : NEON = 1",
    machine="aarch64",
    description="qwen3moe 30B",
    n_params=30_000_000_000,
    n_vocab=151_936,
    kv_type="f16",
    flash_attention=True,
)
SYSTEM = "You are the butler of this house, and you answer in one short sentence at most."


def system(text: str = SYSTEM) -> tuple[Message, ...]:
    return (Message(role="system", content=text),)


def header(**changes: Any) -> Header:
    fields: dict[str, Any] = {
        "identity": IDENTITY,
        "name": "butler",
        "messages": system(),
        "tokens": 20,
        "state_bytes": 5000,
        "uses": 1,
    }
    return Header(**(fields | changes))


def found(file: str, size: int = 10_000, **changes: Any) -> Found:
    return Found(file=file, bytes=size, header=header(**changes))


def whole(head: Header | None = None, state: bytes = b"s" * 5000, key: bytes = KEY) -> bytes:
    """A file as it lies on disk."""
    return seal(key, head or header(), [state]) + state
