"""The ready-made examples do over a real broker what they do in their programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench.home import BLUEPRINTS, ENTITIES
from edged.config import Config, parse
from tests.rig.blueprint import Automation, House, native
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

NODE = Config().node
EXAMPLES = Path(__file__).parents[1] / "config" / "examples"
ALARM = {"alarm": "binary_sensor.cellar"}
CLASSIFY = {"text": "input_text.mail", "dropdown": "input_select.topic"}


def personas() -> dict[str, Any]:
    found = parse((EXAMPLES / "personas.yaml").read_bytes(), "personas.yaml")
    assert isinstance(found, Config)
    built: dict[str, Any] = msgspec.to_builtins({"personas": found.personas})
    return built


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    script = {"ms_per_token": 1}
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, node=NODE, script=script, config=personas()),
    ):
        yield client


@pytest.fixture
def house(client: TestClient) -> House:
    return House(client, ENTITIES)


def reply(status: str, **fields: Any) -> dict[str, Any]:
    return {"platform": "mqtt", "payload_json": {"status": status, **fields}}


def test_an_alarm_without_an_answer_is_told_raw(house: House) -> None:
    automation = Automation(BLUEPRINTS / "explain_alert.yaml", house, ALARM)
    automation.fire("reply", **reply("expired"))
    assert house.said("notify.notify") == [{"message": "water in the cellar is on"}]


def test_a_summary_that_failed_and_an_option_that_is_none_do_nothing(house: House) -> None:
    Automation(BLUEPRINTS / "morning_summary.yaml", house, {"entities": []}).fire(
        "reply", **reply("failed")
    )
    Automation(BLUEPRINTS / "classify.yaml", house, CLASSIFY).fire(
        "reply", **reply("ok", text='{"wa')
    )
    assert house.calls == []


def test_a_persona_tells_of_the_morning_by_the_topics_it_knows(
    client: TestClient, house: House
) -> None:
    client.subscribe(f"edged/{NODE}/reply/morning")
    client.publish("house/sensor/outside_temperature/state", "3.5", retain=True)
    client.publish("house/binary_sensor/front_door/state", "on", retain=True)
    inputs = {"entities": ["sensor.hall"], "persona": "morning"}
    Automation(BLUEPRINTS / "morning_summary.yaml", house, inputs).fire("ask")
    text = client.wait_topic(f"edged/{NODE}/reply/morning").json()["text"]
    assert text.startswith("How the house is: Outside 3.5 °C, rain today unknown.")
    assert "Front door open: on. Washing machine: nobody knows. The hall: dark." in text


@pytest.mark.parametrize("fresh", ["", "unknown"])
def test_throttling_is_told_once_and_so_is_its_end(house: House, fresh: str) -> None:
    house.entities["input_text.throttle"]["state"] = fresh
    inputs = {"memory": "input_text.throttle"}
    automation = Automation(BLUEPRINTS / "throttled.yaml", house, inputs)
    for word in ("none", "paced", "capped", "capped", "undervoltage", "paced", "none"):
        automation.fire("state", payload_json={"throttle": word})
    assert [data["message"] for data in house.said("notify.notify")] == [
        "the firmware slows the board: capped",
        "the supply is too weak",
        "edged runs at full speed again",
    ]


def test_what_is_asked_in_one_text_field_is_one_conversation(house: House) -> None:
    inputs = {"question": "input_text.question", "under_way": "input_text.under_way"}
    house.entities["input_text.question"] = {"state": "Is the kitchen warm?"}
    Automation(BLUEPRINTS / "speak.yaml", house, inputs).fire("ask")
    ((_, payload),) = house.published
    asked = json.loads(payload)
    assert (asked["prompt"], asked["session"]) == ("Is the kitchen warm?", "input_text.question")


def test_sentences_are_cut_at_full_stops_at_the_end_and_before_they_grow_too_long(
    house: House,
) -> None:
    inputs = {"question": "input_text.question", "under_way": "input_text.under_way"}
    automation = Automation(BLUEPRINTS / "speak.yaml", house, inputs)
    deltas = ["21", " degrees. It", " is", " warm", "! " + "x" * 201, "tail", ""]
    for number, delta in enumerate(deltas):
        done = {"done": True} if number == len(deltas) - 1 else {}
        automation.fire(
            "delta", topic="edged/edged/stream/speak-1", payload_json={"delta": delta, **done}
        )
    said = [data["message"] for data in house.said("tts.speak")]
    assert said == ["21 degrees.", "It is warm! " + "x" * 201, "tail"]
    automation.fire("delta", topic="edged/edged/stream/other", payload_json={"delta": "No."})
    assert len(house.said("tts.speak")) == 3


def test_a_blueprint_with_a_wrong_or_a_missing_input_is_no_automation(house: House) -> None:
    with pytest.raises(AssertionError, match="no such input"):
        Automation(BLUEPRINTS / "classify.yaml", house, {**CLASSIFY, "more": 1})
    with pytest.raises(AssertionError, match="without a default"):
        Automation(BLUEPRINTS / "classify.yaml", house, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [("21", 21), ("True", True), ("['a']", ["a"]), ("a b", "a b"), ("'a'", "'a'"), ("", "")],
)
def test_variables_become_what_home_assistant_makes_of_them(text: str, value: Any) -> None:
    assert native(text) == value


# Node-RED


def nodes() -> dict[str, dict[str, Any]]:
    flow = json.loads((EXAMPLES / "nodered" / "ask.json").read_text())
    return {node["id"]: node for node in flow}


def after(node: dict[str, Any], output: int = 0) -> dict[str, Any]:
    (following,) = node["wires"][output]
    return nodes()[following]


def debugged(node: dict[str, Any], message: dict[str, Any]) -> Any:
    """What the debug node behind the switch shows of a message."""
    assert (node["type"], node["property"]) == ("switch", "payload.status")
    first = node["rules"][0]
    output = 0 if message["status"] == first["v"] else 1
    shown = after(node, output)
    assert shown["type"] == "debug"
    return message[shown["complete"].removeprefix("payload.")]


@pytest.mark.parametrize(("prompt", "shown"), [("", "Is the kitchen warm?"), ("{", "bad_json")])
def test_the_flow_asks_and_shows_the_answer_or_the_trouble(
    client: TestClient, prompt: str, shown: str
) -> None:
    flow = nodes()
    assert flow[flow["edged-request"]["broker"]]["protocolVersion"] == "5"
    reply_node = flow["edged-reply"]
    client.subscribe(reply_node["topic"], qos=int(reply_node["qos"]))
    count = len(client.on(reply_node["topic"]))
    change = after(flow["edged-ask"])
    message = {rule["p"]: native(rule["to"]) for rule in change["rules"] if rule["t"] == "set"}
    out = after(change)
    client.publish(
        out["topic"],
        prompt or flow["edged-ask"]["payload"],
        qos=int(out["qos"]),
        ResponseTopic=message["responseTopic"],
        MessageExpiryInterval=message["messageExpiryInterval"],
    )
    came = client.wait(lambda each: each.topic == reply_node["topic"], count=count + 1)
    assert reply_node["datatype"] == "json"
    assert shown in str(debugged(after(reply_node), came.json()))


def test_every_node_of_the_flow_is_wired_and_placed() -> None:
    flow = nodes()
    wired = {target for node in flow.values() for wire in node.get("wires", ()) for target in wire}
    assert wired <= flow.keys()
    assert all(node["z"] == "edged-tab" for node in flow.values() if "z" in node)


# openHAB

CHANNEL = re.compile(r"Type (\w+) *: (\w+) +\"[^\"]*\" *\[ (.*) \]$", re.MULTILINE)
SETTING = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ITEM = re.compile(r'^(\w+) (\w+) .*\{ channel="mqtt:topic:edged:(\w+)" \}$', re.MULTILINE)
KINDS = {"string": "String", "number": "Number", "switch": "Switch"}


def example(name: str) -> str:
    return (EXAMPLES / "openhab" / name).read_text()


def channels() -> dict[str, dict[str, str]]:
    found = {}
    for kind, name, settings in CHANNEL.findall(example("edged.things")):
        pairs = {key: value.replace('\\"', '"') for key, value in SETTING.findall(settings)}
        found[name] = {"kind": kind, **pairs}
    return found


def test_openhab_asks_and_reads_the_answer(client: TestClient) -> None:
    found = channels()
    question, answer = found["question"], found["answer"]
    (asked,) = re.findall(r'Edged_Question\.sendCommand\("(.*)"\)', example("edged.rules"))
    client.subscribe(answer["stateTopic"])
    client.publish(question["commandTopic"], question["formatBeforePublish"] % asked)
    came = client.wait_topic(answer["stateTopic"]).json()
    shown = came[answer["transformationPattern"].removeprefix("JSONPATH:$.")]
    assert shown.strip() == asked  # the fake engine answers with the prompt's words


def test_openhab_shows_the_state_and_switches(client: TestClient) -> None:
    found = channels()
    for name in ("speed", "throttle"):
        client.subscribe(found[name]["stateTopic"])
        shown = found[name]["transformationPattern"].removeprefix("JSONPATH:$.")
        assert shown in client.wait_topic(found[name]["stateTopic"]).json()
    accept = found["accept"]
    result = f"{accept['commandTopic']}/result"
    client.subscribe(result)
    for number, word in enumerate((accept["off"], accept["on"])):
        client.publish(accept["commandTopic"], word)
        told = client.wait(lambda each: each.topic == result, count=number + 1)
        assert told.json()["status"] == "ok"


def test_each_item_of_openhab_has_a_channel_of_its_kind_and_rules_name_items() -> None:
    found, items = channels(), ITEM.findall(example("edged.items"))
    assert {channel for _, _, channel in items} == found.keys()
    for kind, _, channel in items:
        assert KINDS[found[channel]["kind"]] == kind
    names = {name for _, name, _ in items}
    assert set(re.findall(r"\bEdged_\w+", example("edged.rules"))) <= names
