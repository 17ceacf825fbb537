"""The kinds of malformed files that llama.cpp tests itself with, and shapes that broke engines.

Each is refused here, by what is wrong with it, so that no engine ever sees it.
"""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest

from edged.models.gguf import BadHeader, Header, read
from tests.models.rawgguf import (
    ARR,
    DATA_BYTES,
    F32,
    I32,
    STR,
    TENSORS,
    U32,
    Value,
    build,
    text,
    tiny,
)

I8, U64, I64 = 24, 10, 27  # ggml's I8 and I64, GGUF's U64
PEAK_BYTES = 1 << 20  # none of these small files may cost more


def with_key(name: str, value: Value) -> bytes:
    return build(tiny() | {name: value})


def with_tensor(*tensors: Any, **fields: Any) -> bytes:
    return build(tensors=list(tensors), **fields)


def replaced(old: bytes, new: bytes) -> bytes:
    data = build()
    assert data.count(old) == 1
    return data.replace(old, new)


EMBEDDING, NORM = TENSORS
# an alignment of 13, as llama.cpp writes it where it must be refused
THIRTEEN = tiny() | {"general.alignment": (U32, 13)}
LENGTH_MINUS_ONE = struct.pack("<Q", 2**64 - 1)
# Of llama.cpp's tests/test-gguf.cpp: its names, and what is wrong in our words. ZERO_DIM alone is
# taken by its reader; the engine behind it has divided by that zero.
KINDS: dict[str, tuple[bytes, str]] = {
    "HEADER_BAD_MAGIC": (build(magic=b"FUGG"), "not a GGUF file"),
    "HEADER_BAD_VERSION_0": (build(version=b"\0\0\0\0"), "big-endian"),
    "HEADER_BAD_VERSION_1": (build(version=b"\1\0\0\0"), "GGUF version 1"),
    "HEADER_BAD_VERSION_FUTURE": (build(version=b"\4\0\0\0"), "GGUF version 4"),
    "HEADER_BAD_N_TENSORS": (build(tensor_count=2**64 - 1), "tensors; 1 to"),
    "HEADER_BAD_N_KV": (build(key_count=2**64 - 1), "metadata keys; 1 to"),
    "KV_BAD_KEY_SIZE": (
        replaced(text("general.architecture"), LENGTH_MINUS_ONE + b"general.architecture"),
        "metadata key 0 has 18446744073709551615 bytes",
    ),
    "KV_EMPTY_KEY": (with_key("", (U32, 1)), "empty"),
    "KV_BAD_TYPE": (
        replaced(
            text("llama.block_count") + struct.pack("<I", U32),
            text("llama.block_count") + struct.pack("<I", 13),
        ),
        "unknown value type 13",
    ),
    "KV_DUPLICATE_KEY": (build([*tiny().items(), ("general.name", (STR, "x"))]), "stands twice"),
    "KV_BAD_ALIGN": (build(THIRTEEN, alignment=13), "13 is not a power of two"),
    "KV_WRONG_TYPE_ALIGN": (with_key("general.alignment", (I32, 32)), "value type 5"),
    "TENSORS_BAD_NAME_SIZE": (with_tensor(("n" * 64, (64,), 0, 0)), "64 bytes, over 63"),
    "TENSORS_BAD_N_DIMS": (with_tensor(("t", (1,) * 5, 0, 0)), "5 dimensions"),
    "TENSORS_BAD_SHAPE": (with_tensor(("t", (2**64 - 1,), 0, 0)), "cut off"),
    "TENSORS_ZERO_DIM": (with_tensor(("t", (64, 0), 0, 0)), "dimension of zero"),
    "TENSORS_NE_TOO_BIG": (with_tensor(("t", (4 * (2**31 - 1),) * 2, 0, 0)), "cut off"),
    "TENSORS_NBYTES_TOO_BIG": (with_tensor(("t", (1_533_886_000,) * 2, I64, 0)), "cut off"),
    # a size that wraps to nothing once it is padded
    "TENSORS_NBYTES_PAD_WRAP": (with_tensor(("t", (2**64 - 1,), I8, 0), NORM), "ends at"),
    "TENSORS_BAD_TYPE": (with_tensor(("t", (64,), 43, 0)), "unknown type 43"),
    "TENSORS_BAD_OFFSET": (with_tensor(("t", (64,), 0, 2**64 - 1)), "ends at 0"),
    "TENSORS_DUPLICATE_NAME": (with_tensor(EMBEDDING, (EMBEDDING[0], (8,), 0, 224)), "twice"),
    "TENSORS_BAD_ALIGN": (build(THIRTEEN, [("t", (64,), 0, 0)], alignment=13), "power of two"),
    "TENSORS_INCONSISTENT_ALIGN": (with_tensor(EMBEDDING, (NORM[0], (64,), 0, 204)), "at 204"),
    "DATA_NOT_ENOUGH_DATA": (build(data=DATA_BYTES - 1), "cut off"),
    "DATA_BAD_ALIGN": (build(THIRTEEN, alignment=13), "power of two"),
    "DATA_INCONSISTENT_ALIGN": (with_tensor(EMBEDDING, (NORM[0], (64,), 0, 205)), "at 205"),
    "DATA_MEM_SIZE_OVERFLOW": (
        with_tensor(("t", (2**63 - 64,), I8, 0), ("u", (2**63 - 64,), I8, 2**63 - 64), data=32),
        "cut off",
    ),
}
# Published: a file of 88 bytes with a zero dimension, vocabularies that wrote behind the heap,
# block counts that wrote behind an array, alignments that overflowed padding, sizes beyond the
# file that read what lay behind it.
SHAPES: dict[str, tuple[bytes, str]] = {
    "a tensor of zero in the first place": (with_tensor(("t", (0, 64), 0, 0)), "zero"),
    "an alignment of 2^31": (with_key("general.alignment", (U32, 1 << 31)), "power of two"),
    "an alignment of 0": (with_key("general.alignment", (U32, 0)), "power of two"),
    "scores of one byte": (
        with_key("tokenizer.ggml.scores", (ARR, (1, [0, 0, 0]))),
        "elements of the wrong type",
    ),
    "fewer scores than tokens": (
        with_key("tokenizer.ggml.scores", (ARR, (F32, [0.0]))),
        "1 elements for 3 tokens",
    ),
    "token types of floats": (
        with_key("tokenizer.ggml.token_type", (ARR, (F32, [0.0] * 3))),
        "wrong type",
    ),
    "no block": (with_key("llama.block_count", (U32, 0)), "1 to 512"),
    "513 blocks": (with_key("llama.block_count", (U32, 513)), "1 to 512"),
    "2^31 blocks": (with_key("llama.block_count", (U32, 1 << 31)), "1 to 512"),
    "an epsilon that is no number": (
        with_key("llama.attention.layer_norm_rms_epsilon", (F32, float("nan"))),
        "above zero",
    ),
    "heads of fewer blocks than there are": (
        with_key("llama.attention.head_count", (ARR, (U32, [4]))),
        "1 elements for 2 blocks",
    ),
    "an array in an array": (with_key("x", (ARR, (ARR, [(U32, [1])]))), "type 9"),
    "text that is not UTF-8": (with_key("general.name", (STR, b"\xff\xfe")), "UTF-8"),
    "a key with a NUL": (with_key("a\0b", (U32, 1)), "control characters"),
    "a tensor behind the end": (with_tensor(("t", (1 << 20,), 0, 0)), "cut off"),
    "more tensors than the file has bytes": (build(tensor_count=16_384), "too short"),
    "one part of several": (with_key("split.count", (2, 2)), "one part of several"),
}


