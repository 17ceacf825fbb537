from __future__ import annotations

import errno
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.telemetry import journal as journal_file
from edged.telemetry import kinds
from edged.telemetry.journal import MAX_CAUSES, MAX_VALUE, Journal, printable
from edged.telemetry.kinds import KINDS, Fields, Kind, Priority
from tests.rig.clock import FakeClock

CATALOG = Path(__file__).parents[2] / "systemd" / "edged.catalog"
ENTRY = re.compile(
    r"^-- ([0-9a-f]{32})\n((?:[A-Z][A-Za-z-]+: [^\n]+\n)+)\n(.+?)(?=\n-- |\Z)",
    re.MULTILINE | re.DOTALL,
)


class Sent(list[dict[str, Any]]):
    """Stands in for journal.send."""

    def __call__(self, message: str, **fields: Any) -> None:
        self.append({"MESSAGE": message, **fields})


def plain(level: str = "info") -> tuple[Journal, io.StringIO]:
    stream = io.StringIO()
    return Journal(FakeClock(), level, stream), stream


def test_a_plain_line() -> None:
    journal, stream = plain()
    assert journal.write(
        kinds.REQUEST_FINISHED,
        Fields(request_id="a-1", status="ok", tps=8.034, prompt_tokens=12, reason="two words"),
    )
    assert stream.getvalue() == (
        "INFO request finished request_id=a-1 status=ok"
        ' reason="two words" tps=8.03 prompt_tokens=12\n'
    )
    assert not journal.native


def test_a_native_record() -> None:
    sent = Sent()
    journal = Journal(FakeClock(), "info", io.StringIO(), sent)
    assert journal.native
    assert journal.write(kinds.ENGINE_DIED, Fields(signal="SIGSEGV", retry_s=1.0))
    assert sent == [
        {
            "MESSAGE": "engine died signal=SIGSEGV retry_s=1.00",
            "MESSAGE_ID": kinds.ENGINE_DIED.message_id,
            "PRIORITY": "3",
            "SYSLOG_IDENTIFIER": "edged",
            "EDGED_SIGNAL": "SIGSEGV",
            "EDGED_RETRY_S": "1.00",
        }
    ]


def test_systemds_own_send_takes_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("systemd.journal")
    lines: list[bytes | str] = []
    monkeypatch.setattr(library, "sendv", lambda *args: lines.extend(args))
    monkeypatch.setattr(journal_file, "SOCKET", "/")
    journal = Journal.setup("info", io.StringIO(), environ={}, requested=True)
    assert journal.native
    everything: Any = dict.fromkeys(Fields.__struct_fields__, "x")
    journal.write(kinds.THROUGHPUT, Fields(**everything))
    names = {str(line).partition("=")[0] for line in lines}
    assert {f"EDGED_{name.upper()}" for name in Fields.__struct_fields__} < names
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) for name in names)


def test_the_level_drops_what_is_less_severe() -> None:
    journal, stream = plain("warning")
    assert not journal.write(kinds.REQUEST_FINISHED)
    journal.set_level("debug")
    assert journal.write(kinds.ENGINE_STDERR, Fields(reason="x"))
    assert stream.getvalue() == "DEBUG engine says reason=x\n"
    with pytest.raises(KeyError):
        journal.set_level("loud")


def test_only_the_known_fields_exist() -> None:
    wild: Any = {"prompt": "secret"}
    with pytest.raises(TypeError):
        Fields(**wild)
    forbidden = {"prompt", "text", "messages", "answer", "content", "password", "delta"}
    assert not forbidden & set(Fields.__struct_fields__)


@pytest.mark.parametrize(
    "evil",
    ["a\nERROR engine died", "\x1b[2J", "\u2028", "\u202e", "\ud800", "\x00", "\r", "\x85"],
)
def test_no_text_forges_a_line(evil: str) -> None:
    journal, stream = plain()
    journal.write(kinds.REQUEST_FINISHED, Fields(request_id=evil, reason=evil))
    assert stream.getvalue().endswith("\n")
    assert stream.getvalue()[:-1].isprintable()
    stream.getvalue().encode()


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_no_value_forges_a_field(text: str) -> None:
    journal, stream = plain()
    sent = Sent()
    journal.write(kinds.REQUEST_FINISHED, Fields(request_id=text, status="ok"))
    Journal(FakeClock(), "info", io.StringIO(), sent).write(
        kinds.REQUEST_FINISHED, Fields(request_id=text, status="ok")
    )
    line = stream.getvalue()
    assert line.count("\n") == 1
    found = re.fullmatch(r'INFO request finished request_id=(?:[^\s"=]+|"[^"]*") status=ok\n', line)
    assert found, line
    assert len(line) < MAX_VALUE + 100
    assert all(str(value).isprintable() for record in sent for value in record.values())


