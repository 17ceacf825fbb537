"""What the peers of the pinned llama.cpp say is understood; it was recorded from them."""

from __future__ import annotations

import msgspec
import pytest

from bench.peer.reports import Chunk, chunk
from bench.peer.served import read
from tests.bench.peer.recordings import FOLDER, bench_rows


def test_llama_bench_is_read() -> None:
    reading, decoding = bench_rows()
    assert (reading.n_prompt, decoding.n_gen) == (512, 128)
    assert reading.samples_ns == (3_947_962_062,)
    assert reading.tokens_per_second == pytest.approx(129.687163)  # its own avg_ts
    assert decoding.tokens_per_second == pytest.approx(6.49224)
    assert (decoding.n_threads, decoding.n_batch, decoding.n_ubatch) == (2, 512, 512)
    assert (decoding.type_k, decoding.type_v, decoding.repack) == ("f16", "f16", True)


def test_the_middle_repetition_counts() -> None:
    row = bench_rows()[0]
    many = msgspec.structs.replace(row, samples_ns=(10**9, 2 * 10**9, 9 * 10**9))
    assert many.tokens_per_second == pytest.approx(256.0)


def test_a_stream_of_llama_server_is_read() -> None:
    lines = (FOLDER / "llama-server.txt").read_bytes().splitlines(keepends=True)
    events = [event for line in lines if (event := chunk(line)) is not None]
    assert [event.content for event in events] == [" egsd", " eqea", " aeef", ""]
    answer = read(list(enumerate(events, start=1)), 0.0)
    assert (answer.tokens, answer.timings.prompt_n, answer.timings.cache_n) == (3, 32, 5)
    assert (answer.first_s, answer.end_s) == (1, 4)


@pytest.mark.parametrize("line", [b"\n", b": ping\n", b"event: x\r\n", b""])
def test_lines_without_an_event_are_passed_over(line: bytes) -> None:
    assert chunk(line) is None
    assert chunk(b'data: {"content":"a"}\r\n') == Chunk(content="a")
