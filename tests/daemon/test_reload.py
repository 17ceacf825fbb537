from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from edged.config import Loaded
from edged.daemon.items import ConfigRead
from edged.daemon.reload import Reloader
from edged.errors import ConfigError, StorageError
from edged.settings import Config, ServingConfig, TelemetryConfig
from tests.daemon.test_reporter import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

NEW = Config(node="other", serving=ServingConfig(capacity=9))


class Bench:
    """A reloader over the fake rooms, told to read `answers` one after the other."""

    def __init__(self, *answers: Config | Exception, hold: threading.Event | None = None) -> None:
        self.desk = Desk()
        self.answers = list(answers)
        self.notes: tuple[str, ...] = ()
        self.hold = hold
        self.posted: list[object] = []
        self.reloader = Reloader(
            Config(),
            self.read,
            journal=self.desk.rooms.journal,
            reporter=self.desk.reporter,
            post=self.posted.append,
        )

    def read(self) -> Loaded:
        if self.hold is not None:
            assert self.hold.wait(10)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Loaded(answer, self.notes)

    @property
    def said(self) -> list[str]:
        return [line for line in self.desk.rooms.fake_notifier.said if not line.startswith("ST")]

    async def until(self, true: Callable[[], object]) -> None:
        for _ in range(1000):
            if true():
                return
            await asyncio.sleep(0.01)
        message = f"{self.posted} {self.desk.rooms.lines}"
        raise TimeoutError(message)


def test_a_good_file_is_handed_on_and_told_with_what_changed() -> None:
    async def body() -> Bench:
        bench = Bench(NEW)
        bench.desk.ready()
        bench.reloader.ask()
        await bench.until(lambda: bench.posted)
        return bench

    bench = asyncio.run(body())
    assert bench.posted == [ConfigRead(NEW)]
    assert bench.said[-1] == "RELOADING"
    assert bench.reloader.take(NEW) == Config(serving=ServingConfig(capacity=9))
    assert bench.said[-1] == "READY"
    line = bench.desk.rooms.lines[-1]
    assert "in use now: serving.capacity; from the next start on: node" in line


def test_words_of_an_older_version_are_told_at_each_reading() -> None:
    async def body() -> Bench:
        bench = Bench(NEW)
        bench.notes = ("f:1: a: read as b", "f:2: c: read as d")
        bench.reloader.ask()
        await bench.until(lambda: bench.posted)
        return bench

    bench = asyncio.run(body())
    assert bench.posted == [ConfigRead(NEW)]
    for line, note in zip(bench.desk.rooms.lines[-2:], bench.notes, strict=True):
        assert "config outdated" in line
        assert note in line


def test_a_bad_file_changes_nothing_and_names_the_first_mistake() -> None:
    async def body() -> Bench:
        mistake = RuntimeError("of our own")
        first = ConfigError(["a: first", "b: second"])
        bench = Bench(mistake, first, StorageError("/etc/x: gone"))
        bench.desk.ready()
        for _ in range(3):
            before = len(bench.desk.rooms.lines)
            bench.reloader.ask()
            await bench.until(lambda: len(bench.desk.rooms.lines) > before)  # noqa: B023
            await asyncio.sleep(0)
        return bench

    bench = asyncio.run(body())
    assert bench.posted == []
    assert bench.reloader.config == Config()
    assert bench.said[-2:] == ["RELOADING", "READY"]
    assert "mistake in edged" in bench.desk.rooms.lines[-3].lower()
    assert "a: first, and 1 more" in bench.desk.rooms.lines[-2]
    assert "/etc/x: gone" in bench.desk.rooms.lines[-1]


def test_asked_while_it_reads_it_reads_once_more() -> None:
    async def body() -> Bench:
        hold = threading.Event()
        bench = Bench(Config(), NEW, hold=hold)
        bench.reloader.ask()
        await asyncio.sleep(0)  # it has begun
        for _ in range(2):
            bench.reloader.ask()
        hold.set()
        await bench.until(lambda: len(bench.posted) == 2)
        return bench

    bench = asyncio.run(body())
    assert bench.posted[-1] == ConfigRead(NEW)
    assert bench.answers == []


def test_before_the_start_has_ended_nobody_hears_of_it() -> None:
    bench = Bench()
    bench.reloader.take(NEW)
    assert bench.said == []


def test_the_level_of_the_log_is_the_new_one() -> None:
    bench = Bench()
    bench.reloader.take(Config(telemetry=TelemetryConfig(log_level="error")))
    assert bench.desk.rooms.lines == []
