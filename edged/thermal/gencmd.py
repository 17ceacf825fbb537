"""The message that carries one command of `vcgencmd` to the firmware and its answer back.

A message of the mailbox's property interface is 32-bit words in the machine's order: its size in
bytes, 0 for a request, one tag with the size of its value, and 0 for the end. The value of the tag
used here is an error code and text; the firmware writes its answer over both.
"""

from __future__ import annotations

import struct

from edged.thermal.readings import NoReading

TAG = 0x00030080  # "gencmd result"
ANSWERED = 0x80000000  # in place of the request's 0
TEXT_BYTES = 1024  # all firmware takes this much; newer takes 4096
_HEAD = struct.Struct("=6I")
_END = struct.Struct("=I")
SIZE = _HEAD.size + TEXT_BYTES + _END.size


def request(command: str) -> bytearray:
    """The message for one command; the answer comes in its place.

    Args:
        command: ASCII, shorter than `TEXT_BYTES`.
    """
    text = command.encode("ascii").ljust(TEXT_BYTES, b"\0")
    return bytearray(_HEAD.pack(SIZE, 0, TAG, TEXT_BYTES, 0, 0) + text + _END.pack(0))


def answer(message: bytes | bytearray) -> str | NoReading:
    """The text of an answered message, or why there is none."""
    if len(message) != SIZE:
        return NoReading(f"the firmware's answer has {len(message)} bytes")
    _, code, _, _, _, error = _HEAD.unpack_from(message)
    if code != ANSWERED:
        return NoReading(f"the firmware did not take the message: code {code:#x}")
    body = bytes(message[_HEAD.size : -_END.size])
    text = body.partition(b"\0")[0].decode("ascii", errors="replace").strip()
    return NoReading(f"the firmware's error {error}: {text[:80]}") if error else text
