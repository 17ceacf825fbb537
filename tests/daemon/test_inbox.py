from __future__ import annotations

import asyncio

from edged.daemon.inbox import Inbox


def test_what_is_told_goes_before_what_is_asked_and_order_is_kept() -> None:
    async def body() -> None:
        inbox = Inbox()
        for item in ("ask 1", "ask 2", "ask 3"):
            inbox.ask(item)
        inbox.tell("tell 1")
        inbox.tell("tell 2")
        assert (len(inbox), inbox.asked) == (5, 3)
        assert await inbox.take(3) == ["tell 1", "tell 2", "ask 1"]
        assert await inbox.take(9) == ["ask 2", "ask 3"]
        assert inbox.take_now(9) == []

    asyncio.run(body())


def test_the_reader_waits_for_the_first_item() -> None:
    async def body() -> None:
        inbox = Inbox()
        reader = asyncio.create_task(inbox.take(9))
        await asyncio.sleep(0)
        assert not reader.done()
        inbox.ask("late")
        assert await reader == ["late"]
        again = asyncio.create_task(inbox.take(9))
        await asyncio.sleep(0)
        assert not again.done()
        inbox.tell("later")
        assert await again == ["later"]

    asyncio.run(body())
