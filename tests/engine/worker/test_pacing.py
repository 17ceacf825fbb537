"""How a step is sized."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.pacing import CHUNK_S, Pacing


def test_before_anything_is_known_a_step_is_as_large_as_allowed() -> None:
    assert Pacing(512, 0.5, 2).chunk(1000, 0) == 512
    assert Pacing(512, 0.5, 2).chunk(1000, 1) == 512
    assert Pacing(512, 0.5, 2).chunk(3, 0) == 3


def test_a_step_that_only_reads_is_foretold() -> None:
    pacing = Pacing(512, 0.5, 2)
    assert pacing.reading_s(100) == 0.0
    pacing.observe(3.2, 32, 0)
    assert pacing.reading_s(100) == pytest.approx(10.0)


def test_alone_a_step_takes_about_as_long_as_one_may_wait() -> None:
    pacing = Pacing(512, 0.5, 2)
    pacing.observe(3.2, 32, 0)
    assert pacing.chunk(1000, 0) == int(CHUNK_S / 0.1)
    assert pacing.chunk(125, 0) == 125, "a rest is read at once"
    assert pacing.chunk(126, 0) == 50


def test_with_one_stream_nobody_waits_for_a_place() -> None:
    pacing = Pacing(512, 0.5, 1)
    pacing.observe(32.0, 32, 0)
    assert pacing.chunk(1000, 0) == 512


def test_among_streams_a_prompt_takes_its_share_of_time() -> None:
    """A decode of 100 ms, a prompt token of 10 ms: at a share of a half 10 of them fit."""
    for share, tokens in ((0.5, 10), (0.75, 30), (0.05, 1)):
        pacing = Pacing(512, share, 2)
        pacing.observe(0.32, 32, 0)
        pacing.observe(0.1, 0, 1)
        assert abs(pacing.chunk(1000, 1) - tokens) <= 1


def test_where_more_wait_than_are_answered_each_counts_as_one() -> None:
    pacing = Pacing(512, 0.5, 2)
    pacing.observe(0.32, 32, 0)
    for streams, seconds in ((1, 0.1), (4, 0.2)):
        pacing.observe(seconds, 0, streams)
    assert [pacing.chunk(1000, 1, readers) for readers in (1, 2, 7)] == [10, 20, 70]
    assert [pacing.chunk(1000, 4, readers) for readers in (1, 4, 8)] == [20, 20, 40]


def test_steps_of_so_many_streams_cost_what_those_did_or_the_next_fewer() -> None:
    pacing = Pacing(512, 0.5, 2)
    pacing.observe(0.32, 32, 0)
    pacing.observe(0.4, 0, 4)
    assert [pacing.chunk(1000, streams) for streams in (1, 4, 8)] == [40, 40, 40]
    pacing.observe(0.1, 0, 1)
    pacing.observe(0.2, 0, 2)
    assert [pacing.chunk(1000, streams) for streams in (1, 2, 3, 4, 8)] == [10, 20, 20, 40, 40]


def test_it_learns_what_tokens_cost_beside_streams() -> None:
    pacing = Pacing(512, 0.5, 2)
    pacing.observe(0.1, 0, 1)
    pacing.observe(0.32, 32, 0)
    for _ in range(20):
        pacing.observe(0.1 + 0.002 * 10, 10, 1)
    assert 45 <= pacing.chunk(1000, 1) <= 50
    pacing.observe(0.05, 10, 1)
    assert pacing.chunk(1000, 1) > 50, "faster than a decode alone counts as free"


@given(
    st.integers(16, 512),
    st.floats(0.05, 0.95),
    st.integers(1, 10**6),
    st.lists(st.tuples(st.floats(0, 1e3), st.integers(0, 512), st.integers(0, 8)), max_size=20),
)
def test_a_step_is_never_empty_and_never_too_large(
    limit: int, share: float, left: int, seen: list[tuple[float, int, int]]
) -> None:
    pacing = Pacing(limit, share, 2)
    for observation in seen:
        pacing.observe(*observation)
    for streams in (0, 1, 8):
        assert 1 <= pacing.chunk(left, streams) <= min(limit, left)
