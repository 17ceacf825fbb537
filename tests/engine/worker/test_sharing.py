"""What is taken from the cache is answered as if it had been read anew, token for token.

In one thread configuration; where several runs share a step the order of additions differs, so
those tests compare what is shared, and the text of runs that compute alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Cancel, Done, Failed, Generate, Message, Prefill
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Rig, done, system, text, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

SYSTEM = "You are the voice of a small house. Answer in one short sentence. " * 6
QUESTIONS = (
    "Is the kitchen warm?",
    "Is the kitchen window open?",
    "Tell me about the garden.",
    "What can you do?",
)


def asked(
    question: str, *, words: str = SYSTEM, key: str = "k", priority: int = 1, max_tokens: int = 24
) -> Generate:
    return Generate(
        key=key,
        messages=(system(words), turn(question)),
        max_tokens=max_tokens,
        temperature=0.0,
        priority=priority,
    )


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open()


@pytest.fixture
def wide() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(streams=4, prefill_chunk=64, n_ctx=1024))


def anew(rig: Rig, request: Generate) -> str:
    """The answer of a context that holds nothing."""
    rig.forget()
    said, sums = rig.answer(request)
    assert sums.cached_tokens == 0
    return said


def half_read(rig: Rig, request: Generate) -> None:
    """Leave it in the middle of its prompt, with 48 tokens read."""
    rig.forget()
    rig.desk._pacing.limit = 16
    rig.say(request)
    rig.step(3)


def followed(first: Generate, said: str) -> Generate:
    """The next question of a conversation."""
    answer = Message(role="assistant", content=said)
    turns = (*first.messages, answer, turn("And the kitchen?"))
    return Generate(key="k", messages=turns, max_tokens=24, temperature=0.0)


def test_the_second_prompt_reads_only_what_differs(rig: Rig) -> None:
    said = {question: anew(rig, asked(question)) for question in QUESTIONS}
    for question in (*QUESTIONS, *reversed(QUESTIONS)):
        again, sums = rig.answer(asked(question))
        assert again == said[question]
        assert 60 < sums.cached_tokens < sums.prompt_tokens


def test_the_same_prompt_reads_its_last_token_again(rig: Rig) -> None:
    first = rig.answer(asked(QUESTIONS[0]))[1]
    second = rig.answer(asked(QUESTIONS[0]))[1]
    assert (first.cached_tokens, second.cached_tokens) == (0, first.prompt_tokens - 1)


def test_older_prompts_are_not_lost_to_newer_ones(rig: Rig) -> None:
    """One sequence would forget the first house when it reads of the second."""
    said = {words: anew(rig, asked(QUESTIONS[0], words=words)) for words in ("One. " * 20, SYSTEM)}
    rig.answer(asked(QUESTIONS[0], words="One. " * 20))
    for words in (*said, *said):
        again, sums = rig.answer(asked(QUESTIONS[0], words=words))
        assert again == said[words]
        assert sums.cached_tokens > 20
    assert rig.answer(asked(QUESTIONS[0], words="One. " * 20))[1].cached_tokens > 20


def test_a_conversation_goes_on_behind_its_own_answer(rig: Rig) -> None:
    first = asked(QUESTIONS[2])
    said, sums = rig.answer(first)
    longer = followed(first, said)
    on, next_sums = rig.answer(longer)
    assert next_sums.cached_tokens >= sums.prompt_tokens
    assert on == anew(rig, longer)


def test_nothing_shared_is_nothing_cached(rig: Rig) -> None:
    rig.answer(asked(QUESTIONS[0]))
    sums = rig.answer(asked(QUESTIONS[0], words="Other words entirely."))[1]
    assert sums.cached_tokens < 12  # the template's own first words at most


def test_a_prompt_cancelled_while_it_is_read_leaves_what_it_had_read(rig: Rig) -> None:
    request = asked(QUESTIONS[0])
    whole = anew(rig, request)
    half_read(rig, request)
    rig.say(Cancel(key="k"))
    assert done(rig.finish()).finish_reason == "cancelled"
    again, sums = rig.answer(request)
    assert again == whole
    assert sums.cached_tokens == 48


def test_after_an_eviction_the_rest_is_as_good(rig: Rig) -> None:
    said = {question: anew(rig, asked(question)) for question in QUESTIONS}
    for question in QUESTIONS:
        rig.answer(asked(question))
    kept = rig.desk._prefixes.kept
    assert rig.desk._prefixes.forget_one(0.0)
    assert rig.desk._prefixes.kept == kept - 1
    for question in QUESTIONS:
        assert rig.answer(asked(question))[0] == said[question]


def test_more_prompts_than_there_are_sequences_and_cells(rig: Rig) -> None:
    """Eviction goes on for ever; sequence numbers beyond those of the runs are used as well."""
    first = anew(rig, asked(QUESTIONS[0], max_tokens=8))
    for number in range(300):
        words = f"{number} is the number of this house. {number} " * 3
        rig.answer(asked("Is it warm?", words=words, max_tokens=2))
    context = rig.desk._context
    assert context.runs < rig.desk._prefixes.kept <= context.sequences - context.runs
    assert rig.desk._prefixes.used <= context.n_cells
    assert rig.answer(asked(QUESTIONS[0], max_tokens=8))[0] == first


def test_the_token_that_broke_the_prefix_is_told(
    rig: Rig, capfd: pytest.CaptureFixture[str]
) -> None:
    rig.answer(asked("Is the kitchen warm?"))
    rig.answer(asked("Is the bathroom warm?"))
    assert "where ' kitchen' was" in capfd.readouterr().err


# Several runs.


def test_two_with_one_beginning_read_it_once(wide: Rig) -> None:
    wide.say(*(asked(question, key=question) for question in QUESTIONS))
    frames = wide.finish()
    sums = [done(frames, question) for question in QUESTIONS]
    assert [s.cached_tokens > 60 for s in sums] == [False, True, True, True]
    # What three of them have in common beyond the system's words is shared as well.
    assert sums[1].cached_tokens > sums[2].cached_tokens


def test_each_stream_says_what_it_says_alone(wide: Rig) -> None:
    said = {question: anew(wide, asked(question)) for question in QUESTIONS}
    wide.forget()
    wide.say(*(asked(question, key=question) for question in QUESTIONS))
    frames = wide.finish()
    assert {question: text(frames, question) for question in QUESTIONS} == said


def test_a_long_prompt_does_not_stop_a_running_stream(wide: Rig) -> None:
    wide.answer(prompt(max_tokens=8))
    wide.say(asked(QUESTIONS[2], key="talks", max_tokens=200))
    wide.step(6)
    wide.desk._pacing.limit = 16
    wide.heard()
    wide.say(prompt("The attic is cold. " * 60, key="long", max_tokens=1))
    frames = wide.finish()
    reads = [i for i, f in enumerate(frames) if isinstance(f, Prefill) and f.key == "long"]
    words = "".join(text(frames[: reads[-1]], "talks"))
    assert len(words) > 10, "it spoke while the other one read"


def test_an_urgent_one_goes_before_the_running_one(rig: Rig) -> None:
    rig.say(asked(QUESTIONS[2], key="slow", max_tokens=60))
    rig.step(10)
    rig.say(asked(QUESTIONS[0], key="now", priority=0, max_tokens=8))
    frames = rig.finish()
    ends = [f.key for f in frames if isinstance(f, Done)]
    assert ends == ["now", "slow"]
    assert text(rig.frames, "slow") == anew(rig, asked(QUESTIONS[2], max_tokens=60))


def test_an_urgent_one_interrupts_a_prompt_being_read(rig: Rig) -> None:
    long = prompt("The attic is cold. " * 60, key="long", max_tokens=1)
    rig.say(long)
    rig.step()
    rig.say(prompt(key="now", priority=0, max_tokens=2))
    rig.worker._attend(1.0)
    rig.desk._reading = list(rig.desk.runs)
    assert rig.desk.interrupted
    rig.desk._reading = []
    assert [f.key for f in rig.finish() if isinstance(f, Done)] == ["now", "long"]


def test_who_comes_early_in_a_step_is_read_in_it(
    wide: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {question: anew(wide, asked(question)) for question in QUESTIONS[2:4]}
    wide.forget()
    look, late = wide.worker._look, [asked(QUESTIONS[3], key=QUESTIONS[3])]

    def one_more_comes(now: float) -> None:
        while late:
            wide.say(late.pop())
        look(now)

    monkeypatch.setattr("edged.engine.worker.loop.YOUNG_LOOK_S", 0.0)
    monkeypatch.setattr(wide.desk._pacing, "reading_s", lambda _tokens: 1e6)
    monkeypatch.setattr(wide.worker, "_look", one_more_comes)
    wide.desk._pacing.limit = 256
    wide.say(asked(QUESTIONS[2], key=QUESTIONS[2]))
    wide.step()
    assert [run.position for run in wide.desk.runs] == [0]
    frames = wide.finish()
    assert {question: text(frames, question) for question in said} == said


def test_a_full_house_is_joined_by_nobody(wide: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide.desk._stepper, "early", lambda _now: True)
    wide.say(*(asked(question, key=question) for question in QUESTIONS[:4]))
    wide.step()
    wide.say(asked(QUESTIONS[0], key="fifth"))
    wide.worker._attend(1.0)
    assert not wide.desk.interrupted


def test_one_of_several_is_cancelled(wide: Rig) -> None:
    said = anew(wide, asked(QUESTIONS[2]))
    wide.forget()
    wide.say(asked(QUESTIONS[2], key="stays"), asked(QUESTIONS[3], key="goes", max_tokens=200))
    wide.step(8)
    wide.say(Cancel(key="goes"))
    frames = wide.finish()
    assert text(wide.frames, "stays") == said
    assert done(frames, "goes").finish_reason == "cancelled"


def test_a_full_context_ends_an_answer_and_harms_nobody() -> None:
    """Two streams fill what two may have; the urgent one finds room among what is kept."""
    with Rig() as rig:
        rig.open(load(streams=2, n_ctx=256, prefix_tokens=0, prefill_chunk=64))
        endless = {"max_tokens": 5000, "temperature": 10.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
        for key in ("a", "b"):
            rig.say(prompt("warm " * 60, key=key, **endless))
        rig.step(20)
        rig.say(prompt("cold " * 100, key="now", priority=0, max_tokens=20))
        frames = rig.finish()
        assert not [f for f in frames if isinstance(f, Failed)]
        for key in ("a", "b"):
            sums = done(rig.frames, key)
            assert sums.finish_reason in {"length", "stop"}
            assert sums.prompt_tokens + sums.completion_tokens <= 257
        assert rig.answer(prompt(max_tokens=4))[1].completion_tokens
