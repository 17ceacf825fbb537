"""What comes back from memory is answered as if it had been read anew, token for token."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import (
    Cancel,
    Failed,
    Generate,
    Learn,
    Learned,
    Measure,
    Measured,
    Save,
    Saved,
    Unlearn,
)
from edged.engine.worker import tiered
from edged.engine.worker.prefixes import Prefixes
from edged.engine.worker.tiered import Tiered
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Rig, done, system, text
from tests.engine.worker.test_sharing import QUESTIONS, anew, asked, followed, half_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

MIB = 1 << 20
KEY = "prefix/butler"
HOUSES = tuple(f"{number} is the number of this house. Be brief. " * 12 for number in range(5))


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(tiered, "STEP", 48)  # so that a prompt is more than one block
    with Rig() as rig:
        yield rig.open(load(prefill_chunk=32, prefix_bytes=64 * MIB))


@pytest.fixture(params=["f16", "q8_0", "no flash attention"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(tiered, "STEP", 48)
    fields = {
        "f16": {},
        "q8_0": {"kv_type": "q8_0", "flash_attention": "on"},
        "no flash attention": {"flash_attention": "off"},
    }
    with Rig() as rig:
        yield rig.open(load(prefill_chunk=32, prefix_bytes=64 * MIB, **fields[request.param]))


def books(rig: Rig) -> Tiered:
    assert isinstance(rig.desk._prefixes, Tiered)
    return rig.desk._prefixes


def emptied(rig: Rig) -> int:
    """Everything lies in memory; returns the bytes."""
    books(rig).set_aside()
    assert books(rig).used == books(rig).kept == books(rig).extent == 0
    return books(rig)._host.used


def test_whatever_comes_from_memory_is_answered_as_if_read(kind: Rig) -> None:
    asks = [asked(question, words=house) for house in HOUSES for question in QUESTIONS[:2]]
    said = {}
    for ask in asks:
        kind.forget()
        said[ask], sums = kind.answer(ask)
        assert sums.cached_tokens == 0
    for ask in (*asks, *reversed(asks)):
        emptied(kind)
        again, sums = kind.answer(ask)
        assert again == said[ask]
        if ask is not asks[0]:
            assert sums.cached_tokens > 60 or ask.messages[0].content != HOUSES[0]
    assert kind.answer(asks[0])[1].cached_tokens == sums.prompt_tokens - 1


def test_a_part_of_a_block_comes_back(rig: Rig) -> None:
    """Two questions part in the middle of one."""
    said = [anew(rig, asked(question)) for question in QUESTIONS]
    rig.forget()
    rig.answer(asked(QUESTIONS[0]))
    for question, text_of in zip(QUESTIONS, said, strict=True):
        emptied(rig)
        again, sums = rig.answer(asked(question))
        assert again == text_of
        assert sums.cached_tokens > 60


def test_idle_time_copies_out_and_a_long_new_prompt_finds_no_cells_in_its_way(rig: Rig) -> None:
    for house in HOUSES:
        rig.answer(asked(QUESTIONS[0], words=house))
    host = books(rig)._host
    assert books(rig).settled
    assert len(host) == len(HOUSES)
    sums = rig.answer(prompt("The attic is cold and dark. " * 20, max_tokens=4))[1]
    assert books(rig).extent <= sums.prompt_tokens + sums.completion_tokens + tiered.STEP
    assert books(rig).kept == 1


def test_what_is_used_again_and_again_stays_in_its_cells(rig: Rig) -> None:
    rig.answer(asked(QUESTIONS[0]))
    held = books(rig)._idle()
    sums = rig.answer(asked(QUESTIONS[1], max_tokens=2))[1]
    assert sums.cached_tokens > 60
    assert set(held) <= set(books(rig)._idle())


def test_a_conversation_goes_on_from_memory(rig: Rig) -> None:
    first = asked(QUESTIONS[2])
    said = rig.answer(first)[0]
    longer = followed(first, said)
    whole = anew(rig, longer)
    rig.forget()
    sums = rig.answer(first)[1]
    emptied(rig)
    on, next_sums = rig.answer(longer)
    assert on == whole
    assert next_sums.cached_tokens >= sums.prompt_tokens


def test_a_prompt_cancelled_while_it_is_read_comes_back_as_far_as_it_was(rig: Rig) -> None:
    request = asked(QUESTIONS[0])
    whole = anew(rig, request)
    half_read(rig, request)
    rig.say(Cancel(key="k"))
    assert done(rig.finish()).finish_reason == "cancelled"
    emptied(rig)
    again, sums = rig.answer(request)
    assert (again, sums.cached_tokens) == (whole, 48)


def test_a_failed_run_leaves_nothing(rig: Rig) -> None:
    request = asked(QUESTIONS[0])
    whole = anew(rig, request)
    half_read(rig, request)
    (run,) = rig.desk.runs
    rig.desk._lose(run, "as if llama.cpp had refused")
    assert isinstance(rig.finish()[-1], Failed)
    assert emptied(rig) == 0
    again, sums = rig.answer(request)
    assert (again, sums.cached_tokens) == (whole, 0)


@pytest.mark.parametrize("name", ["copy_out", "copy_in"])
def test_what_llama_cpp_cannot_copy_is_read(
    rig: Rig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = anew(rig, asked(QUESTIONS[0]))
    rig.forget()
    memory = rig.desk._context.memory
    monkeypatch.setattr(memory, name, {"copy_out": lambda _: None, "copy_in": refused}[name])
    rig.answer(asked(QUESTIONS[0]))
    for house in HOUSES:
        rig.answer(asked(QUESTIONS[0], words=house))
    assert rig.answer(asked(QUESTIONS[0]))[0] == whole


def refused(_sequence: int, _state: object) -> bool:
    return False


def test_a_damaged_state_is_refused_by_llama_cpp_and_leaves_no_trace(rig: Rig) -> None:
    whole = anew(rig, asked(QUESTIONS[0]))
    emptied(rig)
    for entry in books(rig)._host._entries.values():
        view = entry.pieces[0].block.state.content
        view[:4] = b"\xff" * 4  # its magic number
    again, sums = rig.answer(asked(QUESTIONS[0]))
    assert (again, sums.cached_tokens) == (whole, 0)


def test_a_request_goes_before_copying(rig: Rig) -> None:
    rig.say(asked(QUESTIONS[0], words=HOUSES[0] * 2))
    while not rig.desk.runs.idle or not rig.heard():
        rig.step()
    rig.step()
    assert not books(rig).settled
    rig.say(prompt(key="now", max_tokens=2))
    rig.step()
    assert [run.key for run in rig.desk.runs] == ["now"]
    assert done(rig.finish(), "now").completion_tokens


def test_memory_is_bounded_and_the_most_valuable_stays() -> None:
    with Rig() as rig:
        rig.open(load(prefill_chunk=64, prefix_bytes=MIB))
        rig.say(Learn(key=KEY, messages=(system("You are a butler. " * 4),)))
        rig.finish()
        for number in range(40):
            words = f"{number} is the number of this house. {number} " * 6
            rig.answer(asked("Is it warm?", words=words, max_tokens=2))
            assert books(rig)._host.used <= MIB
        assert 1 < len(books(rig)._host) < 40
        assert books(rig).named(KEY)


def test_without_memory_for_it_there_is_one_tier() -> None:
    with Rig() as rig:
        rig.open(load(prefix_bytes=0))
        assert type(rig.desk._prefixes) is Prefixes


@pytest.mark.parametrize("shape", ["tiny-mamba2", "tiny-hybrid"])
def test_recurrent_states_stay_where_they_are(tiny: Mapping[str, Path], shape: str) -> None:
    with Rig() as rig:
        rig.open(load(path=str(tiny[shape]), prefix_bytes=MIB))
        assert type(rig.desk._prefixes) is Prefixes
        assert rig.desk._context.host_bytes == 0


def test_a_persona_in_memory_is_saved_as_one_in_cells(rig: Rig) -> None:
    rig.say(Learn(key=KEY, messages=(system(HOUSES[0]),)))
    learned = rig.finish()[-1]
    assert isinstance(learned, Learned)
    files = []
    for away in (False, True):
        if away:
            emptied(rig)
        files.append(os.memfd_create("state"))
        os.ftruncate(files[-1], learned.state_bytes)
        socket.send_fds(rig.side, [b"x"], [files[-1]])
        rig.say(Save(key=KEY))
        assert rig.finish()[-1] == Saved(key=KEY, size=learned.state_bytes)
    here, back = (os.pread(file, learned.state_bytes, 0) for file in files)
    # Which sequence it was of is written down, too.
    assert sum(a != b for a, b in zip(here, back, strict=True)) < 2 * learned.tokens
    for file in files:
        os.close(file)
    assert rig.answer(asked(QUESTIONS[0], words=HOUSES[0]))[1].cached_tokens >= learned.tokens
    rig.say(Unlearn(key=KEY))
    rig.finish()
    assert books(rig).named(KEY) == []


def test_a_persona_in_memory_cannot_be_saved_while_runs_hold_everything(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.say(Learn(key=KEY, messages=(system(HOUSES[0]),)))
    learned = rig.finish()[-1]
    assert isinstance(learned, Learned)
    emptied(rig)
    monkeypatch.setattr(rig.desk._context.memory, "copy_in", refused)
    file = os.memfd_create("state")
    os.ftruncate(file, learned.state_bytes)
    socket.send_fds(rig.side, [b"x"], [file])
    rig.say(Save(key=KEY))
    failed = rig.finish()[-1]
    os.close(file)
    assert isinstance(failed, Failed)
    assert failed.code == "no_room"


def test_what_is_timed_finds_an_empty_context(rig: Rig) -> None:
    rig.answer(asked(QUESTIONS[0]))
    rig.say(Measure(key="measure/x", pp=32, tg=2))
    rig.step(2)
    assert books(rig).extent == 0
    assert isinstance(rig.finish()[-1], Measured)
    assert rig.answer(asked(QUESTIONS[0]))[1].cached_tokens > 60


def test_decisions_and_several_streams_take_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiered, "STEP", 48)
    with Rig() as rig:
        rig.open(load(streams=2, prefill_chunk=64, prefix_bytes=64 * MIB))
        said = {question: anew(rig, asked(question)) for question in QUESTIONS[:2]}
        rig.forget()
        rig.answer(asked(QUESTIONS[2]))
        emptied(rig)
        choice = Generate(
            key="choice",
            messages=asked(QUESTIONS[3]).messages,
            choices=("yes", "no", "perhaps"),
        )
        rig.say(*(asked(question, key=question) for question in said), choice)
        frames = rig.finish()
        assert {question: text(frames, question) for question in said} == said
        assert done(frames, "choice").scores
        cached = [done(frames, key).cached_tokens for key in (*said, "choice")]
        assert min(cached) > 60
