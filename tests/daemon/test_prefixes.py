from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from edged.daemon.errand import DiskDone
from edged.daemon.items import Tick
from edged.daemon.notes import Notes
from edged.daemon.prefixes import PrefixKeeper, persona_of
from edged.engine import build
from edged.engine.events import EngineDied, EngineUp, LostRun
from edged.engine.frames import Failed, Learned, Load, Message, Ready, Saved
from edged.engine.marks import MIN_USES
from edged.engine.prefixes import DISK_RETRY_S
from edged.engine.statestore import StateStore
from edged.models.fingerprint import fingerprint
from edged.settings import PersonaConfig, TurnConfig
from tests.daemon.rooms import Rooms
from tests.rig.openfiles import open_files

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from edged.engine.frames import Messages
    from edged.engine.supervisor import Supervisor

SECRET = "hunter2 is the word that no line may hold, whatever happens to this persona."  # noqa: S105
BUTLER = PersonaConfig(name="butler", system=SECRET + "\n")
KEY = "prefix/butler"
STATE = b"keys and values" * 1000
READY = Ready(
    n_ctx=2048,
    n_ctx_train=2048,
    n_params=1,
    n_vocab=2,
    description="fake",
    load_ms=1.0,
    selftest_ms=1.0,
    system_info="NEON",
)
DIED: dict[str, Any] = {
    "signal": "SIGSEGV",
    "code": None,
    "reason": "SIGSEGV",
    "message": "",
    "during": "idle",
    "runs": (),
    "retry_in": 1.0,
}


