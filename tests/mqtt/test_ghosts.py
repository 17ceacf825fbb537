from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt import ghosts
from edged.mqtt.discovery import Config, configs
from edged.mqtt.entities import PLATFORMS
from edged.mqtt.ghosts import MIGRATE, announced, decode, encode, joined, messages
from edged.mqtt.topics import Topics
from tests.mqtt.test_entities import BARE
from tests.rig.homeassistant import faults

TOPICS = Topics("n")
DEVICE = TOPICS.device_config
WHOLE = configs(TOPICS, BARE, "device")
PARTS = configs(TOPICS, BARE, "component")


class Broker:
    """What is retained, and what an online Home Assistant would have seen."""

    def __init__(self, before: ghosts.Announced, now: tuple[Config, ...]) -> None:
        self.sent = messages(before, now, "edged_n")
        self.retained: dict[str, Any] = {topic: {} for topic in before}
        for each in self.sent:
            assert each.qos == 1
            if each.retain and each.payload:
                self.retained[each.topic] = json.loads(each.payload)
            elif each.retain:
                self.retained.pop(each.topic, None)

    def parts(self, topic: str = DEVICE) -> dict[str, Any]:
        found: dict[str, Any] = self.retained[topic]["components"]
        return found


def test_the_first_time_everything_is_only_published() -> None:
    broker = Broker({}, WHOLE)
    assert len(broker.sent) == 1
    assert broker.parts().keys() == WHOLE[0].components.keys()


def test_the_same_again_is_only_published_again() -> None:
    again = Broker(announced(WHOLE), WHOLE)
    assert [each.payload for each in again.sent] == [
        each.payload for each in Broker({}, WHOLE).sent
    ]


def test_a_component_that_is_gone_ends_with_its_platform_and_nothing_else() -> None:
    broker = Broker({DEVICE: {**WHOLE[0].components, "fan": "sensor"}}, WHOLE)
    assert broker.parts()["fan"] == {"platform": "sensor"}
    assert faults(DEVICE, broker.retained[DEVICE]) == []


def test_a_component_that_turned_into_another_ends_before_it_begins() -> None:
    broker = Broker({DEVICE: {**WHOLE[0].components, "answer": "sensor"}}, WHOLE)
    ended, begun = broker.sent
    assert not ended.retain
    assert json.loads(ended.payload)["components"]["answer"] == {"platform": "sensor"}
    assert json.loads(begun.payload)["components"]["answer"]["platform"] == "event"


@pytest.mark.parametrize(("before", "now"), [(WHOLE, PARTS), (PARTS, WHOLE)])
def test_a_change_of_mode_moves_the_entities_and_clears_the_old_topics(
    before: tuple[Config, ...], now: tuple[Config, ...]
) -> None:
    broker = Broker(announced(before), now)
    assert broker.retained.keys() == {config.topic for config in now}
    old = [config.topic for config in before]
    told = [(each.topic, each.payload) for each in broker.sent]
    assert told[: len(old)] == [(topic, MIGRATE) for topic in old]
    assert told[len(old) : 2 * len(old)] == [(topic, b"") for topic in old]
    assert [topic for topic, _ in told[2 * len(old) :]] == [config.topic for config in now]
    assert not any(each.retain for each in broker.sent[: len(old)])


def test_off_clears_everything_and_moves_nothing() -> None:
    broker = Broker(announced((*WHOLE, *PARTS)), ())
    assert broker.retained == {}
    assert all(each.payload == b"" and each.retain for each in broker.sent)


def test_another_name_was_another_device() -> None:
    old = "homeassistant/device/edged_old/config"
    broker = Broker({old: dict(WHOLE[0].components)}, WHOLE)
    assert MIGRATE not in [each.payload for each in broker.sent]
    assert broker.retained.keys() == {DEVICE}


def test_a_part_that_is_gone_loses_its_topic() -> None:
    gone = TOPICS.component_config("sensor", "fan")
    broker = Broker({**announced(PARTS), gone: {"fan": "sensor"}}, PARTS)
    assert gone not in broker.retained
    assert [each.topic for each in broker.sent if each.payload == MIGRATE] == []


def test_again_nobody_moves_and_no_topic_is_cleared() -> None:
    before = {**announced(PARTS), DEVICE: {**WHOLE[0].components, "fan": "sensor"}}
    again = messages(before, WHOLE, "edged_n", again=True)
    assert [each.topic for each in again] == [DEVICE]
    # whose end may have been missed
    assert json.loads(again[0].payload)["components"]["fan"] == {"platform": "sensor"}


def test_while_one_replaces_the_other_both_are_known() -> None:
    before = {DEVICE: {"fan": "sensor"}, "homeassistant/device/edged_old/config": {}}
    now = {DEVICE: {"answer": "event"}}
    assert joined(before, now) == {
        DEVICE: {"fan": "sensor", "answer": "event"},
        "homeassistant/device/edged_old/config": {},
    }
    assert joined({}, now) == now


topics = st.sampled_from([DEVICE, *(config.topic for config in PARTS[:2]), "ha/x/edged_n/y/config"])
parts = st.dictionaries(
    st.sampled_from(["prompt", "answer", "old"]), st.sampled_from(sorted(PLATFORMS))
)


@given(st.dictionaries(topics, parts), st.sampled_from([(), WHOLE, PARTS, (*WHOLE, *PARTS)]))
def test_whatever_was_there_only_what_shall_be_is_left(
    before: dict[str, dict[str, str]], now: tuple[Config, ...]
) -> None:
    broker = Broker(before, now)
    assert broker.retained.keys() == {config.topic for config in now}
    for config in now:
        left = broker.retained[config.topic].get("components", {})
        ended = {key: part for key, part in left.items() if part.keys() == {"platform"}}
        gone = before.get(config.topic, {}).keys() - config.components.keys()
        assert ended.keys() == (gone if config.whole else set())


def test_what_was_announced_is_read_again() -> None:
    both = announced((*WHOLE, *PARTS))
    assert decode(encode(both)) == both
    assert len(encode(both)) < ghosts.MAX_BYTES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"homeassistant/sensor/edged_n/x/config": 1}',
        b'{"homeassistant/sensor/lamp/x/config": {}}',
        b'{"homeassistant/sensor/edged_n/x/state": {}}',
        b'{"homeassistant/+/edged_n/x/config": {}}',
        b'{"homeassistant/edged_n/\\u0000/config": {}}',
        msgspec.json.encode({"a": {"b": "c"}}),
    ],
)
def test_a_file_that_is_not_ours_clears_nothing(data: bytes) -> None:
    assert decode(data) == {}


def test_an_unknown_platform_would_spoil_the_device() -> None:
    text = b'{"homeassistant/device/edged_n/config": {"a": "toaster", "b": "sensor"}}'
    assert decode(text) == {"homeassistant/device/edged_n/config": {"b": "sensor"}}
