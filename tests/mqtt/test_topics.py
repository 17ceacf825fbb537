from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.mqtt.topics import MAX_REPLY_TOPIC_BYTES, Inbound, Topics, level

TOPICS = Topics("hall", ("home/answers/", "homeassistant/", "edged/", "exact"), fleet=True)
PLAIN = Topics("hall")
HOUSE = Topics("hall", ("ha/",), house="ha/test")
FILTERS = (*PLAIN.subscriptions(), "edged/any/request")

parts = st.sampled_from(
    ("edged", "hall", "any", "other", "reply", "request", "state", "command", "config", "x", "",
     "..", ".", "+", "#", "$SYS", "homeassistant", "a\0", "\x1b[0m", "\u2028", "\ud800", "ä")
)  # fmt: skip
topic_text = st.one_of(st.text(max_size=300), st.lists(parts, max_size=10).map("/".join))


def matches(filter_: str, topic: str) -> bool:
    pattern = "/".join("[^/]*" if p == "+" else re.escape(p) for p in filter_.split("/"))
    return re.fullmatch(pattern, topic) is not None


def test_the_tree() -> None:
    assert PLAIN.request == "edged/hall/request"
    assert PLAIN.reply("a1") == "edged/hall/reply/a1"
    assert PLAIN.stream("a1") == "edged/hall/stream/a1"
    assert PLAIN.progress("a1") == "edged/hall/progress/a1"
    assert PLAIN.result("pause") == "edged/hall/command/pause/result"
    assert PLAIN.device_config == "homeassistant/device/edged_hall/config"
    assert HOUSE.device_config == "ha/test/device/edged_hall/config"
    assert HOUSE.component_config("sensor", "tps") == "ha/test/sensor/edged_hall/tps/config"
    assert HOUSE.announces(HOUSE.device_config)
    assert HOUSE.announces(HOUSE.component_config("sensor", "tps"))
    assert not HOUSE.announces("edged/hall/state")
    assert not HOUSE.announces("ha/test/device/edged_cellar/config")
    assert PLAIN.subscriptions() == {
        "edged/hall/request": 1,
        "edged/hall/request/+": 1,
        "edged/hall/cancel": 0,
        "edged/hall/command/+": 0,
        "edged/hall/info": 0,
    }
    assert TOPICS.subscriptions() == PLAIN.subscriptions(), "the group is joined by itself"
    assert TOPICS.group == "$share/edged/edged/any/request"
    assert TOPICS.shared_reply("a1") == "edged/any/reply/a1"
    assert TOPICS.shared_reply("a/1").startswith("edged/any/reply/~")
    assert HOUSE.subscriptions() == PLAIN.subscriptions() | {"ha/test/status": 0}


@pytest.mark.parametrize("node", ["", "A", "a/b", "a" * 33, "a+", "any", "ä", "a\n"])
def test_bad_nodes(node: str) -> None:
    with pytest.raises(ValueError, match="node"):
        Topics(node)


def test_parse() -> None:
    request = Inbound(kind="request")
    assert PLAIN.parse("edged/hall/request") == request
    assert PLAIN.parse("edged/hall/request/") == request
    assert PLAIN.parse("edged/hall/request/cook") == Inbound(kind="request", name="cook")
    assert PLAIN.parse("edged/hall/cancel") == Inbound(kind="cancel")
    assert PLAIN.parse("edged/hall/command/pause") == Inbound(kind="command", name="pause")
    assert PLAIN.parse("edged/any/request") is None
    assert TOPICS.parse("edged/any/request") == Inbound(kind="request", shared=True)
    assert PLAIN.parse("edged/hall/info") == Inbound(kind="info")
    assert PLAIN.parse("homeassistant/status") is None
    assert HOUSE.parse("ha/test/status") == Inbound(kind="house")


def test_replies_leave_alone_what_home_assistant_listens_to() -> None:
    assert HOUSE.may_reply_to("ha/other")
    assert not HOUSE.may_reply_to("ha/test/status")
    assert not HOUSE.may_reply_to("ha/test/sensor/x/config")


