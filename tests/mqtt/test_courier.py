from __future__ import annotations

import asyncio

from edged.mqtt.courier import MAX_UNDELIVERED, Courier
from edged.mqtt.packet import Incoming, SessionEvent, Taken


def message(mid: int) -> Incoming:
    return Incoming(topic="t", payload=b"", qos=0, retain=False, dup=False, mid=mid, connection=1)


def test_counts_messages_until_the_loop_took_them() -> None:
    got: list[SessionEvent] = []
    full: list[bool] = []
    courier = Courier(got.append)

    async def ride() -> None:
        courier.open(asyncio.get_running_loop())
        courier.send(Taken(tag="not counted"))
        for mid in range(MAX_UNDELIVERED):
            full.append(courier.full)
            courier.send(message(mid))
        full.append(courier.full)
        await asyncio.sleep(0.01)
        full.append(courier.full)
        courier.wait_for_room()

    asyncio.run(ride())
    assert full == [False] * MAX_UNDELIVERED + [True, False]
    assert got[1:] == [message(mid) for mid in range(MAX_UNDELIVERED)]


def test_a_closed_loop_has_nobody_left_to_tell() -> None:
    got: list[SessionEvent] = []
    courier = Courier(got.append)
    courier.send(Taken(tag="too early"))

    async def ride() -> None:
        courier.open(asyncio.get_running_loop())

    asyncio.run(ride())
    courier.send(Taken(tag="too late"))
    assert got == []
