from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.mqtt import outbox as module
from edged.mqtt.outbox import MAX_IN_FLIGHT, MAX_UNTAGGED, OUTBOX_HIGH, RESERVED, Outbox
from edged.mqtt.packet import Outgoing


def reply(tag: str) -> Outgoing:
    return Outgoing(topic=f"r/{tag}", payload=tag.encode(), qos=1, tag=tag)


def event(text: str) -> Outgoing:
    return Outgoing(topic="e", payload=text.encode(), qos=1)


def state(text: str, topic: str = "s") -> Outgoing:
    return Outgoing(topic=topic, payload=text.encode(), qos=1, retain=True)


def write(outbox: Outbox, first_mid: int = 1) -> list[str]:
    """Write all that may be written; the payloads in order."""
    written: list[str] = []
    while (entry := outbox.next()) is not None:
        outbox.sent(entry, first_mid + len(written))
        written.append(entry.outgoing.payload.decode())
    return written


def test_nothing_leaves_before_its_puback_and_order_survives_a_reconnect() -> None:
    outbox = Outbox()
    for text in "abc":
        outbox.put(reply(text))
    outbox.put(event("d"))
    assert write(outbox) == ["a", "b", "c", "d"]
    assert (len(outbox), outbox.replies) == (4, 3)
    confirmed = outbox.confirmed(2)
    assert confirmed is not None
    assert confirmed.tag == "b"
    assert outbox.confirmed(2) is None
    outbox.put(reply("e"))
    outbox.begin(None)
    assert write(outbox, 10) == ["a", "c", "d", "e"]


def urgent(tag: str) -> Outgoing:
    return Outgoing(topic=f"r/{tag}", payload=tag.encode(), qos=1, tag=tag, urgent=True)


def test_the_urgent_goes_first_and_acknowledgements_wait_for_both_lanes() -> None:
    outbox = Outbox()
    for text in ("a", "b"):
        outbox.put(reply(text))
    outbox.put(urgent("u"))
    outbox.acknowledge(7)
    first = outbox.next()
    assert first is not None
    assert first.outgoing.tag == "u"
    outbox.sent(first, 1)
    assert list(outbox.due()) == []
    assert write(outbox, 2) == ["a", "b"]
    assert list(outbox.due()) == [7]


def test_the_urgent_survives_a_reconnect_and_can_be_withdrawn() -> None:
    outbox = Outbox()
    outbox.put(urgent("u"))
    outbox.put(urgent("v"))
    assert write(outbox) == ["u", "v"]
    outbox.begin(None)
    assert len(outbox) == 2
    assert list(outbox.withdraw(lambda tag: tag == "u")) == ["u"]
    assert write(outbox) == ["v"]


@pytest.mark.parametrize(
    ("maximum", "window"), [(None, MAX_IN_FLIGHT), (1, 1), (65_535, MAX_IN_FLIGHT), (0, 20)]
)
def test_window_is_the_smaller_of_ours_and_the_brokers(maximum: int | None, window: int) -> None:
    outbox = Outbox()
    outbox.begin(maximum)
    for number in range(50):
        outbox.put(reply(str(number)))
    bulk = max(1, window - RESERVED)
    assert len(write(outbox)) == bulk
    outbox.confirmed(1)
    assert write(outbox, 100) == [str(bulk)]
    for number in range(50):
        outbox.put(urgent(f"u{number}"))
    assert len(write(outbox, 200)) == window - bulk


def test_same_reply_twice_is_one_until_it_is_confirmed() -> None:
    outbox = Outbox()
    outbox.put(reply("a"))
    outbox.put(reply("a"))
    assert write(outbox) == ["a"]
    outbox.put(reply("a"))
    assert write(outbox) == []
    outbox.confirmed(1)
    outbox.put(reply("a"))
    assert write(outbox) == ["a"]


def test_retained_topic_waits_as_its_newest() -> None:
    outbox = Outbox()
    outbox.put(state("1"))
    outbox.put(state("other", "t"))
    outbox.put(state("2"))
    assert write(outbox) == ["2", "other"]
    outbox.put(state("3"))
    outbox.put(state("4"))
    assert write(outbox, 10) == ["4"]
    outbox.begin(None)
    assert write(outbox) == ["other", "4"]


