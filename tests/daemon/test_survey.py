"""What a look finds, on recorded boards and with files of a directory."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import msgspec

from edged.clock import SystemClock
from edged.daemon import survey
from edged.daemon.outlook import Wish
from edged.daemon.survey import Surveyor
from edged.models.calibrationfile import save_calibration
from edged.models.device import Roots
from edged.models.figures import KINDS, NO_FLASH, Measurement
from edged.models.scout import Scout
from edged.settings import Config, EngineConfig, ModelConfig
from tests.models.boards import BOARDS
from tests.models.hubrig import FILE, MODEL, hub, world
from tests.models.test_predict import known
from tests.models.values import depths
from tests.rig.daemon import POCKET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from edged.daemon.outlook import View
    from edged.models.calibration import Calibration
    from edged.models.figures import KvType
    from edged.models.variants import Variant

TARGET = Wish(target_tps=8.0)
SEED = "Qwen3-30B-A3B-Instruct-2507-Q3_K_S-2.70bpw"


def surveyor(
    folder: Path,
    board: str = "pi5-16gb",
    scout: Scout | None = None,
    engine: EngineConfig = EngineConfig(),  # noqa: B008 - frozen
    **model: Any,
) -> Surveyor:
    """One for a recorded board; files are looked for in `folder`."""
    (folder / "models").mkdir(exist_ok=True)
    tree = folder / "board"
    if not tree.exists():
        shutil.copytree(BOARDS / board, tree)
    config = Config(engine=engine, model=ModelConfig(directory=str(folder / "models"), **model))
    roots = Roots(tree, folder / "models", live=False)
    return Surveyor(config, folder, roots, catalogues=folder / "catalog.d", scout=scout)


def rules(view: Any) -> dict[str, str]:
    told = msgspec.json.decode(view.payload)
    return {each["id"]: each["rule"] for each in told["candidates"]}


def test_a_pi_wants_the_published_choice_and_serves_the_pocket_model_meanwhile(
    tmp_path: Path,
) -> None:
    view = surveyor(tmp_path).look(TARGET)
    assert (view.best, view.local) == (SEED, "pocket")
    assert view.wanted is not None
    assert view.wanted.repo == "byteshape/Qwen3-30B-A3B-Instruct-2507-GGUF"
    assert view.model is not None
    assert view.model.path == POCKET
    assert rules(view)[SEED] == "chosen"
    assert SEED in view.sentence
    assert not view.calibrated


def test_nothing_is_wanted_where_downloads_are_not_allowed(tmp_path: Path) -> None:
    from edged.settings import DownloadConfig  # noqa: PLC0415 - of this test alone

    view = surveyor(tmp_path, download=DownloadConfig(enabled=False)).look(TARGET)
    assert (view.best, view.wanted) == (SEED, None)


def test_a_variant_may_be_named_that_can_serve_and_can_be_had(tmp_path: Path) -> None:
    from edged.settings import DownloadConfig  # noqa: PLC0415 - of this test alone

    view = surveyor(tmp_path).look(TARGET)
    dropped = {"memory", "disk", "kind"}
    assert set(view.options) == {name for name, rule in rules(view).items() if rule not in dropped}
    assert {SEED, "pocket"} < set(view.options)
    pinned = surveyor(tmp_path).look(Wish(target_tps=8.0, pinned="pocket"))
    assert pinned.options == view.options
    assert msgspec.json.decode(pinned.payload)["pinned"] == "pocket"
    offline = surveyor(tmp_path, download=DownloadConfig(enabled=False)).look(TARGET)
    assert offline.options == ("pocket",)


def test_nothing_is_fetched_of_which_nobody_knows_how_fast_it_is(tmp_path: Path) -> None:
    view = surveyor(tmp_path, "pc").look(TARGET)
    assert view.best not in {None, "pocket"}
    assert view.wanted is None


def test_what_the_child_holds_counts_as_had(tmp_path: Path) -> None:
    here = surveyor(tmp_path)
    board = tmp_path / "board"
    text = (board / "proc/meminfo").read_text().splitlines()
    lines = ["MemAvailable: 2000000 kB" if "MemAvailable" in line else line for line in text]
    (board / "proc/meminfo").write_text("\n".join(lines) + "\n")
    assert rules(here.look(TARGET))[SEED] == "memory"
    (board / "proc/77").mkdir()
    (board / "proc/77/status").write_text("VmRSS: 1 kB\nRssAnon:\t12000000 kB\n")
    assert rules(here.look(TARGET, 77))[SEED] == "chosen"
    assert rules(here.look(TARGET, 78))[SEED] == "memory"


def test_calibrating_leaves_the_pages_of_what_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, asked = surveyor(tmp_path), []

    async def calibrate(*_: object, beside: int, **__: object) -> Calibration:
        asked.append(beside)
        return known(board="b")

    monkeypatch.setattr(survey, "calibrate", calibrate)
    (tmp_path / "board/proc/77").mkdir()
    (tmp_path / "board/proc/77/status").write_text("RssAnon:\t12 kB\nRssFile:\t2048 kB\n")
    for pid in (77, 78, None):
        asyncio.run(here.calibrate(SystemClock(), pid))
    assert asked == [2 << 20, 0, 0]


def test_signs_tell_of_memory_limits_and_files_and_ever_the_same_while_nothing_changes(
    tmp_path: Path,
) -> None:
    here = surveyor(tmp_path)
    view = here.look(TARGET)
    assert view.signs is not None
    assert view.signs == here.signs()
    assert view.need is not None
    assert 0 < view.need < view.signs.have
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    (tmp_path / "models" / "mine.gguf.part").write_bytes(b"is no model yet")
    grown = here.signs()
    assert [each.name for each in grown.models] == ["mine.gguf"]
    (tmp_path / "catalog.d").mkdir()
    (tmp_path / "catalog.d" / "own.yaml").write_text("order: []")
    assert [each.name for each in here.signs().catalogues] == ["own.yaml"]
    board = tmp_path / "board"
    (board / "proc/77").mkdir()
    (board / "proc/77/status").write_text("RssAnon:\t1024 kB\n")
    assert here.signs(77).have == here.signs().have + (1 << 20)
    (board / "proc/meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable: 2000000 kB\n")
    assert here.signs().have < grown.have


def test_a_measurement_is_found_again_by_what_the_file_holds(tmp_path: Path) -> None:
    here = surveyor(tmp_path)
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    first = here.look(TARGET)
    assert first.measured == frozenset()
    pinned = here.look(Wish(target_tps=8.0, pinned="mine"))
    assert (pinned.local, pinned.best) == ("mine", "mine")
    assert pinned.model is not None
    plain = measured(pinned, first.board, "f16", 400.0)
    here.keep(plain)
    again = here.look(Wish(target_tps=8.0, pinned="mine"))
    assert again.measured >= {"mine"}
    assert again.model is not None
    assert (again.model.load.threads, again.model.load.threads_batch) == (3, 2)
    assert again.trial is not None
    loads = again.model.load, again.trial.load
    assert [load.kv_type for load in loads] == ["f16", "q8_0"]
    assert [load.repack for load in loads] == [True, True], "nothing in it can be rearranged"
    assert loads[1].threads == 3
    here.keep(measured(pinned, first.board, "q8_0", 390.0))
    without = here.look(Wish(target_tps=8.0, pinned="mine")).trial
    assert without is not None
    assert (without.load.kv_type, without.load.flash_attention) == ("f16", "off")
    here.keep(measured(pinned, first.board, NO_FLASH, 380.0))
    done = here.look(Wish(target_tps=8.0, pinned="mine"))
    assert done.trial is None
    assert done.model == again.model
    told = "kv f16: 400.0 tok/s at 2,000 tokens beside 390.0 with q8_0"
    assert done.sentence.endswith(f"; {told}")
    (mine,) = msgspec.json.decode(done.payload)["candidates"]
    assert (mine["kv_type"], mine["kv"]) == ("f16", told)


def measured(view: View, board: str, kind: KvType, deep: float) -> Measurement:
    assert view.model is not None
    return Measurement(
        digest=view.model.fingerprint.digest,
        board=board,
        tps=500.0,
        pp=900.0,
        depths=depths((0, 500.0), (2000, deep)),
        threads=3,
        threads_batch=2,
        repack=True,
        kv_type=kind,
        wall=1.0,
    )


def test_the_faster_type_of_cache_is_loaded_and_what_an_owner_decided_is_not_tried(
    tmp_path: Path,
) -> None:
    here = surveyor(tmp_path)
    first = here.look(Wish(target_tps=8.0, pinned="pocket"))
    here.keep(measured(first, first.board, "f16", 300.0))
    here.keep(measured(first, first.board, "q8_0", 400.0))
    here.keep(measured(first, first.board, NO_FLASH, 390.0))
    faster = here.look(Wish(target_tps=8.0, pinned="pocket"))
    assert faster.model is not None
    assert (faster.model.load.kv_type, faster.trial) == ("q8_0", None)
    fixed = surveyor(tmp_path, engine=EngineConfig(kv_type="f16", repack="off"))
    view = fixed.look(Wish(target_tps=8.0, pinned="pocket"))
    assert view.model is not None
    assert (view.model.load.kv_type, view.model.load.repack, view.trial) == ("f16", False, None)


def test_a_model_that_was_faster_without_flash_attention_does_without(tmp_path: Path) -> None:
    here, wish = surveyor(tmp_path), Wish(target_tps=8.0, pinned="pocket")
    first = here.look(wish)
    for kind, deep in zip(KINDS, (300.0, 290.0, 400.0), strict=True):
        here.keep(measured(first, first.board, kind, deep))
    view = here.look(wish)
    assert view.model is not None
    assert (view.model.load.kv_type, view.model.load.flash_attention) == ("f16", "off")
    assert view.trial is None
    assert "kv f16-nofa: 400.0 tok/s" in view.payload.decode()
    always = surveyor(tmp_path, engine=EngineConfig(flash_attention="on")).look(wish)
    assert always.model is not None
    assert (always.model.load.kv_type, always.model.load.flash_attention) == ("f16", "on")


def test_memory_for_scores_of_attention_that_was_short_is_not_taken_later(tmp_path: Path) -> None:
    wish = Wish(target_tps=0.0, pinned="pocket")
    here = surveyor(tmp_path, reserve_mib=0)
    first = here.look(wish)
    for kind, deep in zip(KINDS, (300.0, 290.0, 400.0), strict=True):
        here.keep(measured(first, first.board, kind, deep))
    assert first.need is not None
    meminfo = tmp_path / "board/proc/meminfo"
    full = meminfo.read_text()
    before = next(line for line in full.splitlines() if line.startswith("MemAvailable"))
    meminfo.write_text(full.replace(before, f"MemAvailable: {first.need // 1024 + 1} kB"))
    for text in (meminfo.read_text(), full):
        meminfo.write_text(text)
        view = here.look(wish)
        assert view.model is not None
        assert view.model.load.flash_attention == "auto"
    fresh = surveyor(tmp_path, reserve_mib=0).look(wish)
    assert fresh.model is not None
    assert fresh.model.load.flash_attention == "off"


def test_weights_are_not_rearranged_in_a_trial_if_the_owner_said_so(tmp_path: Path) -> None:
    here = surveyor(tmp_path, engine=EngineConfig(repack="off"))
    first = here.look(Wish(target_tps=8.0, pinned="pocket"))
    here.keep(measured(first, first.board, "f16", 300.0))  # by hand, and rearranged
    trial = here.look(Wish(target_tps=8.0, pinned="pocket")).trial
    assert trial is not None
    assert (trial.load.kv_type, trial.load.repack) == ("q8_0", False)


def test_keys_and_values_are_halved_where_memory_is_short_and_stay_so(tmp_path: Path) -> None:
    wish = Wish(target_tps=0.0, pinned="mine")
    roomy = surveyor(tmp_path, reserve_mib=0)
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    view = roomy.look(wish)
    assert view.local is not None
    assert view.model is not None
    assert view.model.load.kv_type == "f16"
    assert view.need is not None
    board = tmp_path / "board/proc/meminfo"
    full = board.read_text()
    lines = [
        f"MemAvailable: {view.need // 1024 - 1} kB" if "MemAvailable" in line else line
        for line in full.splitlines()
    ]
    board.write_text("\n".join(lines) + "\n")
    short = roomy.look(wish)
    assert (short.local, short.trial) == (view.local, None)
    assert short.model is not None
    assert short.model.load.kv_type == "q8_0"
    assert "kv q8_0: with f16 it would need" in short.sentence
    board.write_text(full)
    stays = roomy.look(wish)
    assert stays.model == short.model, "no board flaps because memory comes and goes"
    again = surveyor(tmp_path, reserve_mib=0).look(wish)
    assert again.model == view.model, "after a restart it begins anew"


def test_what_killed_the_engine_is_not_taken_and_says_so(tmp_path: Path) -> None:
    here = surveyor(tmp_path)
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    barred = Wish(target_tps=8.0, barred=(("mine", "it killed the engine"),))
    view = here.look(barred)
    assert view.local == "pocket"
    assert rules(view)["mine"] == "quarantined"


def test_a_cap_that_nothing_fits_is_told_with_numbers(tmp_path: Path) -> None:
    view = surveyor(tmp_path, memory_mib=16).look(TARGET)
    assert (view.best, view.local) == (None, "pocket")
    assert "0.02 GB may be used, the least need is 0." in view.sentence


FAR = f"""
order: [far]
families:
  - id: far
    name: Far
    parameters: 1000
    repo: owner/name
    variants: [{{file: {FILE}, bpw: 4.5, kind: KQ}}]
