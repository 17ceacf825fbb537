"""`edged pull`, `edged models` and `edged rm`, from the command line to a server on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from edged import cli
from edged.models.inventory import take_inventory
from edged.models.progress import Evicted, Fetched, FetchFailed, Pinned, Progress, as_json
from edged.models.records import PartRecord, Quarantined
from edged.models.store import Store
from edged.models.variants import Catalogue, Family, Quality, Variant
from edged.verbs import models, pull
from tests.models.hubrig import FILE, MODEL, SHA256, hub
from tests.rig.hub import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rig.hub import Hub

CATALOG = """
families:
  - id: tiny
    name: Tiny
    license: Apache-2.0
    architecture: llama
    repo: owner/name
    variants:
      - file: tiny-Q4_K.gguf
        bpw: 4.5
        kind: KQ
"""


@pytest.fixture
def rig() -> Iterator[Hub]:
    with hub() as running:
        yield running


@pytest.fixture
def options(rig: Hub, tmp_path: Path) -> list[str]:
    (tmp_path / "edged.yaml").write_text(f"model: {{download: {{endpoint: '{rig.endpoint}'}}}}\n")
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    return [
        f"--config={tmp_path / 'edged.yaml'}",
        f"--catalog={tmp_path / 'catalog.yaml'}",
        f"--directory={tmp_path / 'models'}",
    ]


def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def listed(options: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert cli.main(["models", "--json", *options]) == 0
    view = shown(capsys)
    return {one["variant"]: one for one in view["models"]}


def test_the_configured_folder_of_catalogues_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text(CATALOG)
    config = tmp_path / "edged.yaml"
    config.write_text(f"model: {{catalogue_dir: {tmp_path / 'own'}}}\n")
    options = [f"--config={config}", f"--directory={tmp_path / 'models'}"]
    assert listed(options, capsys)["tiny-Q4_K"]["state"] == "absent"


def test_from_absent_to_here_and_away(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(options, capsys)["tiny-Q4_K"]
    assert (before["state"], before["have"], before["bpw"]) == ("absent", 0, 4.5)
    assert cli.main(["pull", "tiny-Q4_K", *options]) == 0
    told = capsys.readouterr().out
    assert SHA256 in told
    assert "verified" in told
    assert (tmp_path / "models" / FILE).read_bytes() == MODEL
    after = listed(options, capsys)["tiny-Q4_K"]
    assert (after["state"], after["have"], after["sha256"]) == ("here", len(MODEL), SHA256)
    assert after["fetched"] is True
    assert cli.main(["models", "--here", *options]) == 0
    assert "tiny-Q4_K" in capsys.readouterr().out
    assert cli.main(["rm", "tiny-Q4_K", "--json", *options]) == 0
    assert shown(capsys) == {"file": FILE, "freed": len(MODEL)}
    assert list((tmp_path / "models").iterdir()) == []
    assert cli.main(["rm", "tiny-Q4_K", *options]) == 1
    assert "is not in" in capsys.readouterr().err


def test_events_as_json_lines(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pull", "--json", FILE, *options]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "progress"
    assert [one["event"] for one in events[-2:]] == ["pinned", "fetched"]
    assert events[-1]["sha256"] == SHA256


def test_by_address(rig: Hub, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    rig.files["other.gguf"] = MODEL
    assert cli.main(["pull", f"{rig.cdn}/x/other.gguf?k=secret", *options]) == 0
    capsys.readouterr()
    assert cli.main(["rm", "other", *options]) == 0
    assert "3.0 MiB" in capsys.readouterr().out


NAMES = [
    ("pull", "tiny-Q4", 2, "did you mean tiny-Q4_K"),
    ("pull", "nonsense\n", 2, "see `edged models`"),
    ("pull", "file:///etc/passwd.gguf", 1, "not over 'file'"),
    ("rm", "nonsense", 2, "no variant is called"),
    ("rm", "../../etc/passwd", 2, "no variant is called"),
]


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_is_none(
    options: list[str], capsys: pytest.CaptureFixture[str], case: tuple[str, str, int, str]
) -> None:
    verb, name, code, said = case
    assert cli.main([verb, name, *options]) == code
    assert said in capsys.readouterr().err


def test_a_hub_that_is_not_there_is_one_line(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = f"http://localhost:{closed_port()}"
    (tmp_path / "edged.yaml").write_text(f"model: {{download: {{endpoint: '{dead}'}}}}\n")
    assert cli.main(["pull", "tiny-Q4_K", "--tries=1", *options]) == 1
    told = capsys.readouterr()
    assert "unreachable" in told.out
    assert "Traceback" not in told.out + told.err


@pytest.fixture
def listens() -> Iterator[None]:
    """Children hear SIGINT, though a shell that began us in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listens")
