"""The fleet's group: joined, left, and as it is wanted after each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.mqtt.link import Link
from edged.mqtt.packet import Incoming, Refused
from edged.mqtt.topics import FLEET_REQUEST, Topics
from tests.faults.kit import eventually
from tests.mqtt.rider import NODE, Rider
from tests.rig.broker import Broker
from tests.rig.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.mqtt.wire import ConnAck

pytestmark = pytest.mark.process
GROUP = Topics(NODE).group


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


class Member(Rider):
    """A session that may be in the group."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.session._desk.topics = self.topics = Topics(NODE, fleet=True)


def heard(rider: Rider) -> list[bytes]:
    return [each.payload for each in rider.of(Incoming) if each.topic == FLEET_REQUEST]


def test_it_hears_the_group_only_while_it_is_in_it(broker: Broker) -> None:
    with TestClient(broker.port) as client, Member(broker.port) as rider:
        rider.wait_up()
        client.publish(FLEET_REQUEST, b"before")
        rider.session.share(on=True)
        rider.session.share(on=True)  # a second time is no news
        eventually(lambda: f"{GROUP} (QoS 1)" in broker.log(), "joined")
        client.publish(FLEET_REQUEST, b"in")
        eventually(lambda: heard(rider) == [b"in"], "what it is given")
        rider.session.share(on=False)
        eventually(lambda: "Received UNSUBSCRIBE" in broker.log(), "left")
        client.publish(FLEET_REQUEST, b"after")
        client.publish(f"edged/{NODE}/request", b"last")
        rider.wait(Incoming, lambda each: each.payload == b"last")
        assert heard(rider) == [b"in"]
        assert broker.log().count(f"{GROUP} (QoS 1)") == 1


def test_a_session_that_goes_on_hears_the_group_as_it_is_wanted_now(broker: Broker) -> None:
    with TestClient(broker.port) as client:
        with Member(broker.port) as rider:
            rider.session.share(on=True)  # before there is a connection
            rider.wait_up()
        with Member(broker.port) as rider:
            rider.wait_up()
            client.publish(FLEET_REQUEST, b"x")
            client.publish(f"edged/{NODE}/request", b"last")
            rider.wait(Incoming, lambda each: each.payload == b"last")
            assert heard(rider) == []


def test_a_wish_while_the_connection_comes_up_is_not_forgotten(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Link._on_connack

    def and_then_join(link: Link, note: ConnAck) -> None:
        real(link, note)
        link._desk.shares = True
        link.share()

    monkeypatch.setattr(Link, "_on_connack", and_then_join)
    with TestClient(broker.port) as client, Member(broker.port) as rider:
        rider.wait_up()
        eventually(lambda: f"{GROUP} (QoS 1)" in broker.log(), "joined")
        client.publish(FLEET_REQUEST, b"in")
        eventually(lambda: heard(rider) == [b"in"], "what it is given")
        assert rider.of(Refused) == []
