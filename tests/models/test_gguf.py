from __future__ import annotations

import random
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.models.cursor import MAX_ELEMENTS, MAX_HEADER_BYTES, MAX_STRING_BYTES, MAX_STRINGS
from edged.models.gguf import BadHeader, Header, NeedMore, Tensor, read
from tests.models.rawgguf import ARR, DATA_BYTES, F32, I32, STR, TENSORS, U32, build, text, tiny

SOUND = build()
HEADER_BYTES = len(SOUND) - DATA_BYTES
U64, F64, BOOL = 10, 12, 7


def good(data: bytes) -> Header:
    header = read(data, len(data))
    assert isinstance(header, Header), header
    return header


def reason(data: bytes, size: int | None = None) -> str:
    found = read(data, len(data) if size is None else size)
    assert isinstance(found, BadHeader), found
    assert found.reason.isprintable()
    return found.reason


def test_a_sound_file() -> None:
    header = good(SOUND)
    assert (header.version, header.file_type, header.alignment) == (3, 7, 32)
    assert header.data_offset == HEADER_BYTES
    assert header.tensors == (
        Tensor("token_embd.weight", "q8_0", (64, 3), 0, 204),
        Tensor("output_norm.weight", "f32", (64,), 224, 256),
    )
    assert header.tensor_bytes == 460
    model = header.geometry
    assert (model.architecture, model.name, model.n_ctx_train) == ("llama", "tiny", 512)
    assert (model.block_count, model.embedding_length, model.n_vocab) == (2, 64, 3)
    assert (model.head_counts, model.head_counts_kv) == ((4, 4), (2, 2))
    assert (model.key_length, model.value_length) == (16, 16)
    assert (model.expert_count, model.expert_used_count) == (0, 0)
    assert model.chat_template == "{{ messages }}"


def test_every_view_of_the_bytes_is_read_the_same() -> None:
    for data in (bytearray(SOUND), memoryview(SOUND), SOUND[:HEADER_BYTES]):
        assert read(data, len(SOUND)) == good(SOUND)


def test_what_may_be_left_out() -> None:
    keys = tiny()
    for key in ("general.name", "general.file_type", "tokenizer.chat_template"):
        del keys[key]
    for key in list(keys):
        if "head_count" in key or key.endswith(("epsilon", "scores", "token_type")):
            del keys[key]
    header = good(build(keys))
    assert header.file_type is None
    assert header.geometry.name is None
    assert header.geometry.chat_template is None
    assert header.geometry.head_counts == (0, 0)
    assert header.geometry.key_length == 0


def test_what_may_be_said_too() -> None:
    keys = tiny() | {
        "general.architecture": (STR, "qwen3-moe"),
        "general.alignment": (U32, 64),
        "split.count": (2, 1),
        "tokenizer.ggml.merges": (ARR, (STR, ["a b"])),
        "tokenizer.ggml.add_bos_token": (BOOL, 1),
        "x.pi": (F64, 3.14),
        "x.big": (ARR, (1, [0] * 1000)),
    }
    own = {
        "block_count": (U32, 2),
        "context_length": (U64, 1 << 20),
        "embedding_length": (U32, 64),
        "attention.head_count": (ARR, (I32, [8, 8])),
        "attention.head_count_kv": (ARR, (I32, [0, 2])),
        "attention.key_length": (U32, 128),
        "attention.value_length": (U32, 64),
        "expert_count": (U32, 128),
        "expert_used_count": (U32, 8),
    }
    keys |= {f"qwen3-moe.{key}": value for key, value in own.items()}
    tensors = [TENSORS[0], ("output_norm.weight", (64,), 0, 256)]
    model = good(build(keys, tensors, alignment=64, data=512)).geometry
    assert (model.head_counts, model.head_counts_kv) == ((8, 8), (0, 2))
    assert (model.key_length, model.value_length, model.expert_used_count) == (128, 64, 8)


