"""Learn, Save, Restore and Unlearn with the pocket model."""

from __future__ import annotations

import mmap
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import (
    Failed,
    FromChild,
    Generate,
    Learn,
    Learned,
    Prefill,
    Restore,
    Save,
    Saved,
    Unlearn,
)
from edged.engine.worker import errands
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Rig, done, system, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

KEY = "prefix/butler"
BUTLER = (system("You are a butler of few words. " * 12),)
ASKED = Generate(key="k", messages=(*BUTLER, turn("Is it warm?")), max_tokens=16, temperature=0.0)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(prefill_chunk=32))


def last(rig: Rig, *frames: Learn | Save | Restore | Unlearn) -> FromChild:
    rig.say(*frames)
    return rig.finish()[-1]


def learn(rig: Rig) -> Learned:
    learned = last(rig, Learn(key=KEY, messages=BUTLER))
    assert isinstance(learned, Learned)
    return learned


def give(rig: Rig, file: int) -> None:
    socket.send_fds(rig.side, [b"x"], [file])


def saved(rig: Rig) -> tuple[int, int]:
    """A memory file with the state, and its size; the caller closes it."""
    size = learn(rig).state_bytes
    file = os.memfd_create("state")
    os.ftruncate(file, size)
    give(rig, file)
    answer = last(rig, Save(key=KEY))
    assert answer == Saved(key=KEY, size=size)
    return file, size


@pytest.fixture
def state(rig: Rig) -> Iterator[tuple[int, int]]:
    file, size = saved(rig)
    yield file, size
    os.close(file)


def restore(rig: Rig, state: tuple[int, int], **fields: Any) -> FromChild:
    file, size = state
    give(rig, file)
    frame = Restore(**{"key": KEY, "messages": BUTLER, "offset": 0, "size": size, **fields})
    return last(rig, frame)


def test_what_was_learnt_is_not_read_again(rig: Rig) -> None:
    learned = learn(rig)
    assert (learned.key, learned.cached) == (KEY, 0)
    assert learned.tokens > 60
    assert learned.state_bytes > 1000 * learned.tokens
    assert rig.answer(ASKED)[1].cached_tokens == learned.tokens


def test_learning_tells_how_far_it_is(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "_PROGRESS_S", 0.0)
    rig.say(Learn(key=KEY, messages=BUTLER))
    told = [f.done for f in rig.finish() if isinstance(f, Prefill)]
    assert told == sorted(told)
    assert told


def test_a_name_outlives_what_has_none(rig: Rig) -> None:
    tokens = learn(rig).tokens
    for number in range(80):
        rig.answer(prompt(f"{number} is a number. " * 12, max_tokens=1))
    assert rig.answer(ASKED)[1].cached_tokens >= tokens


def test_a_request_goes_before_a_lesson(rig: Rig) -> None:
    rig.say(Learn(key=KEY, messages=BUTLER))
    rig.step(2)
    rig.say(prompt(key="now", max_tokens=2))
    frames = rig.finish()
    assert done(frames, "now").completion_tokens
    kinds = [type(f).__name__ for f in frames if getattr(f, "key", "") in {"now", KEY}]
    assert kinds.index("Done") < kinds.index("Learned")
    rig.say(Learn(key=KEY, messages=(system("Other words. " * 20),)))
    rig.step()
    rig.desk._reading = [rig.desk.errands.lesson]  # type: ignore[list-item]
    before = rig.desk.interrupted
    rig.say(prompt(priority=2))
    rig.worker._attend(1.0)
    assert (before, rig.desk.interrupted) == (False, True)
    rig.desk._reading = []
    rig.finish()


def test_from_a_file_it_answers_as_it_did(rig: Rig, state: tuple[int, int]) -> None:
    said, _ = rig.answer(ASKED)
    with Rig() as other:
        other.open(load(prefill_chunk=32))
        fresh, sums = other.answer(ASKED)
        assert (fresh, sums.cached_tokens) == (said, 0)
        other.forget()
        learned = restore(other, state)
        assert isinstance(learned, Learned), learned
        assert learned.cached == learned.tokens
        again, sums = other.answer(ASKED)
        assert (again, sums.cached_tokens) == (said, learned.tokens)


def test_a_restored_one_joins_what_is_there(rig: Rig, state: tuple[int, int]) -> None:
    said, _ = rig.answer(ASKED)
    used = rig.desk._prefixes.used
    assert isinstance(restore(rig, state), Learned)
    assert rig.desk._prefixes.used == used
    assert rig.answer(ASKED)[0] == said


def test_a_state_can_stand_behind_a_header(rig: Rig, state: tuple[int, int]) -> None:
    file, size = state
    behind = os.memfd_create("behind")
    os.pwrite(behind, os.pread(file, size, 0), 4096)
    assert isinstance(restore(rig, (behind, size), offset=4096), Learned)
    os.close(behind)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"messages": (system("You are a cook. " * 12),)}, "other tokens"),
        ({"offset": 4096}, "cut off"),
        ({"size": 100}, "cut off"),
        ({"size": 2000}, "refuses"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    rig: Rig, state: tuple[int, int], fields: dict[str, Any], says: str
) -> None:
    failed = restore(rig, state, **fields)
    assert isinstance(failed, Failed)
    assert failed.code == "bad_state"
    assert says in failed.message
    assert rig.answer(prompt(max_tokens=2))[1].completion_tokens


def test_a_state_of_another_size_of_model_is_refused(rig: Rig, state: tuple[int, int]) -> None:
    file, size = state
    with mmap.mmap(file, size) as view:
        at = size - 4 * 1024
        view[size - at : size - at + 8] = b"\xff" * 8
    failed = restore(rig, state)
    assert isinstance(failed, Failed | Learned), "what is in between only the digest sees"


def test_errands_that_cannot_be_done(rig: Rig) -> None:
    small = os.memfd_create("small")
    os.ftruncate(small, 100)
    answers = []
    for known in (False, True):
        if known:
            learn(rig)
        give(rig, small)
        answers.append(last(rig, Save(key=KEY)))
    os.close(small)
    empty = os.memfd_create("empty")
    give(rig, empty)
    answers.append(last(rig, Save(key=KEY)))
    os.close(empty)
    rig.side.send(b"x")
    answers.append(last(rig, Save(key=KEY)))
    answers.append(last(rig, Learn(key="prefix/long", messages=(system("word " * 3000),))))
    codes = [answer.code for answer in answers if isinstance(answer, Failed)]
    assert codes == ["unknown", "too_small", "io", "no_descriptor", "prompt_too_long"], answers
    rig.say(Unlearn(key=KEY), Unlearn(key="prefix/none"))
    rig.finish()
    assert rig.desk._prefixes.named(KEY) == []


def test_when_nothing_can_give_way_a_lesson_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.desk._prefixes, "open", lambda *_: None)
    failed = last(rig, Learn(key=KEY, messages=BUTLER))
    assert isinstance(failed, Failed)
    assert failed.code == "no_room"


def test_a_lesson_that_llama_cpp_refuses(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.desk._prefixes, "room", lambda *_: False)
        failed = last(rig, Learn(key=KEY, messages=BUTLER))
    assert isinstance(failed, Failed)
    assert failed.code == "decode_failed"
    assert isinstance(last(rig, Learn(key=KEY, messages=BUTLER)), Learned)