class Child:
    """What the supervisor is asked to do; a save is written at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.messages: Messages | None = None
        self.state = STATE
        self.restored = b""
        self.refuses = False

    def learn(self, key: str, messages: Messages) -> None:
        if self.refuses:
            message = "a frame too long"
            raise ValueError(message)
        self.asked.append(f"learn {key}")
        self.messages = messages

    def restore(self, key: str, messages: Messages, fd: int, offset: int, size: int) -> None:
        if self.refuses:
            message = "a frame too long"
            raise ValueError(message)
        self.asked.append(f"restore {key}")
        self.messages = messages
        self.restored = os.pread(fd, size, offset)

    def save(self, key: str, fd: int) -> None:
        self.asked.append(f"save {key}")
        os.pwrite(fd, self.state, 0)

    def unlearn(self, key: str) -> None:
        self.asked.append(f"unlearn {key}")


class House:
    """A keeper with a real folder and a child that does nothing by itself."""

    def __init__(
        self,
        folder: Path,
        *personas: PersonaConfig,
        limit: int = 1 << 20,
        reserve: int = 0,
        disk: bool = True,
    ) -> None:
        self.folder = folder / "cache"
        self.model = folder / "model.gguf"
        if not self.model.exists():
            self.model.write_bytes(b"GGUF" * 1000)
        self.rooms = Rooms()
        self.child = Child()
        self.items: asyncio.Queue[object] = asyncio.Queue()
        store = StateStore(self.folder, limit, lambda: 1000.0, reserve)
        self.keeper = PrefixKeeper(
            personas=personas,
            model=(self.model, fingerprint(self.model, 100)),
            engine=cast("Supervisor", self.child),
            store=store if disk else None,
            clock=self.rooms.clock,
            notes=Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
            post=self.items.put_nowait,
        )

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.state"))

    @property
    def said(self) -> list[str]:
        return [line for line in self.rooms.lines if not line.startswith("DEBUG")]

    async def disk(self) -> None:
        """Pass on what the thread has done."""
        item = await asyncio.wait_for(self.items.get(), 10)
        assert isinstance(item, DiskDone)
        self.keeper.hear(item, self.rooms.clock.monotonic())

    def up(self) -> None:
        self.keeper.hear(EngineUp(ready=READY, load=Load(path="/m")), 0.0)

    def died(self, **changes: Any) -> None:
        self.keeper.hear(EngineDied(**(DIED | changes)), 0.0)

    def learned(self, key: str = KEY) -> None:
        size = len(self.child.state)
        frame = Learned(key=key, tokens=20, cached=0, state_bytes=size, read_ms=12.0)
        self.keeper.hear(frame, 0.0)

    def saved(self, size: int = len(STATE)) -> None:
        self.keeper.hear(Saved(key=KEY, size=size), 0.0)

    def failed(self, code: str) -> None:
        self.keeper.hear(Failed(key=KEY, code=code, message=SECRET), 0.0)

    async def started(self) -> None:
        self.keeper.start()
        await self.disk()
        self.up()

    async def kept(self) -> None:
        """A first start, up to a file on disk."""
        await self.started()
        self.learned()
        self.saved()
        await self.disk()
        self.keeper.stop()


def play(scene: Coroutine[Any, Any, None]) -> None:
    fds = open_files()
    asyncio.run(scene)
    assert open_files() == fds, "descriptors are left open"


def test_the_first_start_reads_and_saves_and_the_next_restores(tmp_path: Path) -> None:
    async def scene() -> None:
        first = House(tmp_path, BUTLER)
        await first.kept()
        assert first.child.asked == [f"learn {KEY}", f"save {KEY}"]
        assert first.said == [
            "INFO persona ready persona=butler tokens=20 source=read read_ms=12.00"
        ]
        second = House(tmp_path, BUTLER)
        await second.started()
        await second.disk()
        assert second.child.asked == [f"restore {KEY}"]
        assert second.child.restored == STATE
        assert second.child.messages == (Message(role="system", content=SECRET),)
        second.learned()
        assert second.said[-1].startswith("INFO persona ready persona=butler tokens=20 source=disk")
        assert second.child.asked == [f"restore {KEY}"]
        second.keeper.stop()
        assert SECRET not in "".join(first.rooms.lines + second.rooms.lines)

    play(scene())


def test_what_is_read_is_being_saved_until_the_disk_has_it(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        seen = [house.keeper.saving]
        await house.started()
        seen.append(house.keeper.saving)
        house.learned()
        seen.append(house.keeper.saving)
        house.saved()
        seen.append(house.keeper.saving)
        await house.disk()
        assert [*seen, house.keeper.saving] == [False, False, True, True, False]
        house.keeper.stop()

    play(scene())


def test_a_child_that_is_up_first_waits_for_the_disk(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        house.keeper.start()
        house.up()
        assert house.child.asked == []
        await house.disk()
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.stop()

    play(scene())


def test_a_damaged_file_is_deleted_told_and_read_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        (file,) = house.files
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        await house.started()
        await house.disk()
        assert house.child.asked == [f"learn {KEY}"]
        assert house.files == []
        (line,) = house.said
        assert line.startswith("NOTICE saved prefix removed")
        assert "damaged" in line
        house.learned()
        house.saved()
        await house.disk()
        assert house.files == [file]
        house.keeper.stop()

    play(scene())


def test_a_state_that_the_engine_refuses_is_deleted_and_read_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        await house.started()
        await house.disk()
        house.failed("bad_state")
        assert house.child.asked == [f"restore {KEY}", f"learn {KEY}"]
        house.keeper.stop()
        assert house.files == []

    play(scene())


def test_a_file_of_rubbish_is_told_at_the_start(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path)
        house.folder.mkdir()
        (house.folder / ("0" * 32 + ".state")).write_bytes(b"rubbish" * 1000)
        (house.folder / "key").write_bytes(bytes(32))
        await house.started()
        (line,) = house.said
        assert "no saved prefix" in line
        house.keeper.stop()

    play(scene())


def test_without_a_disk_everything_is_only_read(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER, disk=False)
        house.keeper.start()
        house.up()
        house.learned()
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.stop()
        assert not house.folder.exists()

    play(scene())


def test_a_folder_that_cannot_be_made_is_a_problem_and_costs_nothing_else(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "cache").touch()
        house = House(tmp_path, BUTLER)
        await house.started()
        assert house.rooms.health.active("prefixes_not_saved")
        house.learned()
        assert house.child.asked == [f"learn {KEY}"]
        assert "prefixes not saved" in house.said[0]
        house.keeper.stop()

    play(scene())


def test_without_the_engines_libraries_nothing_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        monkeypatch.setattr(build, "build_id", lambda: None)
        house = House(tmp_path, BUTLER)
        await house.started()
        assert house.rooms.health.active("prefixes_not_saved")
        house.learned()
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.stop()

    play(scene())


def test_a_disk_that_refuses_is_a_problem_until_it_takes(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER, reserve=1 << 60)
        await house.started()
        house.learned()
        house.saved()
        await house.disk()
        assert house.rooms.health.active("prefixes_not_saved")
        assert "would be left free" in house.said[-1]
        house.keeper._store._reserve = 0  # type: ignore[union-attr]
        house.keeper.hear(Tick(), house.rooms.clock.monotonic() + DISK_RETRY_S - 1)
        assert house.child.asked == [f"learn {KEY}", f"save {KEY}"]
        house.keeper.hear(Tick(), house.rooms.clock.monotonic() + DISK_RETRY_S + 9)
        assert house.child.asked[2:] == [f"save {KEY}"]
        house.saved()
        await house.disk()
        assert not house.rooms.health.active("prefixes_not_saved")
        assert len(house.files) == 1
        house.keeper.stop()

    play(scene())


def test_a_state_larger_than_the_limit_takes_no_memory(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER, limit=100)
        await house.started()
        house.learned()
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.hear(Tick(), 1e9)
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.stop()

    play(scene())


@pytest.mark.parametrize("size", [0, len(STATE) + 1])
def test_a_child_that_lies_about_a_size_saves_nothing(tmp_path: Path, size: int) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        await house.started()
        house.learned()
        house.saved(size)
        assert house.items.empty()
        house.keeper.stop()
        assert house.files == []

    play(scene())


def test_a_model_file_that_was_replaced_meanwhile_has_no_business_with_the_disk(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        new = tmp_path / "new"
        new.write_bytes(b"GGUF" * 1000)
        new.replace(house.model)
        await house.started()
        house.learned()
        assert house.child.asked == [f"learn {KEY}"]
        assert len(house.files) == 1
        house.keeper.stop()

    play(scene())


def test_another_model_costs_the_files_of_the_old_one(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        (tmp_path / "model.gguf").write_bytes(b"GGUF" * 1001)
        house = House(tmp_path, BUTLER)
        await house.started()
        assert house.child.asked == [f"learn {KEY}"]
        house.keeper.stop()
        assert house.files == []
        assert "another model" in house.said[0]

    play(scene())


def test_a_change_of_model_reads_anew_and_blames_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        await house.started()
        other = tmp_path / "other.gguf"
        other.write_bytes(b"GGUF" * 1002)
        for _ in range(3):
            house.keeper.change(other, fingerprint(other, 100))
            house.learned()  # the last words of the one that is going
            house.up()
        assert house.child.asked == [f"learn {KEY}"] * 4
        house.learned()
        house.saved()
        await house.disk()
        house.keeper.change(house.model, fingerprint(house.model, 100))
        house.up()
        house.keeper.stop()
        assert house.files == []
        assert not [line for line in house.said if "given up" in line]

    play(scene())


def test_what_the_child_dies_of_twice_is_given_up(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        await house.started()
        house.died()
        house.up()
        # a run that was going takes the blame for a lesson
        house.died(runs=(LostRun(key="k", during="decode", tokens_done=3),))
        house.up()
        house.died()
        house.up()
        assert house.child.asked == [f"learn {KEY}"] * 3
        (line,) = house.said
        assert line.startswith("WARNING persona given up")
        assert "persona=butler" in line
        house.keeper.stop()

    play(scene())


def test_a_death_while_the_disk_verifies_is_not_the_files_fault(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        await house.started()
        house.died()
        await house.disk()
        assert house.child.asked == []
        house.up()
        await house.disk()
        assert house.child.asked == [f"restore {KEY}"]
        # with the child it is
        house.died()
        house.up()
        assert house.child.asked == [f"restore {KEY}", f"learn {KEY}"]
        house.keeper.stop()
        assert house.files == []

    play(scene())


def test_a_death_while_the_disk_writes_costs_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        await house.started()
        house.learned()
        house.saved()
        house.died()
        await house.disk()
        assert len(house.files) == 1
        house.up()
        await house.disk()
        assert house.child.asked[-1] == f"restore {KEY}"
        house.keeper.stop()

    play(scene())


def test_a_death_in_a_save_gives_the_memory_back(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        await house.started()
        house.learned()
        assert house.child.asked[-1] == f"save {KEY}"
        house.died()
        house.died()
        house.keeper.stop()

    play(scene())


def test_what_cannot_be_said_to_the_child_has_failed(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        house.child.refuses = True
        await house.started()
        await house.disk()
        assert house.child.asked == []
        house.child.refuses = False
        house.keeper.hear(Tick(), 1e9)
        await house.disk()
        assert house.child.asked == [f"restore {KEY}"]
        house.failed("bad_state")
        house.child.refuses = True
        house.failed("decode_failed")
        house.keeper.hear(Tick(), 2e9)
        house.keeper.hear(Tick(), 3e9)
        assert house.said[-1].startswith("WARNING persona given up")
        assert SECRET not in "".join(house.rooms.lines)
        house.keeper.stop()

    play(scene())


def test_frames_that_nobody_waits_for_change_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER)
        house.learned()
        await house.started()
        house.learned("prefix/cook")
        house.saved()
        assert house.child.asked == [f"learn {KEY}"]
        assert house.said == []
        house.keeper.stop()

    play(scene())


def test_a_prompt_that_is_used_again_and_again_is_kept_and_its_text_told_nobody(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        house = House(tmp_path)
        await house.started()
        messages = (Message(role="system", content=SECRET), Message(role="user", content="Hi"))
        for _ in range(MIN_USES):
            house.keeper.used(messages, 0.0)
        (asked,) = house.child.asked
        assert asked.startswith("learn prefix/~")
        assert house.child.messages == messages[:1]
        key = asked.partition(" ")[2]
        house.learned(key)
        house.keeper.hear(Saved(key=key, size=len(STATE)), 0.0)
        await house.disk()
        assert len(house.files) == 1
        assert house.said == []
        assert "hunter2" not in "".join(house.rooms.lines)
        house.keeper.stop()

    play(scene())


def test_a_better_mark_takes_the_place_of_another(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, disk=False)
        house.up()
        for number in range(9):
            text = chr(97 + number) * (100 + 1000 * number)
            for _ in range(MIN_USES):
                house.keeper.used((Message(role="system", content=text),), 0.0)
            house.learned(house.child.asked[-1].partition(" ")[2])
        assert [said.split("/")[0] for said in house.child.asked[-2:]] == [
            "unlearn prefix",
            "learn prefix",
        ]
        house.keeper.stop()

    play(scene())


def test_what_the_limit_pushes_out_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, BUTLER, limit=30_000)
        cook = PersonaConfig(name="cook", system="x" * 9000)
        await house.kept()
        other = House(tmp_path, BUTLER, cook, limit=30_000)
        await other.started()
        await other.disk()
        other.learned()
        frame = Learned(key="prefix/cook", tokens=99, cached=0, state_bytes=15_000, read_ms=1.0)
        other.keeper.hear(frame, 0.0)
        other.keeper.hear(Saved(key="prefix/cook", size=15_000), 0.0)
        await other.disk()
        assert len(other.files) == 1
        assert "no room" in other.said[-1]
        other.keeper.stop()

    play(scene())


def test_after_the_stop_nothing_new_is_begun_but_what_must_go_goes(tmp_path: Path) -> None:
    async def scene() -> None:
        await House(tmp_path, BUTLER).kept()
        house = House(tmp_path, BUTLER)
        await house.started()
        await house.disk()
        busy = asyncio.Event()
        house.keeper._thread._pool.submit(time.sleep, 0.1)
        house.failed("bad_state")
        house.keeper._thread.run(None, busy.set)
        house.keeper.stop()
        assert house.files == []
        assert not busy.is_set()

    play(scene())


def test_a_persona_is_its_text_without_the_yaml_around_it() -> None:
    turn = TurnConfig(user="Hello?\n", assistant=" At your service. ")
    persona = persona_of(msgspec.structs.replace(BUTLER, turns=(turn,)))
    assert persona.name == "butler"
    assert [(message.role, message.content) for message in persona.messages] == [
        ("system", SECRET),
        ("user", "Hello?"),
        ("assistant", "At your service."),
    ]