def test_ctrl_c_keeps_what_is_here(rig: Hub, options: list[str], tmp_path: Path) -> None:
    rig.misbehave("cdn", "slow", 1)
    command = [sys.executable, "-m", "edged.cli", "pull", "tiny-Q4_K", *options]
    part = tmp_path / "models" / (FILE + ".part")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        deadline = time.monotonic() + 30
        while not part.exists() or part.stat().st_size < 1 << 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(it.pid, signal.SIGINT)
        _, told = it.communicate(timeout=30)
    assert it.returncode == 1
    assert "goes on there" in told
    assert "Traceback" not in told
    had = part.stat().st_size
    assert cli.main(["pull", "tiny-Q4_K", *options]) == 0
    assert rig.asked("cdn")[-1].start == had


FAMILY = Family(
    id="f",
    name="F",
    variants=tuple(
        Variant(
            id=name,
            family="f",
            file=f"{name}.gguf",
            bytes=100,
            quality=Quality(percent=94.18, source="s"),
        )
        for name in ("here", "changed", "broken", "partial", "bad", "absent")
    ),
)


def test_every_state_has_a_row(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("here", "changed"):
        (tmp_path / f"{name}.gguf").write_bytes(MODEL)
    (tmp_path / "changed.gguf.json").write_bytes(
        b'{"variant":"c","bytes":1,"sha256":"%s","digest":"%s","stamp":[1,2,3,4]}'
        % (SHA256.encode(), SHA256.encode())
    )
    (tmp_path / "broken.gguf").write_bytes(b"junk")
    (tmp_path / "stray.gguf").write_bytes(b"junk")
    (tmp_path / "partial.gguf.part").write_bytes(bytes(43))
    (tmp_path / "strange.gguf.part").write_bytes(bytes(5))
    (tmp_path / "url.gguf.part").write_bytes(bytes(5))
    store.write_part_record("url.gguf", PartRecord(variant="url", bytes=10, synced=0))
    store.quarantine(Quarantined(variant="bad", file="bad.gguf", code="bad_hash", reason="why"))
    store.quarantine(Quarantined(variant="old", file="old.gguf", code="died", reason="twice"))
    inventory = take_inventory(Catalogue(families=(FAMILY,)), tmp_path)
    found = models.rows(store, inventory, str(tmp_path / "here.gguf"))
    states = {row.variant: row.state for row in found}
    assert states == {
        "here": "here",
        "changed": "changed",
        "broken": "broken",
        "partial": "partial",
        "bad": "quarantined",
        "absent": "absent",
        "stray.gguf": "broken",
        "strange.gguf": "partial",
        "url": "partial",
        "old": "quarantined",
    }
    assert [row.variant for row in found if row.configured] == ["here"]
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(models.table("dir", found))
    console.file.close()
    text = console.export_text()
    for words in ("43 % here", "50 % here", "bad_hash: why", "died: twice", "94.18", "model.path"):
        assert words in text, text


@pytest.mark.parametrize(
    ("event", "name", "said"),
    [
        (Progress(variant="v", state="waiting", done=1), "progress", ""),
        (Pinned(variant="v", sha256="ab", source="hub"), "pinned", "told by hub"),
        (Pinned(variant="v", sha256="ab", source=None), "pinned", "believed"),
        (Evicted(file="f", bytes=3), "evicted", "removed for room: f"),
        (Fetched(variant="v", path="/p", sha256="ab", bytes=3, resumed=2), "fetched", "2 of them"),
        (Fetched(variant="v", path="/p", sha256="ab", bytes=3), "fetched", "3 bytes; sha256 ab"),
        (FetchFailed(variant="v", code="cut", reason="r", retry_in=62), "failed", "1 min 2 s"),
        (FetchFailed(variant="v", code="cut", reason="r", retry_in=None), "failed", "given up"),
    ],
)
def test_every_event_has_words_and_json(event: Any, name: str, said: str) -> None:
    assert json.loads(as_json(event))["event"] == name
    assert said in pull.sentence(event)
    with Bars(disable=True) as bars:
        pull.shower(bars, bars.add_task("t"))(event)
