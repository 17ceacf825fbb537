from __future__ import annotations

from edged.mqtt.packet import Incoming
from edged.mqtt.settling import Settling


def message(mid: int) -> Incoming:
    return Incoming(topic="t", payload=b"", qos=1, retain=False, dup=False, mid=mid, connection=1)


ONE, TWO, THREE, FOUR = map(message, range(1, 5))


def test_what_is_asked_waits_for_what_is_known_and_keeps_its_order() -> None:
    settling = Settling(3)
    assert settling.sift(ONE, fact=False) == []
    assert settling.sift(TWO, fact=True) == [TWO]
    assert settling.sift(THREE, fact=False) == []
    assert settling.end() == [ONE, THREE]
    assert settling.over
    assert settling.sift(FOUR, fact=False) == [FOUR]
    assert settling.end() == []


def test_no_more_is_held_than_there_is_room_for() -> None:
    settling = Settling(1)
    assert settling.sift(ONE, fact=False) == []
    assert settling.sift(TWO, fact=False) == [TWO]
    assert settling.end() == [ONE]


def test_where_nothing_is_to_be_known_nothing_is_held() -> None:
    settling = Settling(0)
    assert settling.over
    assert settling.sift(ONE, fact=False) == [ONE]
