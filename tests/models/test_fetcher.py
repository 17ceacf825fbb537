"""The thread in which the daemon downloads: start, replace, cancel, close, and to be killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.models.fetcher import Fetcher
from edged.models.progress import Fetched, FetchFailed, Progress
from edged.models.store import Store
from tests.models.hubrig import FILE, MODEL, SHA256, VARIANT, hub, run, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.models.progress import Event
    from tests.rig.hub import Hub

OTHER = msgspec.structs.replace(VARIANT, id="other", file="other.gguf")
PATIENCE_S = 20.0


@pytest.fixture
def rig() -> Iterator[Hub]:
    with hub() as running:
        running.files[OTHER.file] = MODEL
        yield running


class Inbox:
    """Where events arrive, as in the daemon."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Event] = queue.Queue()
        self.threads: set[str] = set()

    def post(self, event: Event) -> None:
        self.threads.add(threading.current_thread().name)
        self.queue.put(event)

    def until(self, kind: type[Event], variant: str = VARIANT.id) -> Event:
        while True:
            event = self.queue.get(timeout=PATIENCE_S)
            if isinstance(event, kind) and getattr(event, "variant", None) == variant:
                return event


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def wait_for_bytes(rig: Hub, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while rig.sent < count:
        assert time.monotonic() < deadline, rig.sent
        time.sleep(0.01)


def test_it_runs_in_a_thread_of_its_own_and_ends_with_one_word(
    rig: Hub, tmp_path: Path, inbox: Inbox
) -> None:
    fetcher = Fetcher(world(rig, tmp_path), inbox.post)
    fetcher.start(VARIANT)
    end = inbox.until(Fetched)
    assert isinstance(end, Fetched)
    assert end.sha256 == SHA256
    assert inbox.threads == {"fetcher"}
    fetcher.start(OTHER)
    inbox.until(Fetched, OTHER.id)
    fetcher.close()
    assert inbox.queue.empty()
    assert "fetcher" not in {thread.name for thread in threading.enumerate()}
    fetcher.close()
    fetcher.cancel()


def test_a_failure_that_is_final_is_the_last_word(rig: Hub, tmp_path: Path, inbox: Inbox) -> None:
    rig.misbehave("hub", "gone")
    fetcher = Fetcher(world(rig, tmp_path), inbox.post)
    fetcher.start(VARIANT)
    end = inbox.until(FetchFailed)
    assert isinstance(end, FetchFailed)
    assert (end.code, end.retry_in) == ("missing", None)
    fetcher.close()
    assert inbox.queue.empty()


def test_starting_twice_is_starting_once(rig: Hub, tmp_path: Path, inbox: Inbox) -> None:
    rig.misbehave("cdn", "slow")
    fetcher = Fetcher(world(rig, tmp_path), inbox.post)
    for _ in range(5):
        fetcher.start(VARIANT)
        wait_for_bytes(rig, 100_000)
    inbox.until(Fetched)
    fetcher.close()
    assert len(rig.asked("cdn")) == 1
    assert rig.sent == len(MODEL)


def test_another_variant_takes_its_place_and_the_part_stays(
    rig: Hub, tmp_path: Path, inbox: Inbox
) -> None:
    rig.misbehave("cdn", "slow")
    fetcher = Fetcher(world(rig, tmp_path), inbox.post)
    fetcher.start(VARIANT)
    wait_for_bytes(rig, 500_000)
    fetcher.start(OTHER)
    inbox.until(Fetched, OTHER.id)
    fetcher.close()
    (part,) = Store(tmp_path).partials()
    assert part.file == FILE
    assert part.bytes > 0
    assert part.record is not None
    assert part.record.synced == part.bytes


def test_cancelled_it_says_nothing_more_and_goes_on_later(
    rig: Hub, tmp_path: Path, inbox: Inbox
) -> None:
    rig.misbehave("cdn", "slow", 1)
    fetcher = Fetcher(world(rig, tmp_path), inbox.post)
    fetcher.start(VARIANT)
    inbox.until(Progress)
    wait_for_bytes(rig, 500_000)
    fetcher.cancel()
    fetcher.close()
    had = (tmp_path / (FILE + ".part")).stat().st_size
    assert 0 < had < len(MODEL)
    while not inbox.queue.empty():
        assert isinstance(inbox.queue.get(), Progress)
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert end.resumed == had
    assert rig.bodies[-1] == len(MODEL) - had


KILLED = """
import asyncio, pathlib, sys
from edged.models.attempts import World, fetch
from edged.models.store import Store
from edged.models.variants import Variant
from edged.settings import DownloadConfig
world = World(store=Store(pathlib.Path(sys.argv[1])), config=DownloadConfig(endpoint=sys.argv[2]))
variant = Variant(id="tiny-Q4_K", family="tiny", file="tiny-Q4_K.gguf", repo="owner/name")
asyncio.run(fetch(world, variant, (), lambda event: None))
"""


def test_killed_it_goes_on_with_what_is_here(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("cdn", "slow", 1)
    part = tmp_path / (FILE + ".part")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), rig.endpoint]) as child:
        deadline = time.monotonic() + PATIENCE_S
        while not part.exists() or part.stat().st_size < 1 << 20:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    had = part.stat().st_size
    assert 0 < had < len(MODEL)
    record = Store(tmp_path).part_record(FILE)
    assert record is not None
    assert record.synced == 0  # it came nowhere near the first sync: the kernel has the bytes
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert end.resumed == had
    assert rig.asked("cdn")[-1].start == had
    assert rig.bodies[-1] == len(MODEL) - had
    assert (tmp_path / FILE).read_bytes() == MODEL


def test_after_a_power_cut_only_what_was_synced_is_kept(rig: Hub, tmp_path: Path) -> None:
    rig.cut_after = 2 << 20
    rig.misbehave("cdn", "cut", 1)
    run(world(rig, tmp_path, most_failures=1))
    store = Store(tmp_path)
    record = store.part_record(FILE)
    assert record is not None
    earlier = msgspec.structs.replace(record, boot="the boot before", synced=1 << 20)
    store.write_part_record(FILE, earlier)
    # a file system may have kept the length and lost the bytes
    with (tmp_path / (FILE + ".part")).open("r+b") as part:
        part.seek(1 << 20)
        part.write(bytes(1 << 20))
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert end.resumed == 1 << 20
    assert (tmp_path / FILE).read_bytes() == MODEL


def test_all_bytes_here_need_no_network(rig: Hub, tmp_path: Path) -> None:
    (tmp_path / (FILE + ".part")).write_bytes(MODEL)
    store = Store(tmp_path)
    rig.cut_after = 1000
    rig.misbehave("cdn", "cut", 1)
    run(world(rig, tmp_path / "b", most_failures=1))
    record = Store(tmp_path / "b").part_record(FILE)
    assert record is not None
    store.write_part_record(FILE, msgspec.structs.replace(record, synced=len(MODEL)))
    asked = len(rig.seen)
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert len(rig.seen) == asked


def test_cancelled_on_a_full_disk_it_ends_all_the_same(
    rig: Hub, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.misbehave("cdn", "slow", 1)
    fetcher = Fetcher(world(rig, tmp_path, sync_bytes=1 << 30), inbox.post)
    fetcher.start(VARIANT)
    inbox.until(Progress)
    wait_for_bytes(rig, 500_000)
    monkeypatch.setattr(Store, "space", lambda _: (0, 1 << 40))
    fetcher.cancel()
    fetcher.close()
    while not inbox.queue.empty():
        assert isinstance(inbox.queue.get(), Progress)
    assert len(rig.asked("cdn")) == 1
