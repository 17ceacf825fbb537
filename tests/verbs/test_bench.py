"""`edged bench` from the command line, with the scripted child in place of the engine."""

from __future__ import annotations

import io
import re
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console

from edged import cli, places
from edged.config import Config
from edged.daemon.model import POCKET
from edged.errors import ConfigError, ModelError
from edged.models.facts import DeviceFacts
from edged.models.figurestore import load_measured
from edged.models.fingerprint import fingerprint
from edged.models.local import check_file
from edged.models.tuning import FULL, Setting
from edged.verbs import bench, benchjob
from tests.engine.harness import FAKE
from tests.models.rawgguf import build

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own configuration or state counts."""
    monkeypatch.setattr(cli, "DEFAULT_CONFIG", tmp_path / "none.yaml")
    monkeypatch.setattr(places, "SERVICE_STATE", tmp_path / "service")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose engine is the scripted one."""
    script = tmp_path / "script.json"
    script.write_bytes(msgspec.json.encode({"n_ctx": 4288, "speeds": [5.0, 9.0]}))
    path = tmp_path / "edged.yaml"
    command = msgspec.json.encode([sys.executable, str(FAKE), str(script)]).decode()
    path.write_text(f"engine: {{command: {command}}}\n")
    return path


def models(state: Path, *names: str) -> Path:
    folder = state / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(build())
    return folder


def run(capsys: pytest.CaptureFixture[str], *options: object, code: int = 0) -> Any:
    assert cli.main(["bench", "--json", *map(str, options)]) == code
    out = capsys.readouterr()
    return msgspec.json.decode(out.out) if code == 0 else out.err


def test_the_result_is_told_and_kept(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    models(tmp_path, "mine.gguf")
    told = run(capsys, "mine", "--config", config, "--state-dir", tmp_path, "--threads", 2)
    assert (told["variant"], told["target_tps"]) == ("mine", 8)
    found = told["measurement"]
    assert found["tps"] == pytest.approx(9.0)
    assert (found["threads"], found["threads_batch"], found["context"]) == (2, 2, 512)
    assert told["conditions"]["threads"] == "2 of decode, 2 of prefill"
    (kept,) = load_measured(tmp_path)
    assert msgspec.json.decode(msgspec.json.encode(kept)) == found
    path = tmp_path / "models" / "mine.gguf"
    assert kept.digest == fingerprint(path, check_file(path).data_offset).digest


def test_a_page_is_written(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    models(tmp_path, "mine.gguf")
    options = ("--config", config, "--state-dir", tmp_path, "--report", page, "--quick")
    run(capsys, "mine.gguf", *options)
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o644
    assert "<h1>mine</h1>" in text
    assert text.count("</tr>") > 10, "every candidate of the catalogue has a row"
    assert "No quality is known" in text


def test_the_page_and_the_name_come_from_the_configured_folder_of_catalogues(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text(
        "families:\n  - {id: mine, name: Mine, variants: [{file: mine.gguf, kind: KQ, "
        "repo: owner/name, quality: {percent: 99.0, source: me}}, "
        "{file: more.gguf, repo: owner/name, kind: KQ}]}\n"
    )
    text = config.read_text()
    config.write_text(f"{text}\nmodel: {{catalogue_dir: {tmp_path / 'own'}}}\n")
    models(tmp_path, "mine.gguf")
    page = tmp_path / "page.html"
    run(capsys, "mine", "--config", config, "--state-dir", tmp_path, "--report", page, "--quick")
    text = page.read_text()
    assert "more" in text
    assert re.search(r'class="dot g\d filled[^>]*><title>\d+: mine, 9 tok/s measured', text)
    said = run(capsys, "more", "--config", config, "--state-dir", tmp_path, code=1)
    assert "more.gguf is not in" in said


def test_a_file_from_elsewhere_has_a_row_too(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    file, page = tmp_path / "elsewhere.gguf", tmp_path / "page.html"
    file.write_bytes(build())
    options = ("--config", config, "--state-dir", tmp_path / "state", "--report", page)
    assert run(capsys, file, *options)["file"] == str(file)
    assert "it is not among the files to choose from" in page.read_text()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["nobody"], 2, "no variant is called 'nobody'"),
        (["Qwen3-30B-A3B-Instruct-2507-Q3_K_S-2.70bpw"], 1, "fetch it with: edged pull Qwen3-30B"),
        (["./none.gguf"], 1, "none.gguf: No such file"),
        (["--context", "100"], 2, "command line:"),
        (["--threads", "0"], 2, "command line:"),
        (["--threads", "99"], 2, "command line:"),
        (["--repack", "maybe"], None, "invalid choice"),
    ],
)
def test_what_cannot_be_measured_is_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: list[str],
    code: int | None,
    says: str,
) -> None:
    arguments = ["bench", "--state-dir", str(tmp_path), *options]
    if code is None:
        with pytest.raises(SystemExit, match="2"):
            cli.main(arguments)
    else:
        assert cli.main(arguments) == code
    assert says in capsys.readouterr().err
    assert load_measured(tmp_path) == ()


