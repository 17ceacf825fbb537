from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.engine.frames import Message
from edged.engine.statefile import (
    ALIGNMENT,
    FIXED_BYTES,
    MAGIC,
    MAX_HEADER_BYTES,
    BadState,
    Header,
    Identity,
    file_bytes,
    file_name,
    front_bytes,
    is_akin,
    parse_header,
    seal,
    verify,
)
from tests.engine.states import IDENTITY, KEY, header, system, whole

WHOLE = whole()
OTHERS: dict[str, Any] = {
    "model": "n" * 64,
    "build": "0.3.37 abc",
    "system": "CPU : NEON = 0",
    "machine": "x86_64",
    "description": "qwen3 1B",
    "n_params": 1,
    "n_vocab": 2,
    "kv_type": "q8_0",
    "flash_attention": False,
}


def opened(data: bytes, key: bytes = KEY) -> Header | BadState:
    """All that a reader does with a file."""
    size = front_bytes(data[:FIXED_BYTES])
    if isinstance(size, BadState):
        return size
    front, state = data[:size], memoryview(data)[size:]
    found = parse_header(front, len(data))
    if isinstance(found, BadState):
        return found
    pieces = [state[start : start + 1000] for start in range(0, len(state), 1000)]
    return verify(key, front, pieces) or found


def refused(data: bytes, key: bytes = KEY) -> str:
    found = opened(data, key)
    assert isinstance(found, BadState)
    return found.reason


def with_header(text: bytes, state: bytes = b"") -> bytes:
    """A file with any bytes for its header."""
    pad = bytes(-(FIXED_BYTES + len(text)) % ALIGNMENT)
    return MAGIC + bytes(32) + struct.pack("<I", len(text)) + text + pad + state


def test_what_is_sealed_is_opened() -> None:
    assert opened(WHOLE) == header()
    size = front_bytes(WHOLE[:FIXED_BYTES])
    assert size == ALIGNMENT
    assert WHOLE[ALIGNMENT:] == b"s" * 5000
    assert file_bytes(header()) == len(WHOLE)


@given(st.binary(min_size=1, max_size=3000), st.lists(st.integers(1, 500), max_size=8))
def test_the_pieces_do_not_matter(state: bytes, cuts: list[int]) -> None:
    pieces, rest = [], state
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    head = header(state_bytes=len(state))
    assert seal(KEY, head, [*pieces, rest]) + state == whole(head, state)
    assert opened(whole(head, state)) == head


def test_a_long_header_moves_the_state_to_a_later_page() -> None:
    head = header(messages=system("x" * 50_000))
    data = whole(head)
    assert front_bytes(data[:FIXED_BYTES]) == 13 * ALIGNMENT
    assert opened(data) == head


@given(st.integers(0, 8 * len(WHOLE) - 1))
@example(0)
@example(8 * 7)
@example(8 * 40)
@example(8 * (FIXED_BYTES + 3))
@example(8 * (ALIGNMENT - 1))
@example(8 * len(WHOLE) - 1)
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    data = bytearray(WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    assert refused(bytes(data))


@given(st.integers(0, len(WHOLE) - 1))
def test_truncation_anywhere_is_refused(size: int) -> None:
    assert refused(WHOLE[:size]) == "cut off"


def test_bytes_behind_the_end_are_refused() -> None:
    assert refused(WHOLE + b"x") == "damaged"


@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_a_foreign_key_is_refused(key: bytes) -> None:
    assert "another installation" in refused(WHOLE, key)


@given(st.binary(max_size=300))
@example(MAGIC + bytes(60))
@example(MAGIC + bytes(32) + struct.pack("<I", MAX_HEADER_BYTES + 1))
@example(b"GGUF" + bytes(100))
def test_any_bytes_are_refused_and_never_raise(data: bytes) -> None:
    assert refused(data)
    assert isinstance(parse_header(data, len(data)), BadState)


@given(st.binary(max_size=200))
@example(b"[" * 5000)
@example(b"{}")
@example(b'{"identity":"\\ud800"}')
def test_any_header_is_refused_and_never_raises(text: bytes) -> None:
    assert refused(with_header(text)) == "damaged"


def test_a_number_out_of_its_range_is_refused() -> None:
    for changes in ({"state_bytes": 0}, {"tokens": -1}, {"messages": ()}):
        text = msgspec.json.encode(header(**changes))
        assert refused(with_header(text, b"x")) == "damaged"


def test_another_version_and_another_kind_of_file_are_told_apart() -> None:
    assert refused(MAGIC[:-1] + b"\x02" + WHOLE[8:]) == "of another version"
    assert refused(b"x" * 5000) == "no saved prefix"


def test_a_state_that_is_not_as_long_as_promised_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="5001 bytes of state, and 5000"):
        seal(KEY, header(), [b"x" * 5000, b"x"])
    with pytest.raises(ValueError, match="a header of"):
        seal(KEY, header(messages=system("x" * MAX_HEADER_BYTES)), [])


@pytest.mark.parametrize("field", Identity.__struct_fields__)
def test_every_field_makes_another_identity_and_another_file(field: str) -> None:
    other = msgspec.structs.replace(IDENTITY, **{field: OTHERS[field]})
    assert other != IDENTITY
    assert file_name(KEY, other, system()) != file_name(KEY, IDENTITY, system())
    assert is_akin(other, IDENTITY) == (field in {"kv_type", "flash_attention"})


def test_a_name_tells_nothing_and_stays() -> None:
    name = file_name(KEY, IDENTITY, system())
    assert name == file_name(KEY, IDENTITY, system())
    assert len(name) == 32
    assert name != file_name(bytes(32), IDENTITY, system())
    longer = (*system(), Message(role="user", content="x"))
    assert name != file_name(KEY, IDENTITY, longer)
