from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged import cli
from edged.config import Config

if TYPE_CHECKING:
    from pathlib import Path


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for verb in ("run", "check-config", "demo", "ask", "status", "top", "pull", "models", "rm"):
        assert verb in shown


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["ask"], ["ask", "x", "--priority", "soon"], ["ask", "x", "--within", "nan"]],
)
def test_a_usage_mistake_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == cli.USAGE


def test_a_tree_of_sensors_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "edged.yaml"
    config.write_text("node: kitchen\n")
    missing = tmp_path / "tree"
    command = ["run", "--config", str(config), "--sysfs-root", str(missing)]
    assert cli.main(command) == cli.USAGE
    assert capsys.readouterr().err == f"--sysfs-root {missing}: there is no such folder\n"


def test_check_config_tells_every_mistake_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edged.yaml"
    path.write_text("node: Kitchen!\nmqtt: {prot: 1, port: 99999}\nservin: {}\n")
    assert cli.main(["check-config", str(path)]) == cli.USAGE
    told = capsys.readouterr().err
    for word in ("node", "mqtt.prot", "mqtt.port", "servin", "did you mean"):
        assert word in told
    assert f"{path}:1" in told


def test_check_config_of_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edged.yaml"
    path.write_text("node: kitchen\n")
    assert cli.main(["check-config", str(path)]) == 0
    assert "no mistakes" in capsys.readouterr().out


def test_check_config_tells_what_is_of_an_older_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edged.yaml"
    path.write_text("engine:\n  repack: false\n")
    assert cli.main(["check-config", str(path)]) == 0
    note, verdict = capsys.readouterr().out.splitlines()
    assert note.startswith(f"{path}:2: engine.repack: ")
    assert "read as `engine.repack: off`" in note
    assert "no mistakes" in verdict


def test_a_config_that_is_not_there_is_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--config", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "DEFAULT_CONFIG", tmp_path / "none.yaml")
    assert cli.load_config(None) == Config()


def test_a_port_out_of_range_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--port", "70000", "--host", "127.0.0.1"]) == cli.USAGE
    assert "command line" in capsys.readouterr().err


def test_a_broker_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--host", "127.0.0.1", "--port", "1"]) == 1
    told = capsys.readouterr().err
    assert "127.0.0.1:1" in told
    assert "Traceback" not in told
