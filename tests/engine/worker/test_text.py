"""Text comes out whole: no half character, no half stop string, nothing held longer than needed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.engine.worker.text import TextStream


def feed(stop: list[str], pieces: list[bytes]) -> tuple[list[str], str, bool]:
    stream = TextStream(stop)
    out = [stream.feed(piece) for piece in pieces]
    rest = stream.close()
    return out, rest, stream.stopped


def test_a_character_in_pieces_comes_out_whole() -> None:
    pieces = [bytes([b]) for b in "a🙂é".encode()]
    out, rest, _ = feed([], pieces)
    assert out == ["a", "", "", "", "🙂", "", "é"]
    assert rest == ""


@pytest.mark.parametrize(
    ("pieces", "out", "rest"),
    [
        ([b"\xff", b"a"], ["\ufffd", "a"], ""),
        ([b"\xe2\x82", b"a"], ["", "\ufffda"], ""),
        ([b"\xe2\x82"], [""], "\ufffd"),
        ([b"\xed\xa0\x80"], ["\ufffd\ufffd\ufffd"], ""),
        ([b"\xf0\x9f", b"\x99\x82"], ["", "🙂"], ""),
    ],
)
def test_invalid_bytes_are_replaced_once_that_is_certain(
    pieces: list[bytes], out: list[str], rest: str
) -> None:
    assert feed([], pieces) == (out, rest, False)


@pytest.mark.parametrize(
    ("stop", "pieces", "out", "rest", "stopped"),
    [
        (["STOP"], [b"go STOP now"], ["go "], "", True),
        (["STOP"], [b"go ST", b"OP", b" now"], ["go ", "", ""], "", True),
        (["STOP"], [b"go ST", b"ART"], ["go ", "START"], "", False),
        (["STOP"], [b"STSTOP"], ["ST"], "", True),
        (["STOP"], [b"S", b"S", b"T"], ["", "S", ""], "ST", False),
        (["STOP"], [b"go ST"], ["go "], "ST", False),
        (["aab"], [b"a", b"a", b"a", b"b"], ["", "", "a", ""], "", True),
        (["\n\n", "END"], [b"x\n", b"y E", b"N", b"D"], ["x", "\ny ", "", ""], "", True),
        (["b", "ab"], [b"xab"], ["x"], "", True),
        (["\u20ac"], [b"1\xe2\x82", b"\xac"], ["1", ""], "", True),
        (["\ufffd"], [b"a\xe2\x82"], ["a"], "", True),
        (["x"], [b"abc"], ["abc"], "", False),
    ],
)
def test_stop_strings(
    stop: list[str],
    pieces: list[bytes],
    out: list[str],
    rest: str,
    stopped: bool,
) -> None:
    assert feed(stop, pieces) == (out, rest, stopped)


def test_after_a_stop_there_is_nothing() -> None:
    stream = TextStream(["."])
    assert stream.feed(b"a.") == "a"
    assert stream.feed(b"b") == ""
    assert stream.close() == ""


def expected(text: str, stop: list[str]) -> str:
    """The text up to the first place at which a stop string became complete."""
    for end in range(1, len(text) + 1):
        at = [found for s in stop if (found := text[:end].find(s)) >= 0]
        if at:
            return text[: min(at)]
    return text


@settings(deadline=None)  # other processes share the cores
@given(
    st.lists(st.text("abc\u00e9🙂", max_size=6)),
    st.lists(st.text("abc\u00e9🙂", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_any_split_gives_the_same_answer(
    parts: list[str], stop: list[str], data: st.DataObject
) -> None:
    raw = "".join(parts).encode()
    out, rest, stopped = feed(stop, [raw[i : i + 1] for i in range(len(raw))])
    assert "".join(out) + rest == expected("".join(parts), stop)
    assert stopped == any(s in "".join(parts) for s in stop)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)))))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    again, tail, _ = feed(stop, pieces)
    if not stop or not stopped:
        assert "".join(again) + tail == "".join(parts)
    for text in [*again, tail]:
        assert not any(s in text for s in stop)


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.binary(max_size=5)))
def test_any_bytes_become_what_python_makes_of_them(pieces: list[bytes]) -> None:
    out, rest, _ = feed([], pieces)
    assert "".join(out) + rest == b"".join(pieces).decode("utf-8", "replace")


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.text("ab", max_size=4)), st.text("ab", min_size=1, max_size=6))
def test_no_more_is_held_than_may_become_a_stop_string(parts: list[str], stop: str) -> None:
    stream = TextStream([stop])
    for part in parts:
        stream.feed(part.encode())
        assert stop.startswith(stream._held)
        assert len(stream._held) < len(stop)
