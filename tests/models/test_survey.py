from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.errors import ModelError
from edged.models import survey as surveying
from edged.models.calibrationfile import save_calibration
from edged.models.figurestore import save_measured
from edged.models.fingerprint import fingerprint
from edged.models.fit import MIB
from edged.models.known import Figures, load_figures
from edged.models.local import check_file
from edged.models.predict import predict
from edged.models.survey import models_directory, setup_of, survey
from edged.models.variants import Catalogue
from edged.settings import Config, EngineConfig, ModelConfig
from tests.models.boards import board
from tests.models.rawgguf import build
from tests.models.test_calibration import known, rate
from tests.models.values import family, measurement, variant

if TYPE_CHECKING:
    from pathlib import Path

FACTS = board("pi5-8gb")
CATALOGUE = Catalogue(
    families=(
        family(variant("a", repo="m/a", bytes=5), variant("b", repo="m/b", bytes=5), id="f"),
        family(variant("c", repo="m/c", bytes=5, family="g"), id="g"),
    )
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models directory with one file of the catalogue, in a state directory."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "a.gguf").write_bytes(build())
    return models


def digest(folder: Path) -> str:
    path = folder / "a.gguf"
    return fingerprint(path, check_file(path).data_offset).digest


def test_what_is_kept_of_this_board_comes_back(folder: Path) -> None:
    state = folder.parent
    assert load_figures(None, "b") == load_figures(state, "b") == Figures()
    save_measured(state, measurement(9.0, digest="d", board="b"))
    save_measured(state, measurement(7.0, digest="d", board="other"))
    save_calibration(state, known(rate("q8_0")))
    found = load_figures(state, "b")
    assert [each.tps for each in found.of("d")] == [9.0]
    assert found.of("e") == ()
    assert found.calibration == known(rate("q8_0"))
    assert load_figures(state, "c") == Figures()


def test_a_measured_file_on_disk_is_chosen(folder: Path) -> None:
    figures = Figures(measured=(measurement(9.0, digest=digest(folder), board="b"),))
    found = survey(Config(), FACTS, CATALOGUE, folder, figures)
    assert (found.choice.status, found.choice.chosen) == ("ok", "a")
    assert found.choice.serves == "a"
    verdict = found.choice.verdict("a")
    assert verdict is not None
    assert verdict.candidate.need_from == "header"
    assert [speed.source for speed in verdict.speeds] == ["measured"]


def test_a_calibrated_board_predicts_files_here_and_headers_from_afar(folder: Path) -> None:
    calibration = known(rate("q8_0"))
    header = check_file(folder / "a.gguf")
    found = survey(
        Config(), FACTS, CATALOGUE, folder, Figures(calibration=calibration), headers={"b": header}
    )
    setup = setup_of(Config().engine, 2048, FACTS)
    expected = predict(header, calibration, setup)
    for name in ("a", "b"):
        verdict = found.choice.verdict(name)
        assert verdict is not None
        assert verdict.candidate.prediction == expected
    assert (found.seen["a"].on_disk, found.seen["b"].on_disk) == (True, False)
    assert "c" not in found.seen


def test_bad_variants_are_barred_and_broken_files_are_not_here(folder: Path) -> None:
    (folder / "b.gguf").write_bytes(build()[:-1])
    found = survey(
        Config(), FACTS, CATALOGUE, folder, Figures(), quarantined={"c": "killed the child"}
    )
    rules = {each.candidate.variant.id: each for each in found.choice.verdicts}
    assert not rules["b"].candidate.on_disk
    assert rules["b"].rule != "quarantined"
    assert rules["c"].reason == "quarantined: killed the child"
    assert "cut off" in found.inventory.broken["b.gguf"]
    barred = survey(Config(), FACTS, CATALOGUE, folder, Figures(), quarantined={"a": "x"})
    verdict = barred.choice.verdict("a")
    assert verdict is not None
    assert (verdict.rule, verdict.candidate.on_disk) == ("quarantined", True)


def test_a_file_that_goes_meanwhile_has_no_speed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ModelError("gone")  # noqa: EM101 - a test's own

    figures = Figures(measured=(measurement(9.0, digest=digest(folder), board="b"),))
    monkeypatch.setattr(surveying, "fingerprint", gone)
    found = survey(Config(), FACTS, CATALOGUE, folder, figures)
    verdict = found.choice.verdict("a")
    assert verdict is not None
    assert verdict.speeds == ()


def test_the_owner_orders_families_and_limits_memory(folder: Path) -> None:
    config = Config(
        model=ModelConfig(families=("g",), memory_mib=300, reserve_mib=0, context=512),
        engine=EngineConfig(target_tps=0),
    )
    found = survey(config, FACTS, CATALOGUE, folder, Figures())
    assert found.choice.verdicts[0].candidate.family.id == "g"
    assert (found.choice.budget.limit, found.choice.budget.have) == ("cap", 300 * MIB)
    assert (found.choice.target, found.choice.context) == (0, 512)
    free = survey(
        Config(model=ModelConfig(reserve_mib=100)), FACTS, CATALOGUE, None, Figures(), held=5
    )
    assert free.choice.budget.have == FACTS.available_bytes + 5 - 100 * MIB
    assert free.seen == {}


def test_how_a_model_would_be_loaded() -> None:
    usual = setup_of(EngineConfig(), 2048, FACTS)
    assert (usual.threads, usual.streams, usual.flash_attention) == (4, 1, True)
    assert usual.features == FACTS.cpu_features
    own = setup_of(
        EngineConfig(threads=2, threads_batch=3, streams=2, flash_attention="off"), 512, FACTS
    )
    assert (own.threads, own.streams, own.flash_attention, own.context) == (3, 2, False, 512)


def test_where_model_files_are(tmp_path: Path) -> None:
    assert models_directory(Config(), tmp_path) == tmp_path / "models"
    config = Config(model=ModelConfig(directory="/srv/models"))
    assert str(models_directory(config, tmp_path)) == "/srv/models"