def test_a_child_that_dies_fails_the_verb(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.json"
    script.write_bytes(msgspec.json.encode({"load_failed": ["bad_model", "no"]}))
    said = run(capsys, "--config", config, "--state-dir", tmp_path, code=1)
    assert "the child that measures died: bad_model" in said


def test_without_a_name_the_configured_file_is_meant(tmp_path: Path) -> None:
    assert benchjob.find(None, Config(), tmp_path) == (POCKET, None)
    model = msgspec.structs.replace(Config().model, path="/m/x.gguf", name="ex")
    found, name = benchjob.find(None, msgspec.structs.replace(Config(), model=model), tmp_path)
    assert (str(found), name) == ("/m/x.gguf", "ex")


def facts(gib: float) -> DeviceFacts:
    size = int(gib * GIB)
    return DeviceFacts(architecture="x", cores=4, ram_bytes=size, available_bytes=size)


def test_only_loads_that_fit_are_tried() -> None:
    header = check_file(POCKET)
    both = Setting(repack=False), Setting(repack=True)
    assert benchjob.fitting(Config(), header, facts(8), both) == both
    with pytest.raises(ModelError, match=r"needs 0\.\d\d GiB .* there are 0\.00 GiB"):
        benchjob.fitting(Config(), header, facts(0.1), both)


@pytest.mark.parametrize(
    ("repack", "kv_type", "settings"),
    [
        (
            "both",
            None,
            [(repack, kind) for kind in ("f16-nofa", "q8_0", "f16") for repack in (False, True)],
        ),
        ("on", None, [(True, "f16-nofa"), (True, "q8_0"), (True, "f16")]),
        ("on", "all", [(True, "f16-nofa"), (True, "q8_0"), (True, "f16")]),
        ("off", "f16-nofa", [(False, "f16-nofa")]),
        ("on", "f16", [(True, "f16")]),
        ("off", "q8_0", [(False, "q8_0")]),
        ("both", "both", [(False, "q8_0"), (True, "q8_0"), (False, "f16"), (True, "f16")]),
    ],
)
def test_what_is_configured_is_loaded_last(
    repack: str, kv_type: str | None, settings: list[tuple[bool, str]]
) -> None:
    args = Namespace(repack=repack, kv_type=kv_type)
    assert list(benchjob._settings(args, Config())) == settings


def test_f16_alone_is_measured_if_it_has_room_unless_others_were_asked_for() -> None:
    wide, small = Setting(repack=True), Setting(repack=True, kv_type="q8_0")
    auto = Namespace(kv_type=None)
    assert benchjob._first((small, wide), auto) == (wide,)
    assert benchjob._first((small,), auto) == (small,)
    assert benchjob._first((small, wide), Namespace(kv_type="both")) == (small, wide)


def test_the_context_holds_the_deepest_depth() -> None:
    args = Namespace(context=None, threads=None)
    changed = benchjob._with_context(Config(), args, FULL)
    assert changed.model.context >= max(FULL.depths) + FULL.depth_tg
    assert changed.engine.prefill_chunk >= FULL.pp
    args = Namespace(context=1000, threads=4)
    assert benchjob._with_context(Config(), args, FULL).model.context == 1000
    with pytest.raises(ConfigError):
        benchjob._with_context(Config(), Namespace(context=None, threads=-1), FULL)


def test_state_lies_where_the_daemon_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert benchjob.state_dir(Config()) == tmp_path / "home" / ".local/state/edged"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "s"))
    model = msgspec.structs.replace(Config().model, directory="/elsewhere")
    assert benchjob.state_dir(msgspec.structs.replace(Config(), model=model)) == tmp_path / "s"


def test_people_get_tables(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models(tmp_path, "mine.gguf")
    arguments = ["bench", "mine", "--config", str(config), "--state-dir", str(tmp_path)]
    assert cli.main([*arguments, "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    for told in ("tg128", "5.00 +- 0.00", "pp512", "50.00 +- 0.00", "compared", "cooling:"):
        assert told in shown
    args = cli._parser().parse_args(arguments)
    job = benchjob.prepared(args, cli.load_config(config), tmp_path)
    out = io.StringIO()
    bench.show(job, load_measured(tmp_path)[0], Console(file=out, width=120))
    assert "tg128" in out.getvalue()
