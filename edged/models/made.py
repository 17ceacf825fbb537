"""Small made-up models: true layers, valid blocks, random weights, written as GGUF.

Decoding costs what it costs with trained weights of the same shapes and types, so a board can be
calibrated without downloading anything.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec

from edged.models.blocks import nbytes, pool
from edged.models.cursor import ARRAY, FLOAT32, INT32, STRING, UINT32
from edged.models.ggml import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALIGNMENT = 32
CHUNK_BYTES = 4 << 20
VOCABULARY = 1024  # so few that the output costs next to nothing
CONTEXT = 16_384
ROPE_BASE = 1e6
EPSILON = 1e-6
_NUMBERS = {each.name: number for number, each in TYPES.items()}
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # llama.cpp's kinds of tokens
_SPECIALS = (("<unk>", _UNKNOWN), ("<s>", _CONTROL), ("</s>", _CONTROL))
_BYTE_TOKENS, _BYTE_KIND = 256, 6


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A Qwen3 model's geometry and its types.

    Attributes:
        layers: Blocks.
        kind: Type of the matrices of attention and of a dense feed-forward.
        ff: Width of the feed-forward, or of one expert.
        width: Of the residual stream.
        heads: Query heads.
        kv_heads: Key and value heads.
        head: Width of a head.
        experts: In a block; 0 makes a dense model.
        used: Experts that read each token.
        expert_kind: Type of their matrices.
        table_kind: Type of the embedding and the output.
        hollow: All matrices of blocks but those that choose experts are zeros, which take no room
            on disk and as long to compute.
    """

    layers: int
    kind: str
    ff: int
    width: int = 2048
    heads: int = 32
    kv_heads: int = 4
    head: int = 128
    experts: int = 0
    used: int = 0
    expert_kind: str = "q4_K"
    table_kind: str = "q8_0"
    hollow: bool = False

    @property
    def architecture(self) -> str:
        """llama.cpp's name."""
        return "qwen3moe" if self.experts else "qwen3"


class Part(msgspec.Struct, frozen=True):
    """One tensor.

    Attributes:
        name: As llama.cpp looks it up.
        dims: Fastest first.
        kind: Type.
        ones: It is a norm's: all one.
    """

    name: str
    dims: tuple[int, ...]
    kind: str
    ones: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        weights = 1
        for extent in self.dims:
            weights *= extent
        return nbytes(self.kind, weights)


def parts(shape: Shape) -> list[Part]:
    """Every tensor, in the order of the file."""
    table = (shape.width, VOCABULARY)
    return [
        Part("token_embd.weight", table, shape.table_kind),
        *(part for layer in range(shape.layers) for part in _layer(shape, f"blk.{layer}")),
        Part("output_norm.weight", (shape.width,), "f32", ones=True),
        Part("output.weight", table, shape.table_kind),
    ]


def size(shape: Shape) -> int:
    """Bytes of all tensors."""
    return sum(part.nbytes for part in parts(shape))


def file(shape: Shape, source: Callable[[int], bytes]) -> Iterator[bytes]:
    """The bytes of the file, in pieces of at most 4 MiB but for the header.

    Args:
        shape: What to make.
        source: Gives as many random bytes as it is asked for; the same ones make the same file.
    """
    tensors = parts(shape)
    yield _header(shape, tensors)
    pools: dict[tuple[str, float], bytes] = {}
    for part in tensors:
        if part.ones:
            yield from _padded(struct.pack("<f", 1.0), part.nbytes)
            continue
        if shape.hollow and part.name.startswith("blk.") and "_inp" not in part.name:
            yield from _padded(bytes(CHUNK_BYTES), part.nbytes)
            continue
        key = (part.kind, 1.0 if part.name == "token_embd.weight" else part.dims[0] ** -0.5)
        if key not in pools:
            pools[key] = pool(*key, source)
        yield from _padded(pools[key], part.nbytes)


