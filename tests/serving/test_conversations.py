"""Conversations by session: bounds hold, turns stay whole and in order, forgetting wins."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.serving.conversation import MAX_BYTES, MAX_TURNS, Recalled
from edged.serving.conversations import MAX_ALL_BYTES, Bounds, Conversations
from edged.serving.request import SessionId
from tests.serving.make import request

CONTEXT = 1000


def kept(bounds: Bounds | None = None) -> Conversations:
    conversations = Conversations(bounds or Bounds())
    conversations.context = CONTEXT
    return conversations


def recall(  # noqa: PLR0913 - one keyword for each thing a test may care about
    conversations: Conversations,
    prompt: str = "hi",
    session: str = "s",
    *,
    now: float = 0.0,
    system: str | None = None,
    most: int | None = None,
    max_tokens: int = 16,
) -> Recalled:
    asked = request(session=session, prompt=prompt, system=system, max_tokens=max_tokens)
    assert asked.session is not None
    return conversations.recall(asked, asked.session, most, now)


def talk(
    conversations: Conversations, prompt: str = "hi", session: str = "s", now: float = 0.0
) -> Recalled:
    """One turn, answered by the same words; a token is a byte."""
    known = recall(conversations, prompt, session, now=now)
    conversations.close(known, prompt, tokens_of(known, prompt), now)
    return known


def tokens_of(known: Recalled, said: str) -> int:
    expanded = known.expand(request(session="s"))
    return sum(len(message.content) for message in expanded.messages) + len(said)


def asked_of(known: Recalled) -> list[str]:
    return [turn.user.content for turn in known.turns]


def test_each_answered_turn_stands_before_the_next() -> None:
    conversations = kept()
    seen = [asked_of(talk(conversations, prompt)) for prompt in ("one", "two", "three")]
    assert seen == [[], ["one"], ["one", "two"]]
    assert len(conversations) == 1


def test_what_was_not_answered_leaves_it_as_it_was() -> None:
    conversations = kept()
    conversations.close(recall(conversations, "lost"), None, 0, 0.0)
    assert len(conversations) == 0
    talk(conversations, "one")
    conversations.close(recall(conversations, "lost", most=0), None, 0, 0.0)
    assert asked_of(recall(conversations)) == ["one"]


def test_the_lead_stays_until_a_request_brings_another() -> None:
    conversations = kept()
    leads = []
    for system in ("Be brief.", None, "Be kind.", None):
        known = recall(conversations, system=system)
        leads.append(known.lead[0].content)
        conversations.close(known, "yes", 40, 0.0)
    assert leads == ["Be brief.", "Be brief.", "Be kind.", "Be kind."]
    assert len(recall(conversations).turns) == 4


def test_a_lead_of_a_request_that_failed_is_not_kept() -> None:
    conversations = kept()
    talk(conversations)
    conversations.close(recall(conversations, system="Be rude."), None, 0, 0.0)
    assert recall(conversations).lead == ()


def test_unused_for_too_long_is_forgotten_at_the_moment_of_use() -> None:
    conversations = kept(Bounds(max_age_s=10))
    talk(conversations, now=0.0)
    assert len(talk(conversations, now=10.0).turns) == 1
    assert len(talk(conversations, now=20.1).turns) == 0


def test_unused_for_too_long_is_forgotten_by_time_alone_but_never_while_it_runs() -> None:
    conversations = kept(Bounds(max_age_s=10))
    talk(conversations, session="idle")
    known = recall(conversations, session="busy")
    conversations.expire(1000.0)
    assert (conversations.count("idle"), conversations.count("busy")) == (0, 1)
    conversations.close(known, "hi", 4, 1000.0)
    conversations.expire(1005.0)
    assert conversations.count("busy") == 1


def test_the_one_unused_for_longest_makes_room() -> None:
    conversations = kept(Bounds(capacity=2))
    for now, session in enumerate("abac"):
        talk(conversations, session=session, now=float(now))
    assert [conversations.count(session) for session in "abc"] == [1, 0, 1]


def test_one_that_runs_is_not_thrown_out_and_one_that_failed_throws_nobody_out() -> None:
    conversations = kept(Bounds(capacity=1))
    talk(conversations, session="a")
    running = recall(conversations, session="a")
    talk(conversations, session="b")
    conversations.close(recall(conversations, session="c"), None, 0, 0.0)
    assert [conversations.count(session) for session in "abc"] == [1, 1, 0]
    conversations.close(running, "hi", 8, 0.0)
    assert [conversations.count(session) for session in "abc"] == [0, 1, 0]


def test_forgetting_while_it_runs_wins() -> None:
    conversations = kept()
    talk(conversations)
    known = recall(conversations)
    conversations.forget("s")
    conversations.close(known, "late", 8, 0.0)
    assert len(conversations) == 0
    assert recall(conversations).turns == ()


def test_forgetting_takes_all_owners_of_a_name_and_all_is_all() -> None:
    conversations = kept()
    for owner in ("", "tablet", "phone"):
        asked = request("r", owner, session="s")
        session = SessionId(id="s", owner=owner)
        conversations.close(conversations.recall(asked, session, None, 0.0), "hi", 4, 0.0)
    talk(conversations, session="t")
    assert (conversations.count("s"), conversations.count(None)) == (3, 4)
    conversations.forget("s")
    assert (conversations.count("s"), conversations.count(None)) == (0, 1)
    conversations.forget(None)
    assert len(conversations) == 0


def test_the_bound_of_tokens_is_half_of_the_context_or_what_is_given() -> None:
    for bounds, left in ((Bounds(), 500), (Bounds(max_tokens=100), 100)):
        conversations = kept(bounds)
        for number in range(40):
            talk(conversations, f"{number:010}")
            turns = recall(conversations).turns
            assert len(turns) * 20 <= left
        assert asked_of(recall(conversations))[-1] == f"{39:010}"


def test_room_is_left_for_lead_prompt_and_answer() -> None:
    conversations = kept()
    for _ in range(4):
        talk(conversations, "a" * 50)
    assert len(recall(conversations).turns) == 4
    assert len(recall(conversations, "b" * 700).turns) == 1
    assert len(recall(conversations, "b" * 580, system="c" * 100).turns) == 1
    assert len(recall(conversations, "b" * 2000).turns) == 0
    # an answer claims a quarter of the context at most
    assert len(recall(conversations, "b" * 400, max_tokens=100_000).turns) == 1
    assert len(recall(conversations, max_tokens=100_000).turns) == 4


@pytest.mark.parametrize(
    ("most", "seen"), [(0, []), (1, ["two"]), (2, ["one", "two"]), (9, ["one", "two"])]
)
def test_no_more_turns_than_there_is_room_for(most: int, seen: list[str]) -> None:
    conversations = kept()
    for prompt in ("one", "two"):
        talk(conversations, prompt)
    assert asked_of(recall(conversations, most=most)) == seen


def test_all_text_together_is_bounded() -> None:
    conversations = Conversations(Bounds(capacity=1024))
    conversations.context = 10**9
    for number in range(3 * MAX_ALL_BYTES // MAX_BYTES):
        talk(conversations, "a" * (MAX_BYTES // 2), session=f"s{number}")
        total = sum(each.size for each in conversations._known.values())
        assert total <= MAX_ALL_BYTES
    assert len(conversations) == MAX_ALL_BYTES // MAX_BYTES


class Talks(RuleBasedStateMachine):
    """Against a model that remembers everything."""

    BOUNDS = Bounds(capacity=3, max_tokens=120, max_age_s=50)

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.conversations = kept(self.BOUNDS)
        self.count = 0
        self.told: dict[str, list[str]] = {}
        self.open: dict[str, tuple[Recalled, str]] = {}
        self.orphans: set[str] = set()

    @precondition(lambda self: len(self.open) < 3)
    @rule(
        session=st.sampled_from("abcdef"),
        length=st.integers(1, 30),
        most=st.sampled_from([None, None, 0, 1, 5]),
    )
    def recall(self, session: str, length: int, most: int | None) -> None:
        if session in self.open:
            return
        self.count += 1
        prompt = f"{self.count}:".ljust(length, "x")
        known = recall(self.conversations, prompt, session, now=self.now, most=most)
        told = self.told.setdefault(session, [])
        seen = asked_of(known)
        assert seen == told[len(told) - len(seen) :], "whole turns, the newest, in order"
        assert most is None or len(seen) <= most
        self.open[session] = known, prompt
        self.orphans.discard(session)

    @precondition(lambda self: self.open)
    @rule(pick=st.integers(0, 5), answered=st.booleans())
    def close(self, pick: int, *, answered: bool) -> None:
        session = sorted(self.open)[pick % len(self.open)]
        known, prompt = self.open.pop(session)
        said = prompt if answered else None
        self.conversations.close(known, said, tokens_of(known, prompt), self.now)
        if answered and session not in self.orphans:
            self.told[session] = [*asked_of(known), prompt]

    @rule(session=st.sampled_from("abcdef"))
    def forget(self, session: str) -> None:
        self.conversations.forget(session)
        self.told[session] = []
        self.orphans.add(session)

    @rule()
    def forget_all(self) -> None:
        self.conversations.forget(None)
        self.told = {}
        self.orphans = set("abcdef")
        assert len(self.conversations) == 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.conversations.expire(self.now)

    @invariant()
    def bounds_hold(self) -> None:
        known = self.conversations._known
        idle = [each for each in known.values() if not each.open]
        assert len(idle) <= self.BOUNDS.capacity
        assert len(known) - len(idle) <= len(self.open)
        for conversation in idle:
            assert conversation.turns
            assert len(conversation.turns) <= MAX_TURNS
            text = sum(len(m.content) for turn in conversation.turns for m in turn.messages)
            assert text * conversation.tokens_per_byte <= 120
            assert self.now - conversation.used_at <= self.BOUNDS.max_age_s


TestTalks = Talks.TestCase
TestTalks.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
