from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from edged.daemon.changing import Changer
from edged.daemon.model import open_model
from edged.daemon.notes import Notes
from edged.engine.lifecycle import State
from edged.serving import events
from edged.serving.effects import Submit
from edged.settings import Config
from tests.daemon.rooms import Rooms
from tests.engine.harness import POCKET
from tests.serving.make import completed, request

if TYPE_CHECKING:
    from pathlib import Path

    from edged.daemon.model import Model
    from edged.daemon.prefixes import PrefixKeeper
    from edged.daemon.reporter import Reporter
    from edged.engine.supervisor import Supervisor


class Engine:
    """Remembers what it was to load; may fail."""

    def __init__(self) -> None:
        self.loads: list[Any] = []
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.state = State.READY

    async def change(self, load: Any) -> None:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        self.loads.append(load)


class House:
    def __init__(self) -> None:
        self.rooms = Rooms()
        self.engine = Engine()
        self.kept: list[Path] = []
        self.told: list[str] = []
        self.saving = False
        self.first = open_model(Config(), POCKET)
        self.changer = Changer(
            cast("Supervisor", self.engine),
            cast("PrefixKeeper", self),
            self.rooms.dispatcher,
            cast("Reporter", self),
            Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
            model=self.first,
        )
        ready = events.EngineReady(variant="pocket", n_ctx=512, streams=1)
        self.rooms.dispatcher.on(ready, 0.0)

    # Both rooms that are told of a change, and what one of them tells.

    def change(self, path: Path, _known: object) -> None:
        self.kept.append(path)

    def changing(self, view: Any) -> None:
        self.told.append(view.name)

    def other(self, name: str = "other") -> Model:
        return open_model(Config(), POCKET, name)

    async def settle(self) -> None:
        while self.changer.busy:
            self.changer.due(0.0)
            await asyncio.sleep(0)

    def ask(self, name: str) -> list[Any]:
        event = events.Arrived(request=request(name), ticket=None, dup=False, fingerprint=None)  # type: ignore[arg-type]
        return self.rooms.dispatcher.on(event, 0.0)


def submitted(effects: list[Any]) -> list[str]:
    return [effect.request.id for effect in effects if isinstance(effect, Submit)]


def test_an_idle_child_gets_the_model_at_once() -> None:
    async def scene() -> None:
        house = House()
        house.changer.ask(house.other(), 0.0)
        assert house.changer.busy
        await house.settle()
        assert house.engine.loads == [house.other().load]
        assert (house.kept, house.told) == ([POCKET], ["other"])
        assert house.changer.model.view.name == "other"
        assert house.changer.path == POCKET

    asyncio.run(scene())


def test_what_runs_ends_first_and_what_waits_waits() -> None:
    async def scene() -> None:
        house = House()
        assert submitted(house.ask("run")) == ["run"]
        house.changer.ask(house.other("worse"), 0.0)
        house.changer.ask(house.other("better"), 0.0)
        assert submitted(house.ask("wait")) == []
        house.changer.due(0.0)
        assert house.engine.loads == []
        house.rooms.dispatcher.on(completed(request("run").key), 0.0)
        await house.settle()
        assert house.told == ["better"]
        ready = events.EngineReady(variant="better", n_ctx=512, streams=1)
        assert submitted(house.rooms.dispatcher.on(ready, 0.0)) == ["wait"]

    asyncio.run(scene())


def test_a_stop_lets_a_change_end_and_begins_none() -> None:
    async def scene() -> None:
        house = House()
        house.engine.gate.clear()
        house.changer.ask(house.other(), 0.0)
        house.changer.due(0.0)
        house.changer.ask(house.other("late"), 0.0)
        asyncio.get_running_loop().call_soon(house.engine.gate.set)
        await house.changer.stop()
        await house.settle()
        assert house.told == ["other"]
        await house.changer.stop()

    asyncio.run(scene())


def test_a_stopping_daemon_begins_no_change() -> None:
    async def scene() -> None:
        house = House()
        house.rooms.dispatcher.on(events.Drain(), 0.0)
        house.changer.ask(house.other(), 0.0)
        house.changer.due(0.0)
        await asyncio.sleep(0)
        assert house.engine.loads == []

    asyncio.run(scene())


def test_a_child_that_is_about_to_go_or_gone_is_not_the_one_that_serves() -> None:
    async def scene() -> None:
        house = House()
        assert not house.changer.unsettled
        seen = [house.changer.unsettled]
        house.changer.ask(house.other(), 0.0)
        seen.append(house.changer.unsettled)
        await house.settle()
        seen.append(house.changer.unsettled)
        house.engine.state = State.STARTING
        assert [*seen, house.changer.unsettled] == [False, True, False, True]

    asyncio.run(scene())


def test_what_is_read_and_not_on_the_disk_would_be_lost_by_a_change() -> None:
    house = House()
    told = [house.changer.saving]
    house.saving = True
    assert [*told, house.changer.saving] == [False, True]


def test_a_mistake_is_told_and_ends_the_change() -> None:
    async def scene() -> None:
        house = House()
        house.engine.fault = RuntimeError("secret")
        house.changer.ask(house.other(), 0.0)
        await house.settle()
        assert any("change of model" in line for line in house.rooms.lines)

    asyncio.run(scene())
