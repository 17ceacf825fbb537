"""Waiting for a core is read from the kernel's own count, and its absence is no failure."""

from __future__ import annotations

import threading
import time
from math import inf
from typing import TYPE_CHECKING

import pytest

from edged.engine.worker.schedstat import WINDOW_S, Schedstat
from tests.rig.openfiles import open_files

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = int(WINDOW_S * 1e9)
LATER = inf  # than any window could be full
MAIN, OTHER, THIRD = "10", "11", "12"


class Tasks:
    """A made-up /proc/self/task."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, ran: int, waited: int) -> None:
        (self.root / name).mkdir(exist_ok=True)
        # Written in place, as the kernel's file keeps its inode.
        (self.root / name / "schedstat").write_text(f"{ran} {waited} 5\n")

    def end(self, name: str) -> None:
        (self.root / name / "schedstat").unlink()
        (self.root / name).rmdir()

    def open(self) -> Schedstat:
        return Schedstat(self.root, MAIN)


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    tasks = Tasks(tmp_path)
    tasks.put(MAIN, 100, 0)
    return tasks


def test_a_window_is_full_when_the_main_thread_wanted_half_a_second(tasks: Tasks) -> None:
    stat = tasks.open()
    assert stat.share(LATER) is None
    tasks.put(MAIN, 100 + WINDOW // 2, WINDOW // 2 - 1)
    assert stat.share(LATER) is None
    tasks.put(MAIN, 100 + WINDOW // 2, WINDOW // 2)
    assert stat.share(LATER) == 0.5
    assert stat.share(LATER) is None
    stat.close()


def test_nothing_is_read_before_a_window_can_be_full(tasks: Tasks) -> None:
    stat = tasks.open()
    tasks.put(MAIN, 100 + WINDOW // 4, 0)
    assert stat.share(10.0) is None
    # No real thread could have run as long as that meanwhile.
    tasks.put(MAIN, 100 + WINDOW, 0)
    assert stat.share(10.0 + 0.7 * WINDOW_S) is None
    assert stat.share(10.0 + 0.8 * WINDOW_S) == 0.0
    tasks.put(MAIN, 100 + 2 * WINDOW, 0)
    assert stat.share(11.0) == 0.0
    stat.close()


def test_a_restart_looks_at_once(tasks: Tasks) -> None:
    stat = tasks.open()
    assert stat.share(10.0) is None
    stat.restart()
    tasks.put(MAIN, 100 + WINDOW, 0)
    assert stat.share(10.0) == 0.0
    stat.close()


def test_the_thread_that_waited_most_counts(tasks: Tasks) -> None:
    tasks.put(OTHER, 7, 7)
    stat = tasks.open()
    tasks.put(MAIN, 100 + WINDOW, 0)
    tasks.put(OTHER, 7 + WINDOW // 4, 7 + WINDOW // 4)
    assert stat.share(LATER) == 0.5
    stat.close()


def test_a_thread_that_hardly_wanted_to_run_does_not_count(tasks: Tasks) -> None:
    tasks.put(OTHER, 0, 0)
    stat = tasks.open()
    tasks.put(MAIN, 100 + WINDOW, 0)
    tasks.put(OTHER, 0, WINDOW // 20)
    assert stat.share(LATER) == 0.0
    stat.close()


def test_threads_may_come_and_go(tasks: Tasks) -> None:
    tasks.put(OTHER, 5, 5)
    stat = tasks.open()
    tasks.end(OTHER)
    tasks.put(THIRD, WINDOW, WINDOW // 3)
    tasks.put(MAIN, 100 + WINDOW, 0)
    assert stat.share(LATER) == pytest.approx(0.25)
    stat.close()


def test_a_restart_forgets_what_was_before(tasks: Tasks) -> None:
    stat = tasks.open()
    tasks.put(MAIN, 100, WINDOW)
    stat.restart()
    assert stat.share(LATER) is None
    stat.close()


def test_files_are_opened_once_and_closed_with_their_thread(tasks: Tasks) -> None:
    tasks.put(OTHER, 5, 5)
    before = open_files()
    stat = tasks.open()
    for number in range(1, 4):
        tasks.put(MAIN, 100 + number * WINDOW, 0)
        assert stat.share(LATER) == 0.0
        assert open_files() == before + 2
    tasks.end(OTHER)
    stat.restart()
    assert open_files() == before + 1
    stat.close()
    assert open_files() == before


@pytest.mark.parametrize("text", ["", "0 0 0\n", "many words but no numbers\n", "1 2\n"])
def test_a_kernel_that_does_not_count_gives_no_share(tasks: Tasks, text: str) -> None:
    (tasks.root / MAIN / "schedstat").write_text(text)
    stat = tasks.open()
    assert not stat.available
    assert stat.share(LATER) is None
    stat.close()


def test_a_kernel_without_the_file_gives_no_share(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "absent"):
        stat = Schedstat(root, MAIN)
        assert not stat.available
        assert stat.share(LATER) is None
        stat.close()


def test_this_kernel_counts_a_thread_that_computes() -> None:
    stat = Schedstat()
    if not stat.available:
        pytest.skip("this kernel does not count")
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    end = time.monotonic() + 30
    share = None
    while share is None and (now := time.monotonic()) < end:
        share = stat.share(now)
    done.set()
    thread.join()
    assert share is not None
    assert 0.0 <= share < 1.0
    stat.close()
