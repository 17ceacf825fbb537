"""A child may write what it likes; a journal gets little of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.engine.stderr import BURST_LINES, LINES_PER_S, MAX_LINE_BYTES, StderrLines


def test_lines_are_joined_over_reads_and_blank_ones_left_out() -> None:
    lines = StderrLines()
    assert lines.feed(b"one\n\n  \ntw", 0.0) == ["one"]
    assert lines.feed(b"o\r\nthree", 0.0) == ["two"]
    assert lines.close(0.0) == ["three"]
    assert lines.close(0.0) == []
    assert lines.last == "three"


def test_a_long_line_is_cut_and_never_kept() -> None:
    lines = StderrLines()
    for _ in range(100):
        assert lines.feed(b"x" * 65_536, 0.0) == []
    assert len(lines._tail) == MAX_LINE_BYTES + 1
    assert lines.feed(b"\nnext\n", 0.0) == ["x" * MAX_LINE_BYTES + "…", "next"]


def test_control_characters_and_bad_utf8_are_shown_as_such() -> None:
    assert StderrLines().feed(b"\x1b[31mred\rGr\xfc\xc3\xa9\x00\n", 0.0) == [
        "\\x1b[31mred\\x0dGr\ufffdé\\x00"
    ]


def test_a_flood_is_counted_not_forwarded() -> None:
    lines = StderrLines()
    first = lines.feed(b"line\n" * 1000, 0.0)
    assert first == ["line"] * BURST_LINES
    assert lines.dropped == 1000 - BURST_LINES
    assert lines.feed(b"dropped\n", 0.0) == []
    assert lines.last == "dropped"
    later = lines.feed(b"line\n" * 100, 1.0)
    assert later == ["(951 lines dropped)", *["line"] * int(LINES_PER_S)]
    assert lines.close(1.0) == ["(95 lines dropped)"]


def test_a_clock_that_stands_still_or_steps_back_gives_no_allowance() -> None:
    lines = StderrLines()
    lines.feed(b"line\n" * BURST_LINES, 10.0)
    assert lines.feed(b"line\n", 0.0) == []


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.tuples(st.binary(max_size=2000), st.floats(0, 1e6))))
def test_whatever_comes_is_bounded_and_printable(reads: list[tuple[bytes, float]]) -> None:
    lines = StderrLines()
    for data, now in reads:
        out = [*lines.feed(data, now)]
        assert len(out) <= BURST_LINES + 1
        assert all(line.isprintable() and len(line) <= 4 * MAX_LINE_BYTES + 1 for line in out)
        assert len(lines._tail) <= MAX_LINE_BYTES + 1