def test_version_2_is_the_same() -> None:
    assert good(build(version=b"\2\0\0\0")).version == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends within the first 24 bytes"),
        (b"GG", "ends within the first 24 bytes"),
        (b"GX", "not a GGUF file"),
        (b"PK\3\4" + SOUND[4:], "not a GGUF file"),
        (build(version=b"\0\0\0\3"), "big-endian"),
        (build(version=b"\1\0\0\0"), "GGUF version 1;"),
        (build(version=b"\4\0\0\0"), "GGUF version 4;"),
        (build(key_count=0), "0 metadata keys"),
        (build(key_count=2**64 - 1), "18446744073709551615 metadata keys"),
        (build(tensor_count=0), "0 tensors"),
        (build(tensor_count=2**63), "9223372036854775808 tensors"),
        (build(tensor_count=16_384), "too short for its counts"),
        (build(data=DATA_BYTES - 1), "cut off"),
        (SOUND[: HEADER_BYTES - 40], "the file ends within output_norm.weight"),
        (build([*tiny().items(), ("general.name", (STR, "x"))]), "stands twice"),
    ],
)
def test_a_broken_frame_is_named(data: bytes, said: str) -> None:
    assert said in reason(data)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("general.architecture", (STR, ""), "missing or no name"),
        ("general.architecture", (STR, "a\nb"), "missing or no name"),
        ("general.architecture", (STR, "other"), "other.block_count is missing"),
        ("general.architecture", (U32, 1), "no text"),
        ("general.architecture", (STR, b"\xff"), "not UTF-8"),
        ("general.alignment", (U32, 0), "not a power of two"),
        ("general.alignment", (U32, 24), "not a power of two"),
        ("general.alignment", (U32, 1 << 31), "not a power of two"),
        ("general.alignment", (STR, "32"), "value type 8, and must have 4"),
        ("general.alignment", (BOOL, 1), "value type 7, and must have 4"),
        ("llama.block_count", (U32, 0), "llama.block_count is 0; 1 to 512"),
        ("llama.block_count", (U32, 1000), "1 to 512"),
        ("llama.block_count", (U32, 1 << 31), "1 to 512"),
        ("llama.block_count", (I32, -1), "1 to 512"),
        ("llama.block_count", (F32, 2.0), "no whole number"),
        ("llama.block_count", (BOOL, 1), "no whole number"),
        ("llama.block_count", (BOOL, 7), "neither true nor false"),
        ("llama.block_count", (ARR, (U32, [2])), "no whole number"),
        ("llama.embedding_length", (U32, 0), "1 to"),
        ("llama.context_length", (U64, 2**64 - 1), "1 to"),
        ("llama.attention.head_count", (U32, 1 << 31), "0 to 4096"),
        ("llama.attention.head_count", (ARR, (I32, [4])), "1 elements for 2 blocks"),
        ("llama.attention.head_count", (ARR, (I32, [4, -1])), "0 to 4096"),
        ("llama.attention.head_count", (ARR, (STR, ["4"])), "1 elements"),
        ("llama.attention.head_count", (ARR, (U32, [4] * 600)), "600 elements"),
        ("llama.expert_count", (U32, 100_000), "0 to 512"),
        ("llama.expert_used_count", (U32, 1), "0 to 0"),
        ("llama.attention.layer_norm_rms_epsilon", (F32, 0.0), "above zero"),
        ("llama.attention.layer_norm_rms_epsilon", (F32, float("nan")), "above zero"),
        ("llama.attention.layer_norm_rms_epsilon", (F32, float("inf")), "above zero"),
        ("llama.attention.layer_norm_rms_epsilon", (U32, 1), "above zero"),
        ("llama.attention.layer_norm_epsilon", (F32, -1.0), "above zero"),
        ("split.count", (2, 3), "one part of several"),
        ("tokenizer.ggml.tokens", (ARR, (STR, [])), "missing or no list"),
        ("tokenizer.ggml.tokens", (ARR, (U32, [1])), "missing or no list"),
        ("tokenizer.ggml.tokens", (STR, "a"), "missing or no list"),
        ("tokenizer.ggml.scores", (ARR, (1, [0, 0, 0])), "wrong type"),
        ("tokenizer.ggml.scores", (ARR, (F32, [0.0])), "1 elements for 3 tokens"),
        ("tokenizer.ggml.token_type", (U32, 1), "wrong type"),
        ("tokenizer.ggml.merges", (ARR, (U32, [1])), "no list of texts"),
        ("tokenizer.ggml.merges", (STR, "a b"), "no list of texts"),
        ("tokenizer.chat_template", (U32, 1), "no text"),
        ("x", (ARR, (ARR, [(U32, [1])])), "elements of the type 9"),
        ("x\0y", (U32, 1), "control characters"),
        ("", (U32, 1), "empty"),
        ("k" * 300, (U32, 1), "has 300 bytes, over 256"),
    ],
)
def test_a_bad_value_is_named(key: str, value: Any, said: str) -> None:
    assert said in reason(build(tiny() | {key: value}))


