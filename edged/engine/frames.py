"""What the daemon and its engine child say to each other, as bytes and back.

A frame is a 4-byte big-endian length followed by that many bytes of one JSON object whose field
`t` names its kind. Everything the peer can do wrong is a `FrameError`; everything the owner of a
frame can do wrong is a `ValueError` raised before a byte leaves.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from edged.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A request is at most 128 KiB of UTF-8 and JSON spends at most 6 bytes (\u0000) on one of them;
# the rest is room for a persona and for the frame's own keys.
MAX_FRAME_BYTES = 1 << 20
HEADER = struct.Struct(">I")

# Ranges are those that native code survives: a context of 10,000,000 tokens hangs llama.cpp for
# over a minute, 2048 is its usual largest batch, and no board we know has more than 64 cores.
Context = Annotated[int, Meta(ge=256, le=131_072)]
Batch = Annotated[int, Meta(ge=16, le=2048)]
Threads = Annotated[int, Meta(ge=1, le=64)]
Tokens = Annotated[int, Meta(ge=0, le=131_072)]
Size = Annotated[int, Meta(ge=0, le=2**53)]
Milliseconds = Annotated[float, Meta(ge=0, le=1e12)]
Unit = Annotated[float, Meta(ge=0, le=1)]
Key = Annotated[str, Meta(min_length=1, max_length=1024)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(max_length=4096)]
Stop = Annotated[str, Meta(min_length=1, max_length=256)]


class Frame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag=True,
    tag_field="t",
    forbid_unknown_fields=True,
):
    """The base of every frame; its kind on the wire is the class name."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(max_length=262_144)]


class Load(Frame, frozen=True):
    """To the child, first and once: open this model file. `path` is absolute."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    n_ctx: Context = 2048
    n_batch: Batch = 512
    threads: Threads = 4
    threads_batch: Threads = 4
    prefill_chunk: Batch = 128


class Generate(Frame, frozen=True):
    """To the child: answer `messages`. One at a time; the next after Done or Failed."""

    key: Key
    messages: Annotated[tuple[Message, ...], Meta(min_length=1, max_length=256)]
    max_tokens: Annotated[int, Meta(ge=1, le=131_072)] = 256
    temperature: Annotated[float, Meta(ge=0, le=10)] = 0.7
    top_p: Unit = 0.9
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] = 40
    min_p: Unit = 0.05
    repeat_penalty: Annotated[float, Meta(ge=0.1, le=10)] = 1.1
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    stop: Annotated[tuple[Stop, ...], Meta(max_length=16)] = ()


class Cancel(Frame, frozen=True):
    """To the child: end this run soon with `cancelled`. Unknown keys are ignored."""

    key: Key


class Pace(Frame, frozen=True):
    """To the child: from the next token on, compute like this.

    Attributes:
        idle_share: The share of wall time to sleep, spread evenly over the tokens.
        prefill_chunk: Prompt tokens per step; the child never exceeds its n_batch.
    """

    threads: Threads
    threads_batch: Threads
    idle_share: Annotated[float, Meta(ge=0, le=0.95)] = 0.0
    prefill_chunk: Batch = 128


class Quit(Frame, frozen=True):
    """To the child: exit with status 0."""


class Loading(Frame, frozen=True):
    """From the child while it loads."""

    percent: Annotated[float, Meta(ge=0, le=100)]


class Ready(Frame, frozen=True):
    """From the child, once: the model is open and has decoded one token.

    Attributes:
        n_ctx: Tokens of context in use; never more than `n_ctx_train` or what Load asked for.
        template: Where the chat template comes from.
        warning: What the owner of the model should know, or empty.
    """

    n_ctx: Size
    n_ctx_train: Size
    n_params: Size
    n_vocab: Size
    description: Line
    load_ms: Milliseconds
    selftest_ms: Milliseconds
    system_info: Line
    template: Literal["model", "chatml"] = "model"
    warning: Line = ""


class LoadFailed(Frame, frozen=True):
    """From the child instead of Ready; it exits afterwards."""

    code: Code
    message: Line


class Prefill(Frame, frozen=True):
    """From the child: `done` of `total` prompt tokens are read."""

    key: Key
    done: Tokens
    total: Tokens


class Delta(Frame, frozen=True):
    """From the child: the next `tokens` tokens became `text` (may be empty)."""

    key: Key
    text: Annotated[str, Meta(max_length=262_144)]
    tokens: Tokens


class Done(Frame, frozen=True):
    """From the child, last for a key.

    Attributes:
        completion_tokens: The sum of `tokens` over the run's Deltas; end-of-text is not counted.
        prompt_ms: Wall time from the receipt of Generate to the end of the last prompt step.
        predicted_ms: Wall time from there to the last token: of `completion_tokens` - 1 decodes.
        ttft_ms: Wall time from the receipt of Generate to the first token; 0 if there was none.
    """

    key: Key
    finish_reason: Literal["stop", "length", "cancelled"]
    prompt_tokens: Tokens
    cached_tokens: Tokens
    completion_tokens: Tokens
    prompt_ms: Milliseconds
    predicted_ms: Milliseconds
    ttft_ms: Milliseconds


class Failed(Frame, frozen=True):
    """From the child, last for a key: this request failed, the child lives on."""

    key: Key
    code: Code
    message: Line


class Beat(Frame, frozen=True):
    """From the child: native code is computing though there is nothing to show yet."""


ToChild = Load | Generate | Cancel | Pace | Quit
FromChild = Loading | Ready | LoadFailed | Prefill | Delta | Done | Failed | Beat
F = TypeVar("F")

_encoder = msgspec.json.Encoder()
_to_child: msgspec.json.Decoder[ToChild] = msgspec.json.Decoder(ToChild)
_from_child: msgspec.json.Decoder[FromChild] = msgspec.json.Decoder(FromChild)


def encode(frame: Frame) -> bytes:
    """The bytes of one frame.

    Raises:
        ValueError: The frame is longer than MAX_FRAME_BYTES or holds a lone surrogate.
    """
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        message = f"a frame of {len(body)} bytes exceeds {MAX_FRAME_BYTES}"
        raise ValueError(message)
    return HEADER.pack(len(body)) + body


def encode_checked(frame: ToChild) -> bytes:
    """Like `encode`, and also raises ValueError for a number out of its range.

    msgspec checks ranges when it reads, not when it builds: read back here, a mistake of the
    daemon is an exception in the daemon and not the death of the child.
    """
    data = encode(frame)
    _to_child.decode(data[HEADER.size :])
    return data


class Decoder(Generic[F]):
    """Turns any split of a byte stream into frames.

    Args:
        reader: The typed reader of this direction; see `from_child` and `to_child`.
    """

    def __init__(self, reader: msgspec.json.Decoder[F]) -> None:
        self._reader = reader
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[F]:
        """Take bytes, return the frames they complete; to be exhausted before the next call.

        Raises:
            FrameError: While iterating, after every frame before the fault. The stream is lost.
        """
        self._buffer += data
        return self._drain()

    def _drain(self) -> Iterator[F]:
        buffer = self._buffer
        while len(buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(buffer)
            if not 0 < length <= MAX_FRAME_BYTES:
                message = f"a frame of {length} bytes; allowed are 1 to {MAX_FRAME_BYTES}"
                raise FrameError(message)
            end = HEADER.size + length
            if len(buffer) < end:
                return
            body = bytes(memoryview(buffer)[HEADER.size : end])
            del buffer[:end]
            yield self._read(body)

    def _read(self, body: bytes) -> F:
        try:
            return self._reader.decode(body)
        except (ValueError, RecursionError) as error:
            # msgspec's errors and UnicodeDecodeError are ValueErrors; deep nesting recurses.
            raise FrameError(str(error)) from None


def from_child() -> Decoder[FromChild]:
    """The daemon's decoder."""
    return Decoder(_from_child)


def to_child() -> Decoder[ToChild]:
    """The child's decoder."""
    return Decoder(_to_child)
