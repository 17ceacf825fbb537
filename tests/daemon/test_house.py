from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from edged.daemon.house import FILE, JITTER_S, LOAD_S, SETTLE_S, House
from edged.daemon.items import HouseUp
from edged.daemon.notes import Notes
from edged.mqtt.topics import Topics
from edged.settings import DiscoveryConfig
from tests.daemon.rooms import Rooms
from tests.mqtt.test_entities import FULL

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

DEVICE = "homeassistant/device/edged_n/config"
OLD = "homeassistant/sensor/edged_n/tps/config"


class Desk:
    """A house over fake rooms; made in the event loop."""

    def __init__(self, folder: Path, mode: str = "device", jitter: float = 0.0) -> None:
        self.rooms = Rooms()
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.variants: tuple[str, ...] = ("small",)
        self.file = folder / FILE
        self.house = House(
            DiscoveryConfig(mode=mode),  # type: ignore[arg-type]
            topics=Topics("n", house="homeassistant"),
            session=self.rooms.session,
            traits=FULL,
            variants=lambda: self.variants,
            file=self.file,
            jitter=lambda: jitter,
            post=self.items.put_nowait,
            notes=Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
        )

    async def announce(self, now: float = 0.0) -> None:
        self.house.announce(now)
        await self.written()

    async def written(self) -> None:
        self.house.hear(await asyncio.wait_for(self.items.get(), 10))

    @property
    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    @property
    def told(self) -> list[str]:
        return [each.topic for each in self.rooms.fake_session.sent]

    @property
    def options(self) -> list[str]:
        sent = self.rooms.fake_session.on(DEVICE)[-1]
        found: list[str] = json.loads(sent.payload)["components"]["select"]["options"]
        return found


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_it_is_announced_and_remembered(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        await desk.announce()
        assert desk.told == [DEVICE]
        assert desk.kept[DEVICE]["tps"] == "sensor"
        desk.house.announce(1.0)
        desk.house.due(1.0 + SETTLE_S)
        assert desk.told == [DEVICE, DEVICE]
        assert desk.items.empty()
        desk.house.stop()

    play(scene())


def test_ghosts_are_cleared_until_the_broker_must_have_heard_and_then_forgotten(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        (tmp_path / FILE).write_text(
            json.dumps({OLD: {"tps": "sensor"}, DEVICE: {"ghost": "sensor"}})
        )
        desk = Desk(tmp_path)
        await desk.announce()
        assert desk.told == [OLD, OLD, DEVICE]
        assert desk.kept.keys() == {OLD, DEVICE}
        desk.house.due(SETTLE_S - 1.0)
        assert desk.items.empty()
        desk.house.due(SETTLE_S)
        await desk.written()
        assert desk.kept.keys() == {DEVICE}
        assert "ghost" not in desk.kept[DEVICE]
        desk.house.announce(SETTLE_S)
        assert desk.told[3:] == [DEVICE]
        desk.house.stop()

    play(scene())


def test_a_broker_that_refuses_is_asked_again_and_ghosts_are_kept_in_mind(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / FILE).write_text(json.dumps({OLD: {"tps": "sensor"}}))
        desk = Desk(tmp_path)
        await desk.announce()
        for now in (1.0, 2.0):
            desk.house.denied(DEVICE, "not authorised", now)
        assert desk.rooms.health.active("discovery_refused")
        assert len([line for line in desk.rooms.lines if "refuses" in line]) == 1
        desk.house.due(SETTLE_S)
        assert desk.told == [OLD, OLD, DEVICE] * 2
        assert desk.rooms.health.active("discovery_refused")
        desk.house.due(2 * SETTLE_S)
        await desk.written()
        assert not desk.rooms.health.active("discovery_refused")
        assert desk.kept.keys() == {DEVICE}
        desk.house.stop()

    play(scene())


def test_off_clears_what_was_there_and_says_nothing_more(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        await desk.announce()
        desk.house.stop()
        off = Desk(tmp_path, "off")
        off.house.announce(0.0)
        assert [(each.topic, each.payload) for each in off.rooms.fake_session.sent] == [
            (DEVICE, b"")
        ]
        off.house.due(SETTLE_S)
        await off.written()
        assert off.kept == {}
        off.house.stop()

    play(scene())


def test_other_models_to_choose_from_are_announced_once_anything_was(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        desk.house.due(0.0)
        assert desk.told == []
        await desk.announce()
        assert desk.options == ["auto", "small"]
        desk.variants = ("small", "large")
        desk.house.due(LOAD_S - 1.0)
        assert len(desk.told) == 1
        desk.house.due(LOAD_S)
        desk.house.due(LOAD_S + 1.0)
        assert len(desk.told) == 2
        assert desk.options == ["auto", "small", "large"]
        desk.house.stop()

    play(scene())


def test_the_first_time_waits_until_there_is_something_to_choose_from(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        desk.variants = ()
        desk.house.announce(0.0)
        desk.house.announce(1.0)  # a birth meanwhile
        desk.house.due(1.0)
        assert desk.told == []
        desk.variants = ("small",)
        desk.house.due(2.0)
        assert desk.told == [DEVICE]
        assert desk.options == ["auto", "small"]
        await desk.written()
        desk.house.stop()

    play(scene())


def test_it_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        desk.variants = ()
        desk.house.announce(5.0)
        desk.house.due(4.0 + LOAD_S)
        assert desk.told == []
        desk.house.due(5.0 + LOAD_S)
        assert desk.options == ["auto"]
        await desk.written()
        desk.house.stop()

    play(scene())


def test_who_moves_says_so_once(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / FILE).write_text(json.dumps({OLD: {"tps": "sensor"}}))
        desk = Desk(tmp_path)
        await desk.announce()
        assert desk.told == [OLD, OLD, DEVICE]
        desk.house.announce(1.0)
        assert desk.told[3:] == [DEVICE]
        assert desk.kept.keys() == {OLD, DEVICE}  # until it is certain that it was heard
        desk.house.stop()

    play(scene())


@pytest.mark.parametrize("payload", [b"offline", b"", b"online "])
def test_only_a_birth_is_one(tmp_path: Path, payload: bytes) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path)
        desk.house.born(payload)
        await asyncio.sleep(0.01)
        assert desk.items.empty()
        desk.house.stop()

    play(scene())


def test_a_birth_is_answered_once_when_its_turn_comes(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path, jitter=0.001)
        desk.house.born(b"online")
        desk.house.born(b"online")
        assert desk.items.empty()
        assert await asyncio.wait_for(desk.items.get(), 10) == HouseUp()
        desk.house.born(b"online")
        assert await asyncio.wait_for(desk.items.get(), 10) == HouseUp()
        assert desk.items.empty()
        desk.house.stop()

    play(scene())


def test_the_wait_is_random_and_bounded(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path, jitter=1.0)
        before = asyncio.get_running_loop().time()
        desk.house.born(b"online")
        assert desk.house._birth is not None
        assert before + JITTER_S <= desk.house._birth.when() <= before + JITTER_S + 10
        desk.house.stop()
        assert desk.house._birth.cancelled()

    play(scene())


def test_a_disk_that_refuses_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    async def scene() -> None:
        desk = Desk(tmp_path / "gone")
        await desk.announce()
        assert desk.told == [DEVICE]
        assert any("announced_not_kept" in line for line in desk.rooms.lines)
        desk.house.stop()

    play(scene())


def test_a_file_that_is_not_ours_is_as_good_as_none(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / FILE).write_text("x" * 100_000)
        desk = Desk(tmp_path)
        await desk.announce()
        assert desk.told == [DEVICE]
        assert desk.kept.keys() == {DEVICE}
        desk.house.stop()

    play(scene())