def test_news_is_bounded_and_replies_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNTAGGED", 3)
    assert MAX_UNTAGGED == 1000
    outbox = Outbox()
    outbox.put(state("s"))
    for number in range(10):
        outbox.put(reply(f"r{number}"))
        outbox.put(event(f"e{number}"))
    assert outbox.dropped == 7
    written = write(outbox)
    assert written == ["s", *(f"r{n}" for n in range(7)), "r7", "e7", "r8", "e8", "r9", "e9"]
    outbox.begin(None)
    assert len(outbox) == 14
    outbox.put(event("last"))
    assert outbox.dropped == 8


def test_discarded_entry_is_forgotten() -> None:
    outbox = Outbox()
    outbox.put(reply("a"))
    entry = outbox.next()
    assert entry is not None
    outbox.discard(entry)
    assert (len(outbox), outbox.replies) == (0, 0)


def test_withdraw_drops_what_was_taken_before() -> None:
    outbox = Outbox()
    for text in "abc":
        outbox.put(reply(text))
    outbox.put(event("e"))
    assert list(outbox.withdraw(lambda tag: tag in "ac")) == ["a", "c"]
    assert write(outbox) == ["b", "e"]
    assert outbox.replies == 1


def test_acknowledgement_waits_for_the_replies_before_it() -> None:
    outbox = Outbox()
    outbox.begin(1)
    outbox.acknowledge(7)
    assert list(outbox.due()) == [7]
    outbox.put(reply("a"))
    outbox.put(reply("b"))
    outbox.acknowledge(8)
    outbox.put(reply("c"))
    write(outbox)
    assert list(outbox.due()) == []
    outbox.confirmed(1)
    write(outbox)
    assert list(outbox.due()) == [8]


def test_congestion_holds_acknowledgements_back() -> None:
    outbox = Outbox()
    outbox.acknowledge(9)
    for number in range(OUTBOX_HIGH + 1):
        outbox.put(reply(str(number)))
    write(outbox)
    before = (outbox.congested, list(outbox.due()))
    outbox.confirmed(1)
    assert before == (True, [])
    assert (outbox.congested, list(outbox.due())) == (False, [9])


def test_acknowledgements_are_void_on_a_new_connection() -> None:
    outbox = Outbox()
    outbox.acknowledge(1)
    outbox.begin(None)
    assert list(outbox.due()) == []


class Machine(RuleBasedStateMachine):
    """Invariant: every reply is taken exactly once or still there, in the order of `put`."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox()
        self.put: list[str] = []
        self.taken: list[str] = []
        self.flying: list[tuple[int, str]] = []
        self.mid = 0
        self.last: dict[str, int] = {}

    @rule()
    def put_reply(self) -> None:
        tag = str(len(self.put))
        self.put.append(tag)
        self.outbox.put(reply(tag))

    @rule(topic=st.sampled_from("st"), value=st.integers(0, 9))
    def put_state(self, topic: str, value: int) -> None:
        self.outbox.put(state(str(value), topic))
        self.last[topic] = value

    @rule()
    def write_one(self) -> None:
        entry = self.outbox.next()
        if entry is None:
            return
        self.mid += 1
        self.outbox.sent(entry, self.mid)
        if entry.outgoing.tag is not None:
            self.flying.append((self.mid, entry.outgoing.tag))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        mid, tag = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        outgoing = self.outbox.confirmed(mid)
        assert outgoing is not None
        assert outgoing.tag == tag
        self.taken.append(tag)

    @rule(maximum=st.one_of(st.none(), st.integers(1, 30)))
    def reconnect(self, maximum: int | None) -> None:
        self.outbox.begin(maximum)
        self.flying = []

    @invariant()
    def counts(self) -> None:
        assert self.outbox.replies == len(self.put) - len(self.taken)
        assert len(self.flying) <= MAX_IN_FLIGHT

    def teardown(self) -> None:
        self.outbox.begin(None)
        tags: list[str] = []
        states: dict[str, int] = {}
        while (entry := self.outbox.next()) is not None:
            self.outbox.sent(entry, 1)
            self.outbox.confirmed(1)
            if entry.outgoing.tag is not None:
                tags.append(entry.outgoing.tag)
            else:
                assert entry.outgoing.topic not in states
                states[entry.outgoing.topic] = int(entry.outgoing.payload)
        assert tags == [tag for tag in self.put if tag not in self.taken]
        assert len(self.outbox) == 0
        assert all(self.last[topic] == value for topic, value in states.items())


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestMachine = Machine.TestCase
