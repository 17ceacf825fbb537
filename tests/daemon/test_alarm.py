from __future__ import annotations

import asyncio

from edged.daemon.alarm import Alarm


def test_it_rings_once_at_the_time_set_last() -> None:
    rung: list[str] = []

    async def body() -> None:
        alarm = Alarm(lambda: rung.append("ring"))
        assert alarm.due(-1e9)
        alarm.set(1000.0, 1000.0)
        alarm.set(1000.01, 1000.0)
        assert not alarm.due(1000.005)
        assert alarm.due(1000.01)
        await asyncio.sleep(0.1)

    asyncio.run(body())
    assert rung == ["ring"]


def test_what_is_past_rings_at_once_and_what_is_cancelled_never() -> None:
    rung: list[str] = []

    async def body() -> None:
        Alarm(lambda: rung.append("past")).set(5.0, 1000.0)
        never = Alarm(lambda: rung.append("never"))
        never.cancel()
        never.set(1000.01, 1000.0)
        never.cancel()
        await asyncio.sleep(0.1)

    asyncio.run(body())
    assert rung == ["past"]
