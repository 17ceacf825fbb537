from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from edged import cli
from edged.doctor import gather, service
from edged.doctor.facts import Skipped
from edged.doctor.finding import Finding
from edged.models.figurestore import save_measured
from edged.verbs import doctor, explain
from tests.models.boards import board
from tests.models.hubrig import MODEL
from tests.models.values import measurement
from tests.rig.broker import free_port
from tests.thermal.heat import BOARDS, HEAT

if TYPE_CHECKING:
    from pathlib import Path


class Told(msgspec.Struct):
    """What --json prints."""

    worst: str
    findings: list[Finding]

    def bad(self) -> list[str]:
        return [each.code for each in self.findings if each.severity in {"warning", "error"}]


@pytest.fixture(autouse=True)
def _defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own configuration or state counts."""
    monkeypatch.setattr(cli, "DEFAULT_CONFIG", tmp_path / "none.yaml")
    monkeypatch.setattr(explain, "SERVICE_STATE", tmp_path / "service")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


def judged(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Told]:
    code = cli.main(["doctor", "--json", *options])
    return code, msgspec.json.decode(capsys.readouterr().out, type=Told)


RECORDED = {
    "cool": [],
    "warm": [],
    "no-fan": ["no_fan"],
    "no-sensor": ["no_fan", "no_temperature"],
    "stopped-fan": ["fan_stopped"],
    "throttled": ["no_fan", "hot", "throttled", "slow_by_heat"],
    "undervoltage": ["undervoltage", "slow_by_supply"],
    "thrashing": ["slow_by_memory"],
    "busy": ["slow_by_load"],
}


def test_every_recorded_state_is_judged() -> None:
    assert set(RECORDED) == {path.name for path in HEAT.iterdir()}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_state_has_its_own_findings(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = judged(capsys, "--root", str(HEAT / name))
    assert told.bad() == RECORDED[name]
    assert code == (1 if RECORDED[name] else 0)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("pi5-16gb", []),
        ("pi5-8gb", []),
        ("pi5-4gb", ["no_fan", "no_numa"]),
        ("pi4-4gb", ["no_fan", "clock_unset"]),
        ("pc", []),
    ],
)
def test_a_recorded_board_has_its_own_findings(
    name: str, bad: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, told = judged(capsys, "--root", str(BOARDS / name))
    assert told.bad() == bad


def test_a_recorded_board_brings_its_own_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = shutil.copytree(BOARDS / "pi5-8gb", tmp_path / "tree")
    facts = board("pi5-8gb")
    for build, tps in (("llama 1", 8.4), ("llama 2", 6.9)):
        taken = measurement(tps, board=facts.fingerprint(build), build=build, wall=tps)
        save_measured(tree / "var/lib/edged", taken)
    (tree / "var/lib/edged/models").mkdir()
    (tree / "var/lib/edged/models/bad.gguf").write_bytes(b"junk")
    code, told = judged(capsys, "--root", str(tree))
    assert code == 1
    assert told.bad() == ["model_broken", "slow_by_engine"]
    moved = tmp_path / "elsewhere"
    (tree / "var/lib/edged").rename(moved)
    _, told = judged(capsys, "--root", str(tree))
    assert told.bad() == []
    _, told = judged(capsys, "--root", str(tree), "--state-dir", str(moved))
    assert told.bad() == ["model_broken", "slow_by_engine"]


def test_its_configuration_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = shutil.copytree(BOARDS / "pi5-8gb", tmp_path / "tree")
    (tree / "etc/edged").mkdir(parents=True)
    (tree / doctor.CONFIG).write_text("model: {memory_mib: 20}\n")
    _, told = judged(capsys, "--root", str(tree))
    assert told.bad() == ["no_model_fits"]
    (tree / doctor.CONFIG).write_text("engine: {repack: true}\n")
    _, told = judged(capsys, "--root", str(tree))
    assert "configuration_old" in [each.code for each in told.findings]
    mine = tmp_path / "mine.yaml"
    mine.write_text("model: {path: /srv/none.gguf}\n")
    _, told = judged(capsys, "--root", str(tree), "--config", str(mine))
    assert told.bad() == []
    (tree / "srv").mkdir()
    (tree / "srv/none.gguf").write_bytes(b"junk")
    _, told = judged(capsys, "--root", str(tree), "--config", str(mine))
    assert told.bad() == ["configured_model_broken"]
    (tree / "srv/none.gguf").write_bytes(MODEL)
    _, told = judged(capsys, "--root", str(tree), "--config", str(mine))
    assert told.bad() == []
    assert "none.gguf needs" in str(told.findings)


def test_state_that_is_not_ours_to_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = shutil.copytree(BOARDS / "pi5-8gb", tmp_path / "tree")
    (tree / "var/lib/edged").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    _, told = judged(capsys, "--root", str(tree))
    assert "not ours to read; use sudo" in str(told.findings)


def test_a_folder_that_is_no_board_is_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--root", str(tmp_path)]) == cli.USAGE
    assert f"{tmp_path}: holds no proc of a board" in capsys.readouterr().err


def test_this_machine_is_judged_with_its_broker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "unit", lambda: Skipped("a test"))
    config = tmp_path / "edged.yaml"
    config.write_text(f"mqtt: {{host: 127.0.0.1, port: {free_port()}}}\n")
    code, told = judged(capsys, "--config", str(config))
    assert code == 1
    assert "broker_refuses" in told.bad()
    assert service.RUNNING.is_absolute()


def test_people_see_a_table_with_the_gravest_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["doctor", "--root", str(HEAT / "stopped-fan")]) == 1
    printed = capsys.readouterr().out
    assert "not looked at; --all tells why" in printed
    assert printed.index("near the firmware") < printed.index("does not turn")


def test_all_shows_what_was_not_looked_at() -> None:
    findings = [
        Finding(code="a", severity="skipped", text="not looked at: why"),
        Finding(code="b", severity="advice", text="so", evidence="[1]", advice="do [this]"),
    ]
    out = Console(file=io.StringIO(), width=100)
    doctor.show(findings, out, everything=True)
    assert isinstance(out.file, io.StringIO)
    printed = out.file.getvalue()
    assert "not looked at: why" in printed
    assert "do [this]" in printed
    assert "[1]" in printed
    assert "--all" not in printed


@pytest.mark.process
def test_it_is_a_verb_of_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edged.cli", "doctor", "--root", str(HEAT / "undervoltage")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "the supply is too weak now" in done.stdout
