from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from edged.mqtt.entities import EVENT_TYPES, PLATFORMS, Traits, entities
from edged.mqtt.sensors import STATUSES
from edged.mqtt.topics import Topics
from edged.telemetry.state import ProblemView, State
from edged.thermal.pace import Throttle
from tests.rig.haentity import command_of, state_of

TOPICS = Topics("n")
FULL = Traits(
    fields=frozenset(State.__struct_fields__),
    idle_s=60,
    serves=True,
    chooses=True,
    variants=("small", "large"),
    version="1",
)
BARE = Traits(fields=frozenset(), idle_s=60, serves=False, chooses=False, version="1")
BUSY = State(
    status="busy",
    variant="small",
    tps=8.03,
    tps_1m=8.1,
    tps_15m=7.95,
    pp_tps=11.2,
    ttft_ms=812.5,
    temp_c=61.25,
    clock_mhz=2400,
    fan_rpm=3000,
    throttle="capped",
    time_to_throttle_s=40.5,
    cooldown_eta_s=12.0,
    ram_headroom_mib=2048,
    waiting=2,
    running=1,
    oldest_wait_s=3.5,
    requests={"ok": 3, "rejected": 2},
    prompt_tokens=900,
    completion_tokens=400,
    problems=(ProblemView(code="x", severity="error", text="broken " * 60),),
)
IDLE = State(status="paused", paused=True)
SHOWN_BUSY = {
    "tps": 8.03,
    "tps_sustained": 7.95,
    "pp_tps": 11.2,
    "ttft": 812.5,
    "queue": 2.0,
    "queue_wait": 3.5,
    "status": "busy",
    "variant": "small",
    "ram_headroom": 2048.0,
    "temperature": 61.25,
    "clock": 2400.0,
    "fan": 3000.0,
    "throttle": "capped",
    "throttled": True,
    "under_voltage": False,
    "time_to_throttle": 40.5,
    "cooldown_eta": 12.0,
    "prompt_tokens": 900.0,
    "completion_tokens": 400.0,
    "requests": 5.0,
    "problem_text": ("broken " * 60)[:255].strip(),
    "busy": True,
    "ready": True,
    "problem": True,
    "accept": True,
}
SHOWN_IDLE = {
    "tps": None,
    "tps_sustained": None,
    "pp_tps": None,
    "ttft": None,
    "queue": 0.0,
    "queue_wait": 0.0,
    "status": "paused",
    "variant": None,
    "ram_headroom": None,
    "temperature": None,
    "clock": None,
    "fan": None,
    "throttle": "none",
    "throttled": False,
    "under_voltage": False,
    "time_to_throttle": None,
    "cooldown_eta": None,
    "prompt_tokens": 0.0,
    "completion_tokens": 0.0,
    "requests": 0.0,
    "problem_text": "none",
    "busy": False,
    "ready": True,
    "problem": False,
    "accept": False,
}


def shown(state: State) -> dict[str, Any]:
    payload = msgspec.json.encode(state).decode()
    return {
        key: state_of(part, payload)
        for key, part in entities(TOPICS, FULL).items()
        if part.get("state_topic") == TOPICS.state
    }


@pytest.mark.parametrize(("state", "expected"), [(BUSY, SHOWN_BUSY), (IDLE, SHOWN_IDLE)])
def test_each_entity_shows_its_field_and_null_is_unknown(
    state: State, expected: dict[str, Any]
) -> None:
    assert shown(state) == expected


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_can_be_shown(status: str) -> None:
    view = shown(State(status=status))
    assert view["status"] == status
    assert view["ready"] is (status in {"ready", "busy", "paused"})


@pytest.mark.parametrize("throttle", get_args(Throttle))
def test_every_throttle_can_be_shown(throttle: str) -> None:
    view = shown(State(status="ready", throttle=throttle))
    assert view["throttle"] == throttle
    assert view["throttled"] is (throttle in {"soft", "capped"})
    assert view["under_voltage"] is (throttle == "undervoltage")


def test_only_what_is_in_the_state_is_there() -> None:
    assert entities(TOPICS, BARE).keys() == {"accept", "announce", "answer", "prompt"}
    some = msgspec.structs.replace(BARE, fields=frozenset({"tps", "running"}))
    assert entities(TOPICS, some).keys() - entities(TOPICS, BARE).keys() == {"tps", "busy"}


def test_who_does_not_choose_has_nothing_to_choose_with() -> None:
    fixed = msgspec.structs.replace(FULL, chooses=False)
    gone = entities(TOPICS, FULL).keys() - entities(TOPICS, fixed).keys()
    assert gone == {"benchmark", "select", "target", "model"}
    none = msgspec.structs.replace(fixed, serves=False)
    assert entities(TOPICS, fixed).keys() - entities(TOPICS, none).keys() == {"forget"}


@pytest.mark.parametrize(("idle_s", "expires"), [(1, 180), (60, 180), (100.4, 301)])
def test_values_expire_after_three_lost_states(idle_s: float, expires: int) -> None:
    parts = entities(TOPICS, msgspec.structs.replace(FULL, idle_s=idle_s))
    assert {part["expire_after"] for part in parts.values() if "expire_after" in part} == {expires}


def test_the_choice_is_shown_and_made() -> None:
    parts = entities(TOPICS, FULL)
    select, target = parts["select"], parts["target"]
    assert select["options"] == ["auto", "small", "large"]
    assert state_of(select, '{"pinned": null}') == "auto"
    assert state_of(select, '{"pinned": "large"}') == "large"
    assert command_of(select, "large") == ("edged/n/command/select", "large")
    assert state_of(target, '{"target_tps": 8.0}') == 8.0
    assert state_of(target, '{"target_tps": 0.0}') is None
    assert command_of(target, 7.5) == ("edged/n/command/target", "7.5")
    assert command_of(parts["accept"], value=False) == ("edged/n/command/accept", "OFF")
    for key in ("benchmark", "forget", "announce"):
        assert command_of(parts[key])[0] == f"edged/n/command/{key}"


@pytest.mark.parametrize("text", ['say "ä"\n<b>', '{"prompt": "not mine", "seed": 1}', "{"])
def test_any_text_is_a_prompt(text: str) -> None:
    topic, payload = command_of(entities(TOPICS, FULL)["prompt"], text)
    assert topic == "edged/n/request"
    assert json.loads(payload) == {"prompt": text}


def test_answers_of_every_kind_are_known() -> None:
    part = entities(TOPICS, FULL)["answer"]
    for kind in EVENT_TYPES:
        assert state_of(part, json.dumps({"event_type": kind}))["event_type"] == kind


def test_what_was_announced_may_be_taken_back() -> None:
    assert {part["platform"] for part in entities(TOPICS, FULL).values()} == PLATFORMS
