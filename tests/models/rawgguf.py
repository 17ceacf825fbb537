"""GGUF files made by hand, so that a test can get any byte of them wrong."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q"}
U32, I32, F32, STR, ARR = 4, 5, 6, 8, 9
Value = tuple[int, Any]


@lru_cache(4096)  # a large vocabulary repeats itself
def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def body(kind: int, value: Any) -> bytes:
    if kind == STR:
        return text(value)
    if kind == ARR:
        element, items = value
        if element in FORMATS:
            packed = struct.pack(f"<{len(items)}{FORMATS[element]}", *items)
            return struct.pack("<IQ", element, len(items)) + packed
        return struct.pack("<IQ", element, len(items)) + b"".join(body(element, i) for i in items)
    return struct.pack("<" + (FORMATS | {12: "d"})[kind], value)


def tiny() -> dict[str, Value]:
    """The metadata of a small sound model."""
    return {
        "general.architecture": (STR, "llama"),
        "general.name": (STR, "tiny"),
        "general.file_type": (U32, 7),
        "llama.block_count": (U32, 2),
        "llama.context_length": (U32, 512),
        "llama.embedding_length": (U32, 64),
        "llama.attention.head_count": (U32, 4),
        "llama.attention.head_count_kv": (U32, 2),
        "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
        "tokenizer.ggml.tokens": (ARR, (STR, ["a", "b", "</s>"])),
        "tokenizer.ggml.scores": (ARR, (F32, [0.0, 0.0, 0.0])),
        "tokenizer.ggml.token_type": (ARR, (I32, [1, 1, 3])),
        "tokenizer.chat_template": (STR, "{{ messages }}"),
    }


# name, dims, type, offset
TENSORS = [("token_embd.weight", (64, 3), 8, 0), ("output_norm.weight", (64,), 0, 224)]
DATA_BYTES = 224 + 256


def build(  # noqa: PLR0913 - each is one field of the format
    keys: dict[str, Value] | list[tuple[str, Value]] | None = None,
    tensors: list[Any] | None = None,
    *,
    magic: bytes = b"GGUF",
    version: bytes = b"\3\0\0\0",
    alignment: int = 32,
    key_count: int | None = None,
    tensor_count: int | None = None,
    data: int = DATA_BYTES,
) -> bytes:
    """A file; every default is sound."""
    pairs = list((tiny() if keys is None else keys).items()) if not isinstance(keys, list) else keys
    listed = TENSORS if tensors is None else tensors
    out = magic + version
    out += struct.pack("<Q", len(listed) if tensor_count is None else tensor_count)
    out += struct.pack("<Q", len(pairs) if key_count is None else key_count)
    for key, (kind, value) in pairs:
        out += text(key) + struct.pack("<I", kind) + body(kind, value)
    for name, dims, kind, offset in listed:
        out += text(name) + struct.pack("<I", len(dims))
        out += b"".join(struct.pack("<Q", extent) for extent in dims)
        out += struct.pack("<IQ", kind, offset)
    return out + bytes(-len(out) % alignment) + bytes(data)
