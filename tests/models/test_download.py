"""Downloads from a real server on loopback, sound and misbehaving."""

from __future__ import annotations

import hashlib
import itertools
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.clock import SystemClock
from edged.models.progress import Fetched, FetchFailed, Pinned, Progress
from edged.models.store import Store
from edged.models.variants import Variant
from tests.models.hubrig import FILE, MODEL, SHA256, VARIANT, Sleeps, hub, names, run, world
from tests.models.rawgguf import build
from tests.rig.hub import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rig.hub import Hub

DONE = {FILE, FILE + ".json"}


@pytest.fixture
def rig() -> Iterator[Hub]:
    with hub() as running:
        yield running


def failed(end: Fetched | FetchFailed) -> FetchFailed:
    assert isinstance(end, FetchFailed)
    return end


def test_a_file_is_fetched_verified_published_and_told(rig: Hub, tmp_path: Path) -> None:
    end, events = run(world(rig, tmp_path / "models"))
    path = tmp_path / "models" / FILE
    assert end == Fetched(variant=VARIANT.id, path=str(path), sha256=SHA256, bytes=len(MODEL))
    assert path.read_bytes() == MODEL
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(tmp_path / "models") == DONE
    host = rig.endpoint.removeprefix("http://")
    assert Pinned(variant=VARIANT.id, sha256=SHA256, source=host) in events
    assert events[-1] == end
    record = Store(tmp_path / "models").record(FILE)
    assert record is not None
    assert record.url == f"{rig.endpoint}/owner/name/resolve/main/{FILE}"
    assert "signature" not in (tmp_path / "models" / (FILE + ".json")).read_text()
    # one question to the hub, one to the CDN
    assert [one.role for one in rig.seen] == ["hub", "cdn"]


def test_what_is_here_is_not_fetched_again(rig: Hub, tmp_path: Path) -> None:
    run(world(rig, tmp_path))
    asked = len(rig.seen)
    end, events = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert events == [end]
    assert len(rig.seen) == asked


def test_progress_never_goes_backwards_though_bytes_are_lost(rig: Hub, tmp_path: Path) -> None:
    rig.cut_after = 2 << 20
    rig.misbehave("cdn", "cut", 1)
    rig.misbehave("cdn", "ignore_range", 1)
    end, events = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    told = [event for event in events if isinstance(event, Progress)]
    assert all(a.done <= b.done for a, b in itertools.pairwise(told))
    assert {one.state for one in told} == {"downloading", "waiting", "verifying"}
    assert told[-1].done == told[-1].total == len(MODEL)
    assert msgspec.json.decode(msgspec.json.encode(told[-1]))["state"] == "verifying"


def test_a_cut_is_continued_where_it_was(rig: Hub, tmp_path: Path) -> None:
    rig.cut_after = 1 << 20
    rig.misbehave("cdn", "cut", 2)
    sleeps = Sleeps()
    end, events = run(world(rig, tmp_path, sleep=sleeps, most_failures=5))
    assert isinstance(end, Fetched)
    assert (tmp_path / FILE).read_bytes() == MODEL
    assert [one.start for one in rig.asked("cdn")] == [0, 1 << 20, 2 << 20]
    assert rig.sent == len(MODEL)
    cuts = [event for event in events if isinstance(event, FetchFailed)]
    assert {cut.code for cut in cuts} == {"cut"}
    # both attempts brought a mebibyte, so neither made the wait grow
    assert sleeps.waited == [2, 2] == [cut.retry_in for cut in cuts]


