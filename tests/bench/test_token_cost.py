"""Time between decodes is noted by the worker and read by the bench."""

from __future__ import annotations

import mmap
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bench import notes, synthetic
from bench.direct import Direct, WorkerError
from bench.mixes import MIXES
from bench.notes import SIZE, Note, Notebook, between
from bench.shapes import SHAPES
from bench.timed_worker import timed
from bench.token_cost import CHOICES, DEEP, SHALLOW, STREAMS, Meter
from bench.token_cost_verdict import LONG
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    synthetic.write(path, SHAPES["tiny"], MIXES["2.70"])
    return path


def test_notes_are_taken_once() -> None:
    notebook = Notebook(bytearray(SIZE))
    notebook.add(1, 2, 3)
    notebook.add(4, 5, 6)
    assert notebook.take() == [Note(1, 2, 3), Note(4, 5, 6)]
    assert notebook.take() == []


def test_a_full_notebook_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MOST", 1)
    notebook = Notebook(bytearray(SIZE))
    notebook.add(1, 1, 1)
    notebook.add(2, 2, 2)
    assert notebook.take() == [Note(1, 1, 1)]


def test_only_what_stands_between_two_decodes_of_all_streams_counts() -> None:
    rows = [128, 40, 4, 4, 3, 4, 4]
    taken = between([Note(number, 0, count) for number, count in enumerate(rows)], 4)
    assert [note.cpu_ns for note in taken] == [3, 6]


def test_a_timed_decode_notes_its_rows_and_passes_its_code_on() -> None:
    notebook = Notebook(bytearray(SIZE))
    decode = timed(lambda context, batch: context + batch.n_tokens, notebook)
    assert decode(10, SimpleNamespace(n_tokens=5)) == 15
    (note,) = notebook.take()
    assert note.rows == 5
    assert note.wall_ns > 0


@pytest.mark.parametrize("streams", [1, 3])
def test_a_meter_reads_what_the_real_worker_noted(
    tmp_path: Path, model: Path, streams: int
) -> None:
    file = tmp_path / "notes"
    file.write_bytes(bytes(SIZE))
    load = Load(path=str(model), n_ctx=256, threads=1, threads_batch=1, streams=streams)
    with (
        file.open("r+b") as opened,
        mmap.mmap(opened.fileno(), SIZE) as page,
        Direct(load, ("-m", "bench.timed_worker", str(file))) as worker,
    ):
        meter = Meter(worker, Notebook(page), "1k", streams)
        for choice in CHOICES:
            taken = meter.notes(choice, SHALLOW, 20)
            assert len(taken) >= 20 - 4
            assert all(note.cpu_ns > 0 for note in taken)
        with pytest.raises(RuntimeError, match="ended before"):
            meter.notes("greedy", SHALLOW, 5000)


def test_the_deep_prompt_is_a_token_a_letter(model: Path) -> None:
    load = Load(path=str(model), threads=1, threads_batch=1)
    with Direct(load) as worker:
        words = Message(role="user", content=DEEP[0][:500])
        (done,) = worker.answer(worker.ask(words, max_tokens=1))
        assert 500 < done.prompt_tokens < 540
    assert all(len(deep) < LONG for deep in DEEP)
    assert len({deep[0] for deep in DEEP}) == len(DEEP) == max(STREAMS)


def test_a_worker_that_cannot_load_is_no_bench(tmp_path: Path) -> None:
    worker = Direct(Load(path=str(tmp_path / "absent.gguf")))
    with pytest.raises(WorkerError, match="not a file"):
        worker.__enter__()


def test_a_request_that_fails_is_told(model: Path) -> None:
    load = Load(path=str(model), n_ctx=256, threads=1, threads_batch=1)
    with Direct(load) as worker, pytest.raises(WorkerError, match="long"):
        worker.answer(worker.ask(Message(role="user", content=DEEP[0])))


def test_a_worker_that_is_gone_is_told_with_its_last_words(model: Path) -> None:
    load = Load(path=str(model), n_ctx=256, threads=1, threads_batch=1)
    code = "import sys; sys.exit('it rains')"
    with pytest.raises(WorkerError, match="it rains"):
        Direct(load, ("-c", code)).__enter__()