def test_a_repeated_cause_is_written_once_in_its_time() -> None:
    clock, stream = FakeClock(), io.StringIO()
    journal = Journal(clock, "info", stream)
    for _ in range(5):
        journal.write(kinds.REQUEST_REJECTED, Fields(code="busy", request_id="x"))
    assert journal.write(kinds.REQUEST_REJECTED, Fields(code="paused"))
    clock.advance(kinds.REQUEST_REJECTED.every_s)
    assert journal.write(kinds.REQUEST_REJECTED, Fields(code="busy"))
    assert stream.getvalue().splitlines() == [
        "WARNING request rejected request_id=x code=busy",
        "WARNING request rejected code=paused",
        "WARNING request rejected code=busy repeats=4",
    ]


def test_invented_causes_are_one_flood() -> None:
    clock, stream = FakeClock(), io.StringIO()
    journal = Journal(clock, "info", stream)
    for n in range(10_000):
        journal.write(kinds.BROKER_LOST, Fields(reason=f"error {n}"))
    assert len(stream.getvalue().splitlines()) == MAX_CAUSES
    clock.advance(kinds.BROKER_LOST.every_s)
    assert journal.write(kinds.BROKER_LOST, Fields(reason="new"))
    assert len(journal._limiter._seen[kinds.BROKER_LOST.message_id]) == MAX_CAUSES


def test_what_has_no_limit_is_always_written() -> None:
    journal, stream = plain()
    for _ in range(3):
        assert journal.write(kinds.ENGINE_DIED, Fields(code="SIGSEGV"))
    assert len(stream.getvalue().splitlines()) == 3


def test_a_mistake_tells_its_place_and_not_its_text() -> None:
    def deeper() -> None:
        int("a secret prompt")

    journal, stream = plain()
    try:
        deeper()
    except ValueError as error:
        journal.mistake("dispatcher", error)
    journal.mistake("timer", KeyError("a secret prompt"))
    assert "secret" not in stream.getvalue()
    assert "ValueError in deeper, test_journal.py:" in stream.getvalue()
    assert "reason=KeyError" in stream.getvalue()


def test_a_journal_that_fails_falls_back_to_the_stream() -> None:
    def gone(message: str, **_: Any) -> None:
        raise OSError(errno.ECONNREFUSED, message)

    stream = io.StringIO()
    assert Journal(FakeClock(), "info", stream, gone).write(kinds.STARTED)
    assert stream.getvalue() == "NOTICE started\n"
    stream.close()
    assert not Journal(FakeClock(), "info", stream, gone).write(kinds.STARTED)


def test_setup_looks_where_stderr_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "stream").open("w") as stream:
        facts = os.fstat(stream.fileno())
        ours = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
        assert Journal.setup("info", stream, environ=ours, clock=FakeClock()).native
        assert not Journal.setup("info", stream, environ={"JOURNAL_STREAM": "1:1"}).native
        assert not Journal.setup("info", stream, environ={}).native
        monkeypatch.setattr(journal_file, "_systemd_send", lambda: None)
        assert Journal.setup("info", stream, environ=ours).write(kinds.STARTED)
    assert (tmp_path / "stream").read_text() == "<5>started\n"
    monkeypatch.setattr(journal_file, "SOCKET", str(tmp_path / "none"))
    assert not Journal.setup("info", io.StringIO(), environ=ours, requested=True).native


def test_the_defaults_are_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert Journal.setup().write(kinds.STARTED, Fields(version="1"))
    assert Journal(FakeClock()).write(kinds.STOPPED)
    assert capsys.readouterr().err == "NOTICE started version=1\nNOTICE stopped\n"


def test_without_the_library_lines_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    assert journal_file._systemd_send() is None


def test_printable_keeps_what_people_write() -> None:
    assert printable("Grüße, 你好 a b") == "Grüße, 你好 a b"
    assert printable("\x1b\n\ud800") == r"\x1b\n\ud800"


def entries() -> dict[str, str]:
    text = CATALOG.read_text()
    found = ENTRY.findall(text)
    assert len(found) == text.count("\n-- ")
    assert len({message_id for message_id, _, _ in found}) == len(found)
    return {message_id: head + body for message_id, head, body in found}


def test_the_table_and_the_catalogue_agree() -> None:
    ids = [kind.message_id for kind in KINDS.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{32}", message_id) for message_id in ids)
    assert set(entries()) == set(ids)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_an_entry_explains_itself_with_fields_that_exist(kind: Kind) -> None:
    entry = entries()[kind.message_id]
    assert entry.startswith("Subject: ")
    assert "Defined-By: edged" in entry
    known = {f"EDGED_{name.upper()}" for name in Fields.__struct_fields__} | {"EDGED_REPEATS"}
    assert set(re.findall(r"EDGED_[A-Z0-9_]+", entry)) <= known
    assert isinstance(kind.priority, Priority)
    assert all(len(line) <= 100 for line in entry.splitlines())


@pytest.mark.process
@pytest.mark.skipif(shutil.which("journalctl") is None, reason="needs journalctl")
def test_systemd_reads_the_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, folder)
    root = f"--root={tmp_path}"
    done = subprocess.run(
        ["journalctl", root, "--update-catalog"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    listed = subprocess.run(
        ["journalctl", root, "--list-catalog"], check=True, capture_output=True, text=True
    )
    assert len(listed.stdout.splitlines()) == len(KINDS)
