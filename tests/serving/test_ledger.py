"""What `apply` returned from is there after anything; what can not be trusted is not."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from edged.errors import StorageError
from edged.serving import ledger as module
from edged.serving import records
from edged.serving.effects import (
    Accept,
    Conclude,
    Forget,
    LedgerOp,
    MarkRunning,
    MarkWaiting,
    Rewrite,
    Settle,
)
from edged.serving.ledger import Ledger
from edged.serving.row import Row, StoredReply
from tests.rig.clock import FakeClock
from tests.serving.make import request

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = request("q").key
REPLY = StoredReply(id="q", payload=b'{"id":"q"}', reply_to="a/b", correlation=b"\x00\xff")


def row(name: str = "q", **given: object) -> Row:
    asked = request(name)
    return structs.replace(Row(key=asked.key, request=asked, fingerprint="f"), **given)


def done(name: str) -> Row:
    reply = structs.replace(REPLY, id=name)
    return row(name, state="done", request=None, reply=reply)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path, clock: FakeClock) -> Iterator[Ledger]:
    made = Ledger(path, clock)
    assert made.open().rows == ()
    yield made
    made.close()


def reopened(ledger: Ledger) -> tuple[Row, ...]:
    opened = ledger.open()
    assert opened.note is None
    return opened.rows


def test_a_row_comes_back_as_it_was(ledger: Ledger) -> None:
    ledger.apply([Accept(row=row())])
    assert reopened(ledger) == (row(),)


def test_a_row_through_its_life(ledger: Ledger, clock: FakeClock) -> None:
    steps: list[tuple[LedgerOp, Row]] = [
        (Accept(row=row()), row()),
        (MarkRunning(key=KEY, attempts=1), row(state="running", attempts=1)),
        (MarkWaiting(key=KEY, attempts=0), row()),
        (MarkRunning(key=KEY, attempts=1), row(state="running", attempts=1)),
        (
            Conclude(key=KEY, reply=REPLY),
            row(state="replied", attempts=1, request=None, reply=REPLY),
        ),
        (Settle(key=KEY), row(state="done", attempts=1, request=None, reply=REPLY)),
    ]
    for step, (op, expected) in enumerate(steps):
        ledger.apply([op])
        assert reopened(ledger) == (structs.replace(expected, age_s=float(step)),)
        clock.advance(1)
    assert reopened(ledger)[0].settled_s == 1
    ledger.apply([Forget(key=KEY)])
    assert reopened(ledger) == ()


def test_ages_go_on_while_we_are_away(ledger: Ledger, clock: FakeClock) -> None:
    ledger.apply([Accept(row=row(age_s=7.0))])
    clock.advance(10)
    assert reopened(ledger)[0].age_s == 17
    clock.step_wall(-1e6)
    assert reopened(ledger)[0].age_s == 0


def test_order_is_that_of_acceptance(ledger: Ledger) -> None:
    ledger.apply([Accept(row=row(name)) for name in "cab"])
    ledger.apply([MarkRunning(key=request("a").key, attempts=1)])
    assert [kept.key[-1] for kept in reopened(ledger)] == ["c", "a", "b"]


def test_rewrite_replaces_everything(ledger: Ledger) -> None:
    ledger.apply([Accept(row=row("old"))])
    rows = (structs.replace(done("a"), settled_s=5.0, age_s=9.0), row("b"))
    ledger.apply([Rewrite(rows=rows)])
    assert reopened(ledger) == rows


def test_a_batch_is_all_or_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError

    monkeypatch.setitem(records.DO, Forget, fail)
    with pytest.raises(StorageError, match=r"ledger\.sqlite3"):
        ledger.apply([Accept(row=row("a")), Forget(key="x")])
    ledger.apply([Accept(row=row("b"))])
    assert [kept.key[-1] for kept in reopened(ledger)] == ["b"]


def test_the_file_is_nobody_elses_business(ledger: Ledger, path: Path) -> None:
    ledger.apply([Accept(row=row())])
    for part in path.parent.iterdir():
        assert part.stat().st_mode & 0o077 == 0


def test_closed_takes_nothing(path: Path, clock: FakeClock) -> None:
    with pytest.raises(StorageError, match="not open"):
        Ledger(path, clock).apply([])


def test_too_many_old_replies_are_dropped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_ROWS", 2)
    ledger.apply([Accept(row=row("w")), *(Accept(row=done(name)) for name in "abc")])
    assert [kept.key[-1] for kept in reopened(ledger)] == ["w", "b", "c"]


def test_log_is_bounded(ledger: Ledger, path: Path) -> None:
    for count in range(200):
        ledger.apply([Accept(row=row(str(count), fingerprint="x" * 100_000))])
    assert path.with_name(path.name + "-wal").stat().st_size < 3 * module.WAL_BYTES


class TestFreshStart:
    def test_garbage_is_moved_aside(self, path: Path, clock: FakeClock) -> None:
        path.write_bytes(b"\x00" * 5000)
        ledger = Ledger(path, clock)
        opened = ledger.open()
        assert opened.rows == ()
        assert opened.note is not None
        assert "ledger.sqlite3.bad" in opened.note
        assert path.with_name("ledger.sqlite3.bad").read_bytes() == b"\x00" * 5000
        ledger.apply([Accept(row=row())])
        assert len(reopened(ledger)) == 1
        ledger.close()

    def test_newer_version_is_kept_for_it(
        self, ledger: Ledger, path: Path, clock: FakeClock
    ) -> None:
        ledger.apply([Accept(row=row())])
        ledger.close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {records.VERSION + 1}")
        connection.close()
        opened = Ledger(path, clock).open()
        assert opened.rows == ()
        assert opened.note is not None
        assert "newer" in opened.note
        assert path.with_name("ledger.sqlite3.newer").exists()

    def test_database_of_others_is_moved_aside(self, path: Path, clock: FakeClock) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE mine (x)")
        connection.close()
        opened = Ledger(path, clock).open()
        assert opened.note is not None
        assert "not a ledger" in opened.note

    def test_missing_column_is_moved_aside(self, path: Path, clock: FakeClock) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE entry (n, state)")
            connection.execute(f"PRAGMA user_version = {records.VERSION}")
        connection.close()
        opened = Ledger(path, clock).open()
        assert opened.note is not None
        assert ".bad" in opened.note

    def test_damaged_page_is_found(self, ledger: Ledger, path: Path) -> None:
        ledger.apply([Accept(row=row())])
        ledger.close()
        data = bytearray(path.read_bytes())
        data[2 * 4096 :] = bytes(len(data) - 2 * 4096)
        path.write_bytes(data)
        opened = ledger.open()
        assert opened.note is not None
        assert "damaged" in opened.note

    def test_last_one_aside_is_replaced(self, path: Path, clock: FakeClock) -> None:
        for content in (b"first" * 1000, b"second" * 1000):
            path.write_bytes(content)
            ledger = Ledger(path, clock)
            assert ledger.open().note
            ledger.close()
        assert path.with_name("ledger.sqlite3.bad").read_bytes() == b"second" * 1000

    @pytest.mark.parametrize(
        "damage",
        [
            "state = 'running', request = NULL",
            "attempts = -1",
            "request = substr(request, 1, 3)",
            "request = zeroblob(9)",
            "request = CAST('text' AS BLOB)",
            "key = 'other'",
            "accepted_wall = -9e999",
            "state = 'done'",
            "reply = request",
        ],
    )
    def test_damaged_row_is_dropped_alone(self, ledger: Ledger, path: Path, damage: str) -> None:
        ledger.apply([Accept(row=row("a")), Accept(row=row("b"))])
        ledger.close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE entry SET {damage} WHERE n = 1")  # noqa: S608 - a literal
        connection.close()
        opened = ledger.open()
        assert [kept.key[-1] for kept in opened.rows] == ["b"]
        assert opened.note is not None
        assert "1 damaged" in opened.note
        assert len(reopened(ledger)) == 1


def test_reply_under_the_key_of_another_is_dropped(ledger: Ledger) -> None:
    ledger.apply([Accept(row=structs.replace(done("a"), key=request("b").key))])
    assert ledger.open().rows == ()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    damage=st.lists(
        st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=40)), max_size=4
    ),
    cut=st.none() | st.integers(0, 10**6),
    part=st.sampled_from(["", "-wal"]),
)
def test_any_damage_gives_rows_or_a_fresh_start(
    tmp_path_factory: pytest.TempPathFactory,
    damage: list[tuple[int, bytes]],
    cut: int | None,
    part: str,
) -> None:
    path = tmp_path_factory.mktemp("damage") / "ledger.sqlite3"
    wrote = {kept.key: kept for kept in (row("a"), row("b", state="running"), done("c"))}
    ledger = Ledger(path, FakeClock())
    ledger.open()
    ledger.apply([Rewrite(rows=tuple(wrote.values()))])
    # The log goes with the connection; so the files are copied while it is open.
    target = path.with_name("copy.sqlite3")
    for each in ("", "-wal"):
        target.with_name(target.name + each).write_bytes(
            path.with_name(path.name + each).read_bytes()
        )
    ledger.close()
    _damage(target.with_name(target.name + part), damage, cut)
    copy = Ledger(target, FakeClock())
    for kept in copy.open().rows:
        assert kept.request in (None, request("a"), request("b"))
        assert kept.reply in (None, structs.replace(REPLY, id="c"))
        assert (kept.request is None) != (kept.reply is None)
    copy.apply([Accept(row=row("new"))])
    assert row("new") in copy.open().rows
    copy.close()


def _damage(path: Path, damage: list[tuple[int, bytes]], cut: int | None) -> None:
    data = bytearray(path.read_bytes())
    for at, what in damage:
        start = at % len(data)
        data[start : start + len(what)] = what
    path.write_bytes(data if cut is None else data[: cut % len(data)])


class TestDisk:
    def test_full_loses_nothing_that_was_written(self, ledger: Ledger) -> None:
        ledger.apply([Accept(row=row("a"))])
        assert ledger._connection is not None
        ledger._connection.execute("PRAGMA max_page_count = 8")
        with pytest.raises(StorageError, match="full"):
            ledger.apply([Accept(row=row("b", fingerprint="x" * 100_000))])
        ledger.apply([MarkRunning(key=request("a").key, attempts=1)])
        assert [kept.state for kept in reopened(ledger)] == ["running"]

    def test_locked_by_another_is_told_soon(self, ledger: Ledger, path: Path) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="locked"):
            ledger.apply([Accept(row=row())])
        with pytest.raises(StorageError, match="locked"):
            ledger.open()
        other.close()
        assert reopened(ledger) == ()

    @pytest.mark.parametrize("where", ["/proc/ledger.sqlite3", "/nowhere/ledger.sqlite3", "/proc"])
    def test_unusable_place_is_told(self, where: str, clock: FakeClock) -> None:
        with pytest.raises(StorageError, match="/"):
            Ledger(Path(where), clock).open()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _fill(ledger: Ledger, wrote: list[str]) -> None:
    for count in range(100):
        ledger.apply([Accept(row=row(f"n{count}", fingerprint="x" * 10_000))])
        wrote.append(f"n{count}")


@pytest.mark.fault
def test_real_disk_full_then_free_again(small_disk: Path, clock: FakeClock) -> None:
    ledger = Ledger(small_disk / "ledger.sqlite3", clock)
    ledger.open()
    wrote: list[str] = []
    with pytest.raises(StorageError):
        _fill(ledger, wrote)
    ledger.close()
    assert wrote
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert [kept.key.strip("\x1f") for kept in reopened(ledger)] == wrote
    ledger.apply([Accept(row=row("more"))])
    ledger.close()


@pytest.mark.fault
def test_real_disk_read_only(small_disk: Path, clock: FakeClock) -> None:
    ledger = Ledger(small_disk / "ledger.sqlite3", clock)
    ledger.open()
    ledger.apply([Accept(row=row())])
    ledger.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"[Rr]ead-only"):
        ledger.open()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert reopened(ledger) == (row(),)
    ledger.close()


WRITER = """
    import sys
    from pathlib import Path
    from edged.serving.effects import Accept, Conclude
    from edged.serving.ledger import Ledger
    from edged.serving.row import Row, StoredReply
    from tests.rig.clock import FakeClock
    from tests.serving.make import request

    ledger = Ledger(Path(sys.argv[1]), FakeClock())
    ledger.open()
    for count in range(100_000):
        asked = request(f"n{count}")
        ledger.apply([Accept(row=Row(key=asked.key, request=asked))])
        reply = StoredReply(id=asked.id, payload=b"x")
        ledger.apply([Conclude(key=asked.key, reply=reply)])
        print(asked.id, flush=True)
"""


@pytest.mark.process
@pytest.mark.parametrize("lines", [1, 7, 60])
def test_killed_writer_lost_nothing_it_had_confirmed(
    path: Path, clock: FakeClock, lines: int
) -> None:
    script = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        confirmed = [writer.stdout.readline().strip() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        confirmed += writer.stdout.read().split()
    ledger = Ledger(path, clock)
    states = {kept.key.strip("\x1f"): kept.state for kept in reopened(ledger)}
    assert {states[name] for name in confirmed} == {"replied"}
    assert len(states) - len(confirmed) <= 1
    ledger.close()