@pytest.mark.parametrize(
    ("data", "said"), [*KINDS.values(), *SHAPES.values()], ids=[*KINDS, *SHAPES]
)
def test_it_is_refused_by_name_and_costs_nothing(data: bytes, said: str) -> None:
    tracemalloc.start()
    found = read(data, len(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, BadHeader)
    assert said in found.reason
    assert found.reason.isprintable()
    assert peak < PEAK_BYTES


def test_all_kinds_are_here() -> None:
    """Seven kinds of headers less one sound one, and so on: those that llama.cpp writes."""
    prefixes = [name.split("_")[0] for name in KINDS]
    counts = {prefix: prefixes.count(prefix) for prefix in prefixes}
    assert counts == {"HEADER": 6, "KV": 6, "TENSORS": 12, "DATA": 4}


def test_sound_relatives_of_the_kinds_are_taken() -> None:
    custom = tiny() | {"general.alignment": (U32, 1)}
    packed = [EMBEDDING, (NORM[0], (64,), 0, 204)]
    for data in (build(), build(custom, packed, alignment=1), build(version=b"\2\0\0\0")):
        assert isinstance(read(data, len(data)), Header)


def test_a_claim_of_a_billion_elements_allocates_nothing() -> None:
    data = bytearray(build([("k", (U32, 0)), *tiny().items()]))
    at = 24 + len(text("k"))
    for kind in (STR, U64, F32):
        data[at : at + 16] = struct.pack("<IIQ", ARR, kind, 10**9)
        tracemalloc.start()
        found = read(bytes(data), 1 << 40)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(found, BadHeader)
        assert "1000000000 elements" in found.reason
        assert peak < PEAK_BYTES


def test_a_template_is_only_text_here() -> None:
    """Loops in loops cost their reader nothing; who renders them has a deadline."""
    loops = "{% for a in range(9999) %}" * 50 + "x" + "{% endfor %}" * 50
    data = build(tiny() | {"tokenizer.chat_template": (STR, loops)})
    header = read(data, len(data))
    assert isinstance(header, Header)
    assert header.geometry.chat_template == loops