def test_failures_in_a_row_wait_longer_and_end(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("hub", "broken")
    sleeps = Sleeps()
    end, _ = run(world(rig, tmp_path, sleep=sleeps, most_failures=4))
    assert failed(end).code == "unavailable"
    assert failed(end).retry_in is None
    assert sleeps.waited == [10, 20, 40]


def test_429_is_obeyed(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("hub", "busy", 1)
    sleeps = Sleeps()
    end, events = run(world(rig, tmp_path, sleep=sleeps, jitter=lambda: 0.0))
    assert isinstance(end, Fetched)
    assert sleeps.waited == [7.5]  # the server said 7, and the first wait is 10 less a quarter
    assert any(isinstance(event, FetchFailed) and "429" in event.reason for event in events)


FAULTS = [
    # role, fault, code, does nothing but a new choice help
    ("hub", "broken", "unavailable", False),
    ("hub", "gated", "refused", True),
    ("hub", "gone", "missing", True),
    ("hub", "teapot", "bad_answer", False),
    ("hub", "to_file", "unsafe", True),
    ("hub", "to_ftp", "unsafe", True),
    ("hub", "to_itself", "unsafe", True),
    ("hub", "to_nowhere", "unsafe", True),
    ("hub", "to_garbage", "bad_answer", False),
    ("hub", "huge_headers", "bad_answer", False),
    ("hub", "no_http", "bad_answer", False),
    ("hub", "drip_headers", "slow", False),
    ("hub", "hang", "unreachable", False),
    ("hub", "linked_lie", "bad_answer", False),
    ("cdn", "broken", "unavailable", False),
    ("cdn", "out_of_range", "bad_answer", False),
    ("cdn", "cut", "cut", False),
    ("cdn", "wrong_range", "bad_answer", False),
    ("cdn", "short_range", "bad_answer", False),
    ("cdn", "no_range_told", "bad_answer", False),
    ("cdn", "endless", "bad_answer", False),
    ("cdn", "endless_plain", "bad_answer", False),
    ("cdn", "drip", "slow", False),
    ("cdn", "silent", "slow", False),
    ("cdn", "gzip_bomb", "bad_answer", False),
    ("cdn", "long_length", "bad_answer", False),
    ("cdn", "lies_long", "bad_answer", False),
    ("cdn", "to_file", "unsafe", True),
]


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: "-".join(case[:2]))
def test_a_fault_is_named_and_nothing_is_published(
    rig: Hub, tmp_path: Path, case: tuple[str, str, str, bool]
) -> None:
    role, fault, code, final = case
    rig.cut_after = 1000
    rig.misbehave(role, fault)
    sleeps = Sleeps()
    end, _ = run(world(rig, tmp_path, sleep=sleeps))
    assert failed(end).code == code, end
    assert bool(sleeps.waited) is not final
    assert not names(tmp_path) & DONE
    part = tmp_path / (FILE + ".part")
    assert not part.exists() or part.stat().st_size <= len(MODEL)
    # and when the server is mended, the file is had and is the right one
    rig.behave()
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched), end
    assert (tmp_path / FILE).read_bytes() == MODEL
    assert names(tmp_path) == DONE