def _layer(shape: Shape, block: str) -> list[Part]:
    width, kind = shape.width, shape.kind
    queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    matrices = [
        Part(f"{block}.attn_q.weight", (width, queries), kind),
        Part(f"{block}.attn_k.weight", (width, keys), kind),
        Part(f"{block}.attn_v.weight", (width, keys), kind),
        Part(f"{block}.attn_output.weight", (queries, width), kind),
    ]
    names = {"attn_norm": width, "attn_q_norm": shape.head, "attn_k_norm": shape.head}
    norms = names | {"ffn_norm": width}
    return [
        *(
            Part(f"{block}.{name}.weight", (wide,), "f32", ones=True)
            for name, wide in norms.items()
        ),
        *matrices,
        *_feed_forward(shape, block),
    ]


def _feed_forward(shape: Shape, block: str) -> list[Part]:
    inward, outward = (shape.width, shape.ff), (shape.ff, shape.width)
    shapes = {"gate": inward, "up": inward, "down": outward}
    if not shape.experts:
        return [
            Part(f"{block}.ffn_{name}.weight", dims, shape.kind) for name, dims in shapes.items()
        ]
    router = Part(f"{block}.ffn_gate_inp.weight", (shape.width, shape.experts), "f32")
    return [
        router,
        *(
            Part(f"{block}.ffn_{name}_exps.weight", (*dims, shape.experts), shape.expert_kind)
            for name, dims in shapes.items()
        ),
    ]


def _padded(pattern: bytes, length: int) -> Iterator[bytes]:
    """`length` bytes of a pattern that repeats, and zeros up to the next tensor."""
    stretch = pattern * max(1, min(length, CHUNK_BYTES) // len(pattern))
    left = length
    while left > 0:
        yield stretch[:left]
        left -= min(left, len(stretch))
    yield bytes(-length % ALIGNMENT)


def _header(shape: Shape, tensors: list[Part]) -> bytes:
    keys = _keys(shape)
    out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
    for key, (kind, value) in keys.items():
        out += _text(key) + struct.pack("<I", kind) + _value(kind, value)
    offset = 0
    for part in tensors:
        out += _text(part.name) + struct.pack("<I", len(part.dims))
        out += struct.pack(f"<{len(part.dims)}Q", *part.dims)
        out += struct.pack("<IQ", _NUMBERS[part.kind], offset)
        offset += part.nbytes + -part.nbytes % ALIGNMENT
    return bytes(out + bytes(-len(out) % ALIGNMENT))


def _keys(shape: Shape) -> dict[str, tuple[int, Any]]:
    numbers = {
        "block_count": shape.layers,
        "context_length": CONTEXT,
        "embedding_length": shape.width,
        "feed_forward_length": shape.ff,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head,
        "attention.value_length": shape.head,
    }
    if shape.experts:
        numbers |= {"expert_count": shape.experts, "expert_used_count": shape.used}
        numbers |= {"expert_feed_forward_length": shape.ff}
    name = shape.architecture
    tokens, kinds = _vocabulary()
    return {
        "general.architecture": (STRING, name),
        "general.name": (STRING, "made up to calibrate"),
        **{f"{name}.{key}": (UINT32, number) for key, number in numbers.items()},
        f"{name}.rope.freq_base": (FLOAT32, ROPE_BASE),
        f"{name}.attention.layer_norm_rms_epsilon": (FLOAT32, EPSILON),
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.scores": (ARRAY, (FLOAT32, [0.0] * len(tokens))),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.bos_token_id": (UINT32, 1),
        "tokenizer.ggml.eos_token_id": (UINT32, 2),
    }


def _vocabulary() -> tuple[list[str], list[int]]:
    """SentencePiece's marks, every byte, and words nobody says."""
    tokens = [name for name, _ in _SPECIALS] + [f"<0x{byte:02X}>" for byte in range(_BYTE_TOKENS)]
    kinds = [kind for _, kind in _SPECIALS] + [_BYTE_KIND] * _BYTE_TOKENS
    # A space alone is a token too; else it would be three bytes.
    words = ["\u2581"] + [f"\u2581w{number}" for number in range(VOCABULARY - len(tokens) - 1)]
    return tokens + words, kinds + [_NORMAL] * len(words)


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _text(value)
    if kind != ARRAY:
        return struct.pack("<" + {UINT32: "I", FLOAT32: "f"}[kind], value)
    element, items = value
    head = struct.pack("<IQ", element, len(items))
    if element == STRING:
        return head + b"".join(map(_text, items))
    return head + struct.pack(f"<{len(items)}{'f' if element == FLOAT32 else 'i'}", *items)


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw
