"""Frames as bytes and back.

A frame is a 4-byte big-endian length followed by that many bytes of one JSON object whose field
`t` names its kind. Everything the peer can do wrong is a `FrameError`; everything the owner of a
frame can do wrong is a `ValueError` raised before a byte leaves.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from edged.engine.frames import Frame, FromChild, ToChild
from edged.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A request is at most 128 KiB of UTF-8 and JSON spends at most 6 bytes (\u0000) on one of them;
# the rest is room for a persona and for the frame's own keys.
MAX_FRAME_BYTES = 1 << 20
HEADER = struct.Struct(">I")

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
