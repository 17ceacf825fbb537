"""Several nodes, one queue: real broker, real daemons, engines that sleep instead of compute."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import eventually
from tests.rig.broker import Broker
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, exactly_one_reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.rig.client import Record

pytestmark = pytest.mark.process

FLEET: dict[str, Any] = {"fleet": {"enabled": True}}
SLOW = {"ms_per_token": 100, "tokens": 5}


def accepting(client: Witness, node: str) -> bool | None:
    adverts = [each.json()["fleet"] for each in client.on(f"edged/{node}/info") if each.payload]
    return adverts[-1]["accepting"] if adverts and adverts[-1] else None


def joined(client: Witness, *nodes: str) -> None:
    def all_in() -> bool:
        return all(accepting(client, node) for node in nodes)

    eventually(all_in, f"{nodes} in the group")


def ask(client: Witness, ids: Iterable[str]) -> None:
    for name in ids:
        client.publish("edged/any/request", f'{{"id": "{name}", "prompt": "hello you"}}')


def answered(client: Witness, ids: Iterable[str]) -> None:
    """Each has its reply, and the event of it that says who gave it."""
    for name in ids:
        reply = client.wait_topic(f"edged/any/reply/{name}").json()
        assert reply["status"] == "ok", reply
        client.wait(partial(tells_of, name))


def tells_of(name: str, record: Record) -> bool:
    return record.topic.endswith("/event") and record.json()["id"] == name


def by(client: Witness, node: str) -> set[str]:
    """Ids that a node answered."""
    return {each.json()["id"] for each in client.on(f"edged/{node}/event")}


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def test_a_killed_node_loses_and_doubles_nothing_and_both_share_the_work(broker: Broker) -> None:
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, node="one", script=SLOW, config=FLEET) as one,
        DaemonProcess(broker.port, node="two", script=SLOW, config=FLEET),
    ):
        joined(client, "one", "two")
        ids = [f"k{number}" for number in range(12)]
        ask(client, ids[:8])
        client.wait(lambda each: each.topic.startswith("edged/one/stream/"))
        one.kill()
        ask(client, ids[8:])  # those for the dead one wait in the broker for its return
        one.start()
        answered(client, ids)
        assert by(client, "one") | by(client, "two") == set(ids)
        assert len(by(client, "one")) >= 4
        assert len(by(client, "two")) >= 4
        assert exactly_one_reply(client.history(), ids, ids) == []


def test_a_paused_node_gets_nothing_new_and_comes_back(broker: Broker) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(Witness(broker.port))
        for node in ("one", "two"):
            config = {**FLEET, "serving": {"capacity": 8}}
            stack.enter_context(DaemonProcess(broker.port, node=node, script=SLOW, config=config))
        joined(client, "one", "two")
        client.publish("edged/one/command/pause")
        eventually(lambda: accepting(client, "one") is False, "one out of the group")
        paused = [f"p{number}" for number in range(5)]
        ask(client, paused)
        answered(client, paused)
        assert by(client, "two") == set(paused)
        client.publish("edged/one/command/resume")
        joined(client, "one")
        both = [f"b{number}" for number in range(4)]
        ask(client, both)
        answered(client, both)
        assert by(client, "one") & set(both)
        # six wait of eight: it leaves with room for what is under way, and comes back
        for number in range(7):
            client.publish("edged/one/request", f'{{"id": "f{number}", "prompt": "hello you"}}')
        eventually(
            lambda: client.on("edged/one/info")[-1].json()["fleet"]["reason"] == "full", "full"
        )
        joined(client, "one")


def test_a_node_that_is_no_member_any_more_is_given_nothing(broker: Broker) -> None:
    with (
        Witness(broker.port) as client,
        DaemonProcess(broker.port, node="one", script=SLOW, config=FLEET) as one,
        DaemonProcess(broker.port, node="two", script=SLOW, config=FLEET),
    ):
        joined(client, "one", "two")
        one.kill()  # so that its session is still in the group
        one.write_config({**one.config, "fleet": {"enabled": False}})
        one.start()
        ids = [f"n{number}" for number in range(4)]
        ask(client, ids)
        answered(client, ids)
        assert by(client, "two") == set(ids)
        assert client.on("edged/one/info")[-1].json()["fleet"] is None