def test_topics_of_others_are_read_as_they_are_and_nothing_is_written_there() -> None:
    house = Topics("hall", ("home/",), facts=["home/door", "garden/air", "edged/hall/cancel"])
    assert house.parse("home/door") == house.parse("garden/air") == Inbound(kind="fact")
    assert house.parse("garden/air/x") is None
    assert house.parse("edged/hall/cancel") == Inbound(kind="cancel"), "our own meaning stands"
    told = {"home/door": 0, "garden/air": 0}
    assert house.subscriptions() == PLAIN.subscriptions() | told
    assert house.kept == {"home/door", "garden/air", "edged/hall/info", "edged/hall/cancel"}
    assert house.may_reply_to("home/window")
    assert not house.may_reply_to("home/door")
    assert PLAIN.kept == {"edged/hall/info"}


@pytest.mark.parametrize(
    "topic",
    ["", "edged/hall", "edged/hall/command", "edged/hall/command/", "edged/hall/command/a/result",
     "edged/hall/request/a/b", "edged/hall/state", "edged/hallo/request", "x/edged/hall/request"],
)  # fmt: skip
def test_parse_leaves_others_alone(topic: str) -> None:
    assert PLAIN.parse(topic) is None


@given(topic_text)
def test_what_parses_is_what_we_subscribe_to(topic: str) -> None:
    subscribed = any(matches(f, topic) for f in FILTERS) and topic != "edged/hall/command/"
    assert (TOPICS.parse(topic) is not None) == subscribed


@given(st.text(max_size=300))
@example("..")
@example("a/b")
@example("\ud800")
def test_any_id_makes_one_harmless_level(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", level(text))
    assert level(text) not in {".", ".."}
    assert PLAIN.may_reply_to(PLAIN.reply(text))


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_ids_make_two_levels(one: str, other: str) -> None:
    assert (level(one) == level(other)) == (one == other)


@pytest.mark.parametrize(
    "topic",
    ["edged/hall/reply/a", "edged/hall/reply/a/b c/ä", "home/answers/me", "exactly/here",
     "homeassistant/x", "edged/other/reply/a", "edged/any/reply/a"],
)  # fmt: skip
def test_may_reply_to(topic: str) -> None:
    assert TOPICS.may_reply_to(topic)


@pytest.mark.parametrize(
    "topic",
    ["", "#", "+", "$SYS/x", "edged/hall/reply", "edged/hall/reply/", "edged/hall/reply/#",
     "edged/hall/reply/+", "edged/hall/reply/a\0", "edged/hall/reply/a\n", "edged/hall/reply//a",
     "edged/hall/reply/a/", "edged/hall/reply/../request", "edged/hall/reply/./a", "exact",
     "edged/hall/reply/" + "a/" * 8 + "a", "edged/hall/reply/" + "a" * 256,
     "edged/hall/reply/" + "ä" * 128, "edged/hall/request", "edged/hall/request/a",
     "edged/hall/cancel", "edged/hall/command/pause", "edged/hall/state", "edged/hall/selection",
     "edged/hall/info", "edged/hall/availability", "edged/hall/event", "edged/hall/stream/a",
     "edged/hall/progress/a", "edged/hall/receipt", "edged/hall/anything", "edged/any/request",
     "edged/other/request", "edged/x", "homeassistant/sensor/x/config", "home/other", "/home",
     "edged/hall/reply/\ud800", "edged/hall/reply/a\u2028b", "edged/hall/reply/\u202eb",
     "home/answers/" + "x" * 65_535],
)  # fmt: skip
def test_may_not_reply_to(topic: str) -> None:
    assert not TOPICS.may_reply_to(topic)


@given(topic_text)
def test_no_reply_topic_is_one_we_read_or_write(topic: str) -> None:
    for topics in (TOPICS, PLAIN):
        if topics.may_reply_to(topic):
            assert topics.parse(topic) is None
            assert not any(matches(f, topic) for f in FILTERS)
            assert not {"+", "#", "\0"} & set(topic)
            assert not topic.startswith("$")
            assert len(topic.encode()) <= MAX_REPLY_TOPIC_BYTES
            assert topic.count("/") < 8
            assert not topic.startswith("edged/") or topic.split("/")[2] == "reply"
    if PLAIN.may_reply_to(topic):
        assert topic.startswith("edged/hall/reply/")


def test_only_a_member_of_the_fleet_answers_where_the_fleet_answers() -> None:
    assert Topics("hall", fleet=True).may_reply_to("edged/any/reply/a1")
    assert not PLAIN.may_reply_to("edged/any/reply/a1")