def test_a_missing_key_is_named() -> None:
    for key in ("llama.block_count", "tokenizer.ggml.tokens", "general.architecture"):
        keys = tiny()
        del keys[key]
        assert f"{key} is missing" in reason(build(keys))


def raw_value(kind: int, value: bytes) -> bytes:
    """A file whose first key has these bytes for a value."""
    data = bytearray(build([("k", (U32, 0)), *tiny().items()]))
    at = 24 + len(text("k"))
    data[at : at + 8] = struct.pack("<I", kind) + value
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (13, b"", "unknown value type 13"),
        (2**32 - 1, b"", "unknown value type 4294967295"),
        (STR, struct.pack("<Q", 2**64 - 1), "over"),
        (STR, struct.pack("<Q", MAX_STRING_BYTES), "ends within k"),
        (ARR, struct.pack("<IQ", 4, 2**61), "elements, over"),
        (ARR, struct.pack("<IQ", 10, MAX_ELEMENTS), "ends within k"),
        (ARR, struct.pack("<IQ", 99, 1), "type 99"),
        (ARR, struct.pack("<IQ", STR, MAX_ELEMENTS), f"more than {MAX_STRINGS} strings"),
        (ARR, struct.pack("<IQ", STR, 900_000), "ends within k"),
        (ARR, struct.pack("<IQQ", STR, 2, 2**64 - 1), "ends within k"),
        (ARR, struct.pack("<IQQ", STR, 1, 2**64 - 1), "ends within k"),
        (ARR, struct.pack("<IQQ", STR, 1, 2**62), "ends within k"),
    ],
)
def test_absurd_lengths_allocate_nothing(kind: int, value: bytes, said: str) -> None:
    tracemalloc.start()
    assert said in reason(raw_value(kind, value))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (("", (64,), 0, 0), "name of tensor 0 is empty"),
        (("a\0", (64,), 0, 0), "control characters"),
        (("n" * 64, (64,), 0, 0), "over 63"),
        (("t", (), 0, 0), "has 0 dimensions"),
        (("t", (1, 1, 1, 1, 1), 0, 0), "has 5 dimensions"),
        (("t", (64, 0), 0, 0), "dimension of zero"),
        (("t", (64,), 4, 0), "unknown type 4"),
        (("t", (64,), 99, 0), "tensor t has the unknown type 99"),
        (("t", (33,), 8, 0), "whole blocks of q8_0"),
        (("t", (2**63, 2**63), 0, 0), "cut off"),
        (("t", (2**32, 2**32), 0, 0), "cut off"),
        (("t", (64,), 0, 2**64 - 1), "and the one before ends at 0"),
        (("t", (64,), 0, 32), "and the one before ends at 0"),
    ],
)
def test_a_bad_tensor_is_named(tensor: Any, said: str) -> None:
    assert said in reason(build(tensors=[tensor]))


