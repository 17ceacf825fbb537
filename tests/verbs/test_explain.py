from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from edged import cli
from edged.config import Config
from edged.doctor import engines
from edged.models.calibrationfile import save_calibration
from edged.models.figurestore import save_measured
from edged.models.fingerprint import fingerprint
from edged.models.inventory import DATA
from edged.models.local import check_file
from edged.verbs import explain
from tests.models.boards import BOARDS
from tests.models.hubrig import MODEL, hub
from tests.models.rawgguf import build
from tests.models.test_predict import known
from tests.models.test_replays import BIG
from tests.models.values import measurement

if TYPE_CHECKING:
    from pathlib import Path

PI = str(BOARDS / "pi5-16gb")


@pytest.fixture(autouse=True)
def _defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own configuration or state counts."""
    monkeypatch.setattr(cli, "DEFAULT_CONFIG", tmp_path / "none.yaml")
    monkeypatch.setattr(explain, "SERVICE_STATE", tmp_path / "service")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


def run(capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> dict[str, object]:
    assert cli.main(["explain", "--json", *options]) == code
    view: dict[str, object] = msgspec.json.decode(capsys.readouterr().out)
    return view


def test_a_recorded_board_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    view = run(capsys, "--device", PI, "--published")
    assert view["chosen"] == f"{BIG}Q3_K_S-2.70bpw"
    device = view["device"]
    assert isinstance(device, dict)
    assert (device["board"], device["cooler"]) == ("Raspberry Pi 5 Model B Rev 1.1", True)


def test_what_serves_now_counts_as_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    haves = []
    for held in (0, 1 << 50):
        monkeypatch.setattr(engines, "held_by_engines", lambda held=held: held)
        haves.append(run(capsys)["have_bytes"])
    assert isinstance(haves[0], int)
    assert isinstance(haves[1], int)
    assert haves[1] > haves[0]


def test_options_stand_in_for_keys(capsys: pytest.CaptureFixture[str]) -> None:
    six = run(capsys, "--device", PI, "--target", "6", "--context", "1024")
    assert six["chosen"] == f"{BIG}Q4_K_S-3.61bpw"
    assert six["context"] == 1024
    small = run(capsys, "--device", PI, "--memory", "6000")
    assert small["chosen"] == "OLMo-2-0425-1B-Instruct-Q4_K_M"
    none = run(capsys, "--device", PI, "--memory", "100", code=1)
    assert (none["status"], none["chosen"]) == ("none", None)


def test_a_catalogue_file_has_the_last_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = tmp_path / "own.yaml"
    extra.write_text("order: [llama-3.2-1b-instruct]")
    view = run(capsys, "--device", PI, "--catalog", str(extra))
    assert view["chosen"] == "Llama-3.2-1B-Instruct-Q4_K_M"


def test_mistakes_are_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "--device", str(tmp_path)]) == cli.USAGE
    assert f"{tmp_path}: holds no proc/meminfo of a board" in capsys.readouterr().err
    assert cli.main(["explain", "--device", PI, "--target", "-1"]) == cli.USAGE
    assert "command line: " in capsys.readouterr().err
    bad = tmp_path / "bad.yaml"
    bad.write_text("famlies: []")
    assert cli.main(["explain", "--device", PI, "--catalog", str(bad)]) == cli.USAGE
    assert f"{bad}:1: famlies: unknown key" in capsys.readouterr().err
    assert cli.main(["explain", "--catalog", str(tmp_path / "none")]) == 1
    assert "none cannot be read" in capsys.readouterr().err


def own_board(capsys: pytest.CaptureFixture[str], state: Path) -> str:
    """The fingerprint of this machine, as the daemon would note it."""
    from edged.engine.build import build_id  # noqa: PLC0415 - only here
    from edged.models.device import Roots, probe  # noqa: PLC0415

    del capsys
    return probe(Roots(models=state)).fingerprint(build_id() or "unknown")


def test_this_machine_goes_by_what_was_measured_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "state" / "models"
    models.mkdir(parents=True)
    path = models / "mine.gguf"
    path.write_bytes(build())
    digest = fingerprint(path, check_file(path).data_offset).digest
    board = own_board(capsys, models)
    save_measured(tmp_path / "state", measurement(42.0, digest=digest, board=board))
    state = ("--state-dir", str(tmp_path / "state"))
    view = run(capsys, *state)
    assert (view["chosen"], view["serves"], view["status"]) == ("mine", "mine", "ok")
    published = run(capsys, *state, "--published")
    assert published["status"] == "degraded"
    assert not (tmp_path / "home").exists()


FAR = """
order: [far]
families:
  - {id: far, name: Far, repo: owner/name, variants: [{file: tiny-Q4_K.gguf, kind: KQ}]}
"""


def test_headers_are_asked_for_once_and_used_from_then_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "far.yaml").write_text(FAR)
    config = tmp_path / "edged.yaml"
    options = ("--state-dir", str(tmp_path / "state"), "--config", str(config), "--memory", "600")
    board = own_board(capsys, tmp_path / "state" / "models")
    save_calibration(tmp_path / "state", known(board=board))
    with hub() as rig:
        download = f"download: {{endpoint: '{rig.endpoint}'}}"
        config.write_text(f"model: {{catalogue_dir: {tmp_path / 'own'}, {download}}}\n")
        before = run(capsys, *options, code=1)
        assert (before["chosen"], rig.seen) == (None, [])
        assert cli.main(["explain", "--json", "--headers", *options]) == 0
        out, err = capsys.readouterr()
        assert "edged: tiny-Q4_K: its header is known" in err
        assert msgspec.json.decode(out)["chosen"] == "tiny-Q4_K"
        assert rig.sent < len(MODEL)
    assert run(capsys, *options)["chosen"] == "tiny-Q4_K"


def test_headers_are_not_asked_for_where_that_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explain", "--headers", "--device", PI]) == cli.USAGE
    assert "--headers is for this machine" in capsys.readouterr().err
    config = tmp_path / "edged.yaml"
    config.write_text("model: {download: {enabled: false}}\n")
    state = str(tmp_path / "state")
    cli.main(["explain", "--headers", "--config", str(config), "--state-dir", state])
    assert "no headers are read: model.download.enabled is false" in capsys.readouterr().err


def test_where_the_state_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config()
    assert explain.state_dir(config) == tmp_path / "home/.local/state/edged"
    (tmp_path / "service").mkdir()
    assert explain.state_dir(config) == tmp_path / "service"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert explain.state_dir(config) == tmp_path


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_table_fits_the_terminal(width: int, tmp_path: Path) -> None:
    shutil.copy(DATA / "pocket.gguf", tmp_path / "mine.gguf")
    (tmp_path / "cut.gguf").write_bytes(b"GGUF")
    parser = cli._parser()
    args = parser.parse_args(["explain", "--device", PI])
    found = explain.explained(args)
    from edged.models.inventory import take_inventory  # noqa: PLC0415 - only here

    broken = take_inventory(found.inventory.catalogue, tmp_path)
    out = io.StringIO()
    explain.show(
        msgspec.structs.replace(found, inventory=broken),
        Console(file=out, width=width, force_terminal=False),
    )
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "Raspberry Pi 5 Model B Rev 1.1, 4 cores" in text
    assert "cut.gguf cannot be used" in text
    assert ("quality" in text.split()) == (width >= explain.WIDE or "quality" in text)
    for word in ("Q3_K_S", "pocket *"):
        assert word in text


def test_the_table_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "--device", PI]) == 0
    assert "Q3_K_S-2.70bpw" in capsys.readouterr().out
