"""Sessions over a broker while things break: what was not answered was never said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import NODE, REQUEST, eventually, last_state, reply_of, streaming, verdict
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.process, pytest.mark.fault]

# Says what it was asked, word for word and all of it.
ECHO = {"echo": True, "ms_per_token": 5}
# The same for long enough that something can happen meanwhile.
DRAWL = {"echo": True, "ms_per_token": 20, "tokens": 100}
FORGET = f"edged/{NODE}/command/forget"
STREAMS = {"engine": {"streams": 3}}


def ask(client: TestClient, name: str, session: str = "s", **fields: Any) -> None:
    client.send(NODE, f"ask-{name}", id=name, session=session, **fields)


def turns(reply: dict[str, Any]) -> int:
    count: int = reply["session"]["turns"]
    return count


def talk(client: TestClient, name: str, session: str = "s") -> dict[str, Any]:
    ask(client, name, session)
    return reply_of(client, name)


def forget(client: TestClient, payload: str) -> dict[str, Any]:
    seen = len(client.on(f"{FORGET}/result"))
    client.publish(FORGET, payload)
    client.wait(lambda record: record.topic == f"{FORGET}/result", count=seen + 1)
    result: dict[str, Any] = client.on(f"{FORGET}/result")[-1].json()
    return result


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def test_a_session_is_gone_after_a_restart_and_what_waited_says_so(broker: Broker) -> None:
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, script={**DRAWL, "tokens": 40}) as daemon,
    ):
        assert turns(talk(client, "a")) == 0
        assert turns(talk(client, "b")) == 1
        for name in "cd":
            ask(client, name)
        streaming(client, "c")
        daemon.kill()
        daemon.start()
        assert [turns(reply_of(client, name)) for name in "cd"] == [0, 1]
        assert "ask-a" not in reply_of(client, "d")["text"]
        assert verdict(daemon, client.history(), asked="abcd", gaps=True) == []


def test_a_stop_in_the_middle_leaves_it_to_the_next_start(broker: Broker) -> None:
    config = {"serving": {"drain_s": 0}}
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, script=DRAWL, config=config) as daemon,
    ):
        for name in "ab":
            ask(client, name)
        streaming(client, "a")
        assert daemon.terminate() == 0
        daemon.start()
        assert [turns(reply_of(client, name)) for name in "ab"] == [0, 1]
        assert verdict(daemon, client.history(), asked="ab", gaps=True) == []


def test_forgetting_in_flight_wins(broker: Broker) -> None:
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, script=DRAWL, config=STREAMS) as daemon,
    ):
        talk(client, "a")
        for name in "bc":
            ask(client, name)
        streaming(client, "b")
        assert forget(client, '{"session": "s"}') == {
            "verb": "forget",
            "status": "ok",
            "sessions": 1,
        }
        assert turns(reply_of(client, "b")) == 1, "it began before"
        assert turns(reply_of(client, "c")) == 0
        assert verdict(daemon, client.history(), asked="abc", running=3) == []


@pytest.mark.parametrize(
    "payload",
    [
        "../s",
        "a b",
        "{",
        '{"session": 5}',
        '{"session": "s", "x": 1}',
        "x" * 300,
        "\N{SNOWMAN}",
        "[]",
    ],
)
def test_a_payload_that_names_no_session_forgets_none(broker: Broker, payload: str) -> None:
    with Witness(broker.port) as client, DaemonProcess(broker.port, script=ECHO) as daemon:
        talk(client, "a")
        result = forget(client, payload)
        assert result["status"] == "error"
        assert payload[:8] not in json.dumps(result["error"]) or len(payload) < 8
        assert turns(talk(client, "b")) == 1
        assert verdict(daemon, client.history(), asked="ab") == []


def test_two_at_once_run_in_order_though_there_is_room(broker: Broker) -> None:
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, script=DRAWL, config=STREAMS) as daemon,
    ):
        ask(client, "a")
        ask(client, "b", priority="urgent")
        ask(client, "other", "t")
        assert turns(reply_of(client, "other")) == 0
        assert [turns(reply_of(client, name)) for name in "ab"] == [0, 1]
        assert verdict(daemon, client.history(), asked=["a", "b", "other"], running=4) == []


def test_cancel_of_the_first_leaves_the_second_without_it(broker: Broker) -> None:
    with Witness(broker.port) as client, DaemonProcess(broker.port, script=DRAWL) as daemon:
        for name in "ab":
            ask(client, name)
        streaming(client, "a", 3)
        client.publish(f"edged/{NODE}/cancel", "a")
        assert reply_of(client, "a")["status"] == "cancelled"
        second = reply_of(client, "b")
        assert (second["status"], turns(second)) == ("ok", 0)
        assert "ask-a" not in second["text"]
        assert verdict(daemon, client.history(), asked="ab") == []


def test_a_death_of_the_engine_costs_the_one_it_had_and_not_the_session(broker: Broker) -> None:
    faults = [{"at": "decode", "token": 2, "do": "signal", "value": "SIGSEGV", "match": "ask-bad"}]
    script = {**ECHO, "faults": faults}
    with Witness(broker.port) as client, DaemonProcess(broker.port, script=script) as daemon:
        talk(client, "a")
        ask(client, "bad")
        ask(client, "b")
        died = reply_of(client, "bad")
        assert (died["status"], died["error"]["code"]) == ("failed", "engine_died")
        reply = reply_of(client, "b")
        assert (reply["status"], turns(reply)) == ("ok", 1)
        assert reply["text"].split()[0] == "ask-a"
        assert verdict(daemon, client.history(), asked=["a", "bad", "b"]) == []


def test_a_flood_of_sessions_is_bounded_and_counted_in_the_state(broker: Broker) -> None:
    config = {"sessions": {"capacity": 4}, "serving": {"capacity": 200, "per_client": 200}}
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, script=ECHO, config=config) as daemon,
    ):
        for number in range(60):
            ask(client, f"r{number}", f"s{number}")
        reply_of(client, "r59")
        eventually(lambda: last_state(client)["requests"].get("ok") == 60, "the last state")
        eventually(lambda: last_state(client)["running"] == 0, "idle again")
        states = [each.json() for each in client.on(f"edged/{NODE}/state") if each.payload]
        assert max(state["sessions"] for state in states) <= 5
        assert states[-1]["sessions"] == 4
        assert turns(talk(client, "kept", "s59")) == 1
        assert turns(talk(client, "gone", "s0")) == 0
        assert forget(client, "all")["sessions"] == 4
        assert verdict(daemon, client.history(), capacity=200) == []


def test_nothing_of_a_session_is_in_the_log_or_the_state(broker: Broker) -> None:
    secret = "xyzzy-plugh"  # noqa: S105 - a word to look for
    with (
        Witness(broker.port) as client,
        DaemonProcess(
            broker.port, script=ECHO, config={"telemetry": {"log_level": "debug"}}
        ) as daemon,
    ):
        client.send(NODE, f"remember {secret}", id="a", session="diary", system=f"be {secret}")
        reply_of(client, "a")
        assert secret in talk(client, "b", "diary")["text"]
        forget(client, "diary")
        for topic in ("state", "info", "selection"):
            assert not any(
                secret.encode() in each.payload for each in client.on(f"edged/{NODE}/{topic}")
            )
        assert secret not in daemon.stderr()
        assert b"diary" not in b"".join(each.payload for each in client.on(f"edged/{NODE}/state"))


def test_a_session_of_a_persona_is_told_how_the_house_is_now_and_never_how_it_was(
    broker: Broker,
) -> None:
    door = {"name": "door", "topic": "hall/door"}
    system = "You are the butler.\nDoor: {{ door }}."
    config = {"personas": [{"name": "butler", "system": system, "fields": [door]}]}
    with TestClient(broker.port) as client:
        client.publish("hall/door", "ajar", retain=True)
        with DaemonProcess(broker.port, script=ECHO, config=config):
            client.subscribe(f"edged/{NODE}/reply/#")
            ask(client, "a", persona="butler", max_tokens=1)
            assert reply_of(client, "a")["status"] == "ok"
            client.publish("hall/door", "shut", retain=True)
            eventually(
                lambda: "shut" in client.ask(NODE, "door?", persona="butler")["text"], "the news"
            )
            text = talk(client, "b")["text"]
            assert "You are the butler." in text
            assert "ask-a" in text
            assert "Door: shut." in text
            assert "ajar" not in text


def test_owners_do_not_hear_each_other(broker: Broker) -> None:
    with TestClient(broker.port) as client, DaemonProcess(broker.port, script=ECHO):
        client.subscribe(f"edged/{NODE}/reply/#")

        def said(name: str, owner: str | None) -> int:
            properties: dict[str, Any] = (
                {} if owner is None else {"UserProperty": [("client", owner)]}
            )
            payload = json.dumps({"id": name, "prompt": f"ask-{name}", "session": "s"})
            client.publish(REQUEST, payload, **properties)
            return turns(reply_of(client, name))

        assert [said("a", "tablet"), said("b", "phone"), said("c", None)] == [0, 0, 0]
        assert [said("d", "tablet"), said("e", "tablet"), said("f", None)] == [1, 2, 1]