def test_tensors_neither_overlap_nor_repeat() -> None:
    assert "ends at 224" in reason(build(tensors=[TENSORS[0], ("b", (64,), 0, 0)]))
    assert "stands twice" in reason(
        build(tensors=[TENSORS[0], ("token_embd.weight", (8,), 0, 224)])
    )


def test_a_prefix_says_how_much_more_it_needs() -> None:
    size, steps = 24, 0
    while not isinstance(found := read(SOUND[:size], len(SOUND)), Header):
        assert isinstance(found, NeedMore)
        assert size < found.bytes <= len(SOUND)
        size, steps = found.bytes, steps + 1
    assert found == good(SOUND)
    assert size <= HEADER_BYTES
    assert read(b"", len(SOUND)) == NeedMore(24)
    assert steps > 10


def test_a_header_beyond_the_bound_is_refused_before_it_is_fetched() -> None:
    count = MAX_ELEMENTS - 1
    filler = [(f"k{n}", (U32, 0)) for n in range(20)]
    data = bytearray(build(filler + list(tiny().items())))
    huge = struct.pack("<IIQ", ARR, U64, count)
    prefix = bytes(data[:24]) + b"".join(text(f"k{n}") + huge + bytes(8 * count) for n in range(4))
    found = read(prefix[: MAX_HEADER_BYTES - 100], 1 << 40)
    assert found == BadHeader(f"the header is over {MAX_HEADER_BYTES} bytes")


def test_a_file_size_smaller_than_the_prefix_counts() -> None:
    assert "cut off" in reason(SOUND, len(SOUND) - 1)
    assert "24 bytes" in reason(SOUND, 10)
    assert "24 bytes" in reason(SOUND, -5)


def large_vocabulary(tokens: int) -> bytes:
    draw = random.Random(1)  # noqa: S311 - sizes of tokens
    words = ["x" * draw.randint(1, 14) for _ in range(tokens)]
    merges = ["x" * draw.randint(3, 20) for _ in range(tokens)]
    keys = tiny() | {
        "tokenizer.ggml.tokens": (ARR, (STR, words)),
        "tokenizer.ggml.merges": (ARR, (STR, merges)),
        "tokenizer.ggml.scores": (ARR, (F32, [0.0] * tokens)),
        "tokenizer.ggml.token_type": (ARR, (I32, [1] * tokens)),
    }
    return build(keys)


def test_a_large_vocabulary_is_stepped_over_without_memory() -> None:
    data = large_vocabulary(151_936)
    assert good(data).geometry.n_vocab == 151_936
    tracemalloc.start()
    good(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# any bytes give a Header, a BadHeader or a NeedMore, and never anything else
@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(
            st.integers(0, HEADER_BYTES - 1),
            st.one_of(
                st.binary(min_size=1, max_size=2),
                st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]).map(
                    lambda number: struct.pack("<Q", number)
                ),
            ),
        ),
        max_size=3,
    ),
    st.integers(0, len(SOUND)),
    st.integers(0, 2**64),
)
def test_any_mutation_ends_in_a_value(
    patches: list[tuple[int, bytes]], cut: int, extra: int
) -> None:
    data = bytearray(SOUND)
    for place, patch in patches:
        data[place : place + len(patch)] = patch
    for prefix, size in ((data, len(data)), (data[:cut], len(data)), (data[:cut], cut + extra)):
        found = read(bytes(prefix), size)
        if isinstance(found, BadHeader):
            assert found.reason.isprintable()
        elif isinstance(found, NeedMore):
            assert len(prefix) < found.bytes <= min(size, MAX_HEADER_BYTES)
        else:
            last = found.tensors[-1]
            assert found.data_offset + last.offset + last.nbytes <= size


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value(junk: bytes) -> None:
    for data in (junk, SOUND[:24] + junk, SOUND[:60] + junk):
        assert isinstance(read(data, len(data)), Header | BadHeader)


def test_every_cut_of_a_sound_file_is_refused() -> None:
    for size in range(len(SOUND)):
        assert isinstance(read(SOUND[:size], size), BadHeader)