def test_an_endless_body_writes_no_byte_too_many(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("cdn", "endless")
    run(world(rig, tmp_path, most_failures=1))
    assert (tmp_path / (FILE + ".part")).stat().st_size <= len(MODEL)
    assert rig.sent < 3 * len(MODEL) + (16 << 20)


def test_a_wrong_hash_is_quarantined_and_tried_once_more(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("cdn", "corrupt")
    sleeps = Sleeps()
    end, events = run(world(rig, tmp_path, sleep=sleeps, most_failures=None))
    assert failed(end).code == "bad_hash"
    assert SHA256 in failed(end).reason
    assert sleeps.waited == [60]
    assert len([event for event in events if isinstance(event, FetchFailed)]) == 2
    marks = Store(tmp_path).quarantined()
    assert [(mark.file, mark.code, mark.sha256) for mark in marks] == [
        (FILE, "bad_hash", SHA256)
    ] * 2
    assert names(tmp_path) == {
        f"quarantine/{number}-{FILE}{ending}" for number in (0, 1) for ending in ("", ".json")
    }
    # the next good copy is believed, and the bad ones are forgotten
    rig.behave()
    assert isinstance(run(world(rig, tmp_path))[0], Fetched)
    assert names(tmp_path) == DONE


def test_the_catalogue_wins_before_a_byte_is_loaded(rig: Hub, tmp_path: Path) -> None:
    other = msgspec.structs.replace(VARIANT, sha256="0" * 64)
    end, _ = run(world(rig, tmp_path), other)
    assert failed(end).code == "changed"
    sized = msgspec.structs.replace(VARIANT, bytes=17, bytes_are="exact")
    end, _ = run(world(rig, tmp_path), sized)
    assert failed(end).code == "bad_size"
    rough = msgspec.structs.replace(VARIANT, bytes=17, bytes_are="rounded", sha256=SHA256)
    end, events = run(world(rig, tmp_path), rough)
    assert isinstance(end, Fetched)
    assert not [event for event in events if isinstance(event, Pinned)]


def test_what_was_pinned_holds_though_the_file_is_gone(rig: Hub, tmp_path: Path) -> None:
    run(world(rig, tmp_path))
    Store(tmp_path).evict(FILE)
    rig.files[FILE] = build(data=480) + b"another training"
    end, _ = run(world(rig, tmp_path))
    assert failed(end).code == "changed"
    assert "pinned" in failed(end).reason
    # until the owner removes what there is of it
    Store(tmp_path).remove(FILE)
    assert isinstance(run(world(rig, tmp_path))[0], Fetched)


def test_another_file_at_the_hub_does_not_continue_the_part(rig: Hub, tmp_path: Path) -> None:
    rig.cut_after = 1 << 20
    rig.misbehave("cdn", "cut", 1)
    run(world(rig, tmp_path, most_failures=1))
    rig.behave()
    other = build(data=480) + bytes(len(MODEL) - len(build(data=480)))
    rig.files[FILE] = other
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert (tmp_path / FILE).read_bytes() == other
    assert [one.start for one in rig.asked("cdn")] == [0, 1 << 20, 0]


def test_a_shorter_file_at_the_hub_begins_anew(rig: Hub, tmp_path: Path) -> None:
    rig.cut_after = 2 << 20
    rig.misbehave("cdn", "cut", 1)
    run(world(rig, tmp_path, most_failures=1))
    rig.files[FILE] = build(data=480)
    assert isinstance(run(world(rig, tmp_path))[0], Fetched)
    assert (tmp_path / FILE).read_bytes() == build(data=480)


def test_without_hub_headers_the_etag_decides(rig: Hub, tmp_path: Path) -> None:
    direct = Variant(id="t", family="t", file=FILE, url=f"{rig.cdn}/dir/{FILE}?secret=1")
    rig.misbehave("cdn", "plain", 1)
    end, events = run(world(rig, tmp_path / "a"), direct)
    assert isinstance(end, Fetched)
    assert Pinned(variant="t", sha256=SHA256, source=None) in events
    # the cdn alone gives no etag: what is here is not continued, for nobody says it is the same
    rig.cut_after = 1 << 20
    rig.misbehave("cdn", "cut", 1)
    end, _ = run(world(rig, tmp_path / "b"), direct)
    assert isinstance(end, Fetched)
    assert [one.start for one in rig.asked("cdn")][-3:] == [0, 1 << 20, 0]
    assert "secret" not in (tmp_path / "b" / (FILE + ".json")).read_text()


def test_a_file_that_is_no_model_is_quarantined(rig: Hub, tmp_path: Path) -> None:
    rig.files[FILE] = b"<html>you must log in</html>"
    end, _ = run(world(rig, tmp_path))
    assert failed(end).code == "bad_file"
    assert "not a GGUF file" in failed(end).reason
    assert f"quarantine/0-{FILE}" in names(tmp_path)


def test_mirrors_are_tried_in_turn(rig: Hub, tmp_path: Path) -> None:
    dead = f"http://localhost:{closed_port()}"
    sleeps = Sleeps()
    end, _ = run(world(rig, tmp_path, endpoint=dead, mirrors=(dead, rig.endpoint), sleep=sleeps))
    assert isinstance(end, Fetched)
    assert sleeps.waited == []
    end, _ = run(world(rig, tmp_path / "b", endpoint=dead, mirrors=(dead,)))
    assert failed(end).code == "unreachable"
    assert dead.removeprefix("http://") in failed(end).reason


def test_hf_endpoint_is_the_default(
    rig: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", rig.endpoint)
    end, _ = run(world(rig, tmp_path, endpoint=None))
    assert isinstance(end, Fetched)


def test_nobody_says_where(rig: Hub, tmp_path: Path) -> None:
    for variant in (
        Variant(id="x", family="x", file="x.gguf"),
        Variant(id="x", family="x", file="../x", repo="a/b"),
        Variant(id="x", family="x", file="x.gguf", repo="../../etc"),
        Variant(id="x", family="x", file="x.gguf", url="file:///etc/x.gguf"),
    ):
        end, _ = run(world(rig, tmp_path), variant)
        assert failed(end).code in {"no_source", "unsafe"}
    assert rig.seen == []


def test_a_mistake_of_ours_costs_this_download_only(rig: Hub, tmp_path: Path) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    end, _ = run(world(rig, tmp_path, minute=broken, quiet_hours="01:00-02:00"))
    assert failed(end).code == "internal"


def test_quiet_hours_are_waited_for_before_and_within(rig: Hub, tmp_path: Path) -> None:
    rig.misbehave("cdn", "slow", 1)
    # quiet at first; then it begins, and with the tenth piece it is quiet again for two looks
    minutes = iter([60, 119, *[121] * 10, *[60, 60, 100]])
    sleeps = Sleeps()
    end, events = run(
        world(
            rig,
            tmp_path,
            sleep=sleeps,
            quiet_hours="01:00-02:00",
            minute=lambda: next(minutes, 121),
        )
    )
    assert isinstance(end, Fetched)
    assert sleeps.waited == [60] * 4
    assert not [event for event in events if isinstance(event, FetchFailed)]
    assert (tmp_path / FILE).read_bytes() == MODEL
    first, second = (one.start for one in rig.asked("cdn"))
    assert first == 0
    assert second == end.resumed
    assert second


def test_the_rate_is_capped(rig: Hub, tmp_path: Path) -> None:
    clock = SystemClock()
    before = clock.monotonic()
    end, _ = run(world(rig, tmp_path, rate_mib_s=10))
    assert isinstance(end, Fetched)
    assert clock.monotonic() - before >= len(MODEL) / (10 << 20)


def test_a_file_of_others_is_adopted_or_put_aside(rig: Hub, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(MODEL)
    good = msgspec.structs.replace(VARIANT, sha256=SHA256)
    end, _ = run(world(rig, tmp_path), good)
    assert isinstance(end, Fetched)
    assert rig.seen == []
    record = Store(tmp_path).record(FILE)
    assert record is not None
    assert not record.fetched

    other = tmp_path / "other"
    other.mkdir()
    (other / FILE).write_bytes(b"mine")
    end, _ = run(world(rig, other), good)
    assert isinstance(end, Fetched)
    assert (other / FILE).read_bytes() == MODEL
    # it was not ours to remove
    assert (other / "quarantine" / f"0-{FILE}").read_bytes() == b"mine"


def test_a_file_of_others_is_believed_where_nobody_knows_better(rig: Hub, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(MODEL)
    end, events = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert Pinned(variant=VARIANT.id, sha256=SHA256, source=None) in events


def test_a_file_that_changed_on_disk_is_fetched_again(rig: Hub, tmp_path: Path) -> None:
    run(world(rig, tmp_path))
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    stored = Store(tmp_path).stored(FILE)
    assert stored is not None
    assert stored.changed
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest() == SHA256
    # touched, but byte for byte the same
    (tmp_path / FILE).touch()
    asked = len(rig.seen)
    end, _ = run(world(rig, tmp_path))
    assert isinstance(end, Fetched)
    assert len(rig.seen) == asked
    stored = Store(tmp_path).stored(FILE)
    assert stored is not None
    assert not stored.changed


def test_a_new_sha256_in_the_catalogue_replaces_the_file(rig: Hub, tmp_path: Path) -> None:
    run(world(rig, tmp_path))
    newer = build(data=480) + b"newer"
    rig.files[FILE] = newer
    pinned = msgspec.structs.replace(VARIANT, sha256=hashlib.sha256(newer).hexdigest())
    end, _ = run(world(rig, tmp_path), pinned)
    assert isinstance(end, Fetched)
    assert (tmp_path / FILE).read_bytes() == newer
