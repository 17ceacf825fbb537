"""Any bytes become frames or FrameError, however they are split."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.engine.codec import HEADER, MAX_FRAME_BYTES, encode, encode_checked, from_child, to_child
from edged.engine.frames import (
    Beat,
    Cancel,
    Delta,
    Done,
    Effort,
    Failed,
    Frame,
    Generate,
    Learn,
    Learned,
    Load,
    LoadFailed,
    Loading,
    Measure,
    Measured,
    Message,
    Pace,
    Prefill,
    Quit,
    Ready,
    Restore,
    Save,
    Saved,
    Unlearn,
)
from edged.errors import FrameError

if TYPE_CHECKING:
    from edged.engine import codec, frames

HI = (Message(role="user", content="hi"),)
TO_CHILD: list[frames.ToChild] = [
    Load(path="/m.gguf"),
    Generate(key="a\x1fb", messages=HI, seed=0, stop=("\n",)),
    Cancel(key="a\x1fb"),
    Pace(threads=1, threads_batch=4, idle_share=0.95, prefill_chunk=16),
    Pace(threads=64, threads_batch=1, decode_tps=0.1),
    Learn(key="p\x1fbutler", messages=HI),
    Restore(key="p", messages=HI, offset=4096, size=1 << 30),
    Save(key="p"),
    Unlearn(key="p"),
    Measure(key="m", depth=4096, pp=512, tg=128, repeat=64, threads=4, threads_batch=0),
    Quit(),
]
FROM_CHILD: list[frames.FromChild] = [
    Loading(percent=0.0),
    Ready(
        n_ctx=512,
        n_ctx_train=2048,
        n_params=30_000_000_000,
        n_vocab=151_936,
        description="x",
        load_ms=1.0,
        selftest_ms=0.5,
        system_info="NEON",
    ),
    LoadFailed(code="bad_model", message="no"),
    Prefill(key="k", done=0, total=10),
    Delta(key="k", text="grün 🙂\x00", tokens=2),
    Done(
        key="k",
        finish_reason="stop",
        prompt_tokens=3,
        cached_tokens=0,
        completion_tokens=2,
        prompt_ms=1.0,
        predicted_ms=2.0,
        ttft_ms=1.5,
    ),
    Failed(key="k", code="c", message="m"),
    Learned(key="p", tokens=1000, cached=0, state_bytes=52_200_000, read_ms=9e4),
    Saved(key="p", size=52_200_000),
    Measured(key="m", pp_ms=(1.0, 2.0), tg_ms=()),
    Effort(
        wall_ms=1000.0,
        busy_ms=400.0,
        core_ms=1600.0,
        decode_ms=300.0,
        decodes=8,
        tokens=16,
        decoding=2,
        threads=4,
    ),
    Beat(),
]


def framed(body: bytes) -> bytes:
    return HEADER.pack(len(body)) + body


def outcome(decoder: codec.Decoder[Any], chunks: list[bytes]) -> tuple[list[Frame], bool]:
    """The frames before the fault, and whether there was one."""
    got: list[Frame] = []
    try:
        for chunk in chunks:
            # list.extend keeps what came before a fault.
            got.extend(decoder.feed(chunk))
    except FrameError:
        return got, True
    return got, False


@pytest.mark.parametrize("frame", TO_CHILD, ids=lambda f: type(f).__name__)
def test_to_child_round_trip(frame: frames.ToChild) -> None:
    assert outcome(to_child(), [encode_checked(frame)]) == ([frame], False)
    assert outcome(from_child(), [encode(frame)]) == ([], True)


@pytest.mark.parametrize("frame", FROM_CHILD, ids=lambda f: type(f).__name__)
def test_from_child_round_trip(frame: frames.FromChild) -> None:
    assert outcome(from_child(), [encode(frame)]) == ([frame], False)
    assert outcome(to_child(), [encode(frame)]) == ([], True)


def test_a_prompt_of_the_largest_size_fits_even_if_every_byte_is_escaped() -> None:
    content = "\x01" * 131_072
    data = encode_checked(
        Generate(key="k" * 600, messages=(Message(role="user", content=content),))
    )
    assert 6 * 131_072 < len(data) <= HEADER.size + MAX_FRAME_BYTES


@pytest.mark.parametrize("length", [0, MAX_FRAME_BYTES + 1, 2**31, 2**32 - 1])
def test_a_bad_length_is_refused_before_the_body_is_awaited(length: int) -> None:
    decoder = from_child()
    good = encode(Beat())
    header = HEADER.pack(length)
    assert outcome(decoder, [good + header[:3]]) == ([Beat()], False)
    assert decoder.pending == 3
    assert outcome(decoder, [header[3:]]) == ([], True)
    assert outcome(decoder, [good]) == ([], True), "a lost stream stays lost"


NUMBERS = [
    b'{"t":"Pace","threads":0,"threads_batch":1}',
    b'{"t":"Pace","threads":65,"threads_batch":1}',
    b'{"t":"Pace","threads":1.5,"threads_batch":1}',
    b'{"t":"Pace","threads":"1","threads_batch":1}',
    b'{"t":"Pace","threads":true,"threads_batch":1}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"idle_share":0.96}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"idle_share":1e999}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"idle_share":NaN}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"prefill_chunk":15}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"decode_tps":0}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"decode_tps":0.09}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"decode_tps":10001}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"decode_tps":-8}',
    b'{"t":"Pace","threads":1,"threads_batch":1,"decode_tps":"8"}',
    b'{"t":"Pace","threads":' + b"9" * 5000 + b',"threads_batch":1}',
    b'{"t":"Load","path":"/m","n_ctx":10000000}',
    b'{"t":"Load","path":"/m","n_ctx":-1}',
    b'{"t":"Load","path":""}',
    b'{"t":"Load","path":"/m","n_batch":4096}',
]
SHAPES = [
    b"",
    b"null",
    b"[]",
    b'{"t":"Nonsense"}',
    b'{"key":"k"}',
    b'{"t":"Cancel"}',
    b'{"t":"Cancel","key":""}',
    b'{"t":"Cancel","key":"k","extra":1}',
    b'{"t":"Cancel","key":' + b"[" * 200_000,
    b'{"t":"Cancel","key":"k"}{}',
    b'{"t":"Generate","key":"k","messages":[]}',
    b'{"t":"Generate","key":"k","messages":[{"role":"tool","content":""}]}',
    b'{"t":"Generate","key":"k","messages":[{"role":"user","content":"","x":1}]}',
    b'{"t":"Generate","key":"k","messages":[{"role":"user","content":""}],"stop":[""]}',
]
TEXTS = [
    b'{"t":"Cancel","key":"\xff"}',
    b'{"t":"Cancel","key":"\xed\xa0\x80"}',
    b'{"t":"Cancel","key":"\\ud800"}',
    b'{"t":"Cancel","key":"\\udc00\\ud800"}',
    b'{"t":"Cancel","key":"\\ud800x"}',
    b'{"t":"Cancel","key":"\n"}',
]


@pytest.mark.parametrize("body", NUMBERS + SHAPES + TEXTS, ids=lambda b: repr(b[:60]))
def test_refused(body: bytes) -> None:
    assert outcome(to_child(), [framed(body)]) == ([], True)


def test_a_surrogate_pair_is_one_character() -> None:
    body = json.dumps({"t": "Cancel", "key": "🙂"}).encode()
    assert b"\\ud83d\\ude42" in body
    assert outcome(to_child(), [framed(body)]) == ([Cancel(key="🙂")], False)


@pytest.mark.parametrize(
    "frame",
    [
        Generate(key="k", messages=HI, temperature=float("nan")),
        Generate(key="k", messages=HI, temperature=float("inf")),
        Generate(key="k", messages=HI, seed=2**32),
        Generate(key="k", messages=()),
        Generate(key="k", messages=HI, stop=("",)),
        Cancel(key="\ud800"),
        Load(path="/m", n_ctx=1),
        Generate(
            key="k", messages=tuple(Message(role="user", content="x" * 262_144) for _ in "12345")
        ),
    ],
    ids=lambda f: repr(f)[:60],
)
def test_a_bad_frame_of_ours_is_a_value_error(frame: frames.ToChild) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_checked(frame)


ALL = [encode(frame) for frame in FROM_CHILD]


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.sampled_from(ALL)), st.data())
def test_any_split_yields_the_same_frames(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(from_child(), chunks) == outcome(from_child(), [stream])


# Invariant: bytes become frames or FrameError and nothing else, whole as one at a time.
@settings(deadline=None)  # other processes share the cores
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.binary(max_size=40).map(framed),
            st.sampled_from(ALL),
            st.builds(
                lambda part, at, byte: part[: at % len(part)] + byte + part[at % len(part) + 1 :],
                st.sampled_from(ALL),
                st.integers(0, 1000),
                st.binary(min_size=1, max_size=1),
            ),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=5,
            ).map(lambda value: framed(json.dumps(value).encode())),
        )
    ).map(b"".join)
)
def test_fuzz(stream: bytes) -> None:
    whole = outcome(from_child(), [stream])
    assert whole == outcome(from_child(), [stream[i : i + 1] for i in range(len(stream))])
    for frame in whole[0]:
        encode(frame)