"""


def test_a_header_from_afar_makes_a_prediction_and_that_a_download(tmp_path: Path) -> None:
    (tmp_path / "catalog.d").mkdir()
    (tmp_path / "catalog.d" / "far.yaml").write_text(FAR)
    with hub() as rig:
        scout = Scout(world(rig, tmp_path / "models"), tmp_path)
        here = surveyor(tmp_path, "pc", scout=scout)
        blind = here.look(TARGET)
        assert (blind.best, blind.unread) == ("tiny-Q4_K", ())
        assert blind.wanted is None
        save_calibration(tmp_path, known(board=blind.board))
        first = here.look(TARGET)
        assert first.unread[0].id == "tiny-Q4_K"
        assert asyncio.run(read(here, first.unread[:1]))
        assert rig.sent < len(MODEL)
    second = here.look(TARGET)
    assert "tiny-Q4_K" not in {variant.id for variant in second.unread}
    (told,) = [
        each
        for each in msgspec.json.decode(second.payload)["candidates"]
        if each["id"] == "tiny-Q4_K"
    ]
    assert told["need_from"] == "header"
    assert [speed["source"] for speed in told["speeds"]] == ["predicted"]
    assert second.best == "tiny-Q4_K"
    assert second.wanted is not None


async def read(here: Surveyor, variants: Sequence[Variant]) -> list[str]:
    return [said async for said in here.read_headers(variants)]


def test_without_a_scout_nothing_is_read(tmp_path: Path) -> None:
    assert asyncio.run(read(surveyor(tmp_path), ())) == []


def test_what_was_put_aside_stays_aside_after_a_restart(tmp_path: Path) -> None:
    here = surveyor(tmp_path)
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    here.quarantine("mine.gguf", "mine", "it killed the engine twice")
    assert not (tmp_path / "models" / "mine.gguf").exists()
    here.quarantine("pocket.gguf", "pocket", "the packaged one cannot be put aside")
    shutil.copy(POCKET, tmp_path / "models" / "mine.gguf")
    view = surveyor(tmp_path).look(TARGET)
    assert view.local == "pocket"
    assert rules(view)["mine"] == "quarantined"
