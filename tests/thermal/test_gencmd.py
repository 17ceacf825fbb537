from __future__ import annotations

import struct

from edged.thermal import gencmd
from edged.thermal.readings import NoReading


def answered(text: bytes, code: int = gencmd.ANSWERED, error: int = 0) -> bytearray:
    message = gencmd.request("get_throttled")
    struct.pack_into("=I", message, 4, code)
    struct.pack_into("=I", message, 20, error)
    message[24 : 24 + gencmd.TEXT_BYTES] = text.ljust(gencmd.TEXT_BYTES, b"\0")
    return message


def test_a_request_is_one_tag_with_the_command_as_text() -> None:
    message = gencmd.request("get_throttled")
    size, code, tag, room, length, error = struct.unpack_from("=6I", message)
    assert size == len(message) == gencmd.SIZE
    assert (code, tag, room, length, error) == (0, 0x00030080, 1024, 0, 0)
    assert bytes(message[24:38]) == b"get_throttled\0"
    assert message[-4:] == bytes(4)


def test_the_answer_ends_at_its_first_nul() -> None:
    assert gencmd.answer(answered(b"throttled=0x0\n\0left over")) == "throttled=0x0"


def test_an_answer_without_an_end_is_cut() -> None:
    assert gencmd.answer(answered(b"x" * gencmd.TEXT_BYTES)) == "x" * gencmd.TEXT_BYTES


def test_what_is_no_answer_is_no_reading() -> None:
    untouched = gencmd.answer(gencmd.request("get_throttled"))
    assert untouched == NoReading("the firmware did not take the message: code 0x0")
    refused = gencmd.answer(answered(b"not registered", error=1))
    assert refused == NoReading("the firmware's error 1: not registered")
    assert gencmd.answer(b"") == NoReading("the firmware's answer has 0 bytes")
