from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edged.engine.worker import quantise
from edged.engine.worker.quantise import RECIPES, USAGE, QuantiseError
from edged.models.gguf import Header, read
from tests.rig.disk import small_disk

ROOT = Path(__file__).parents[3]
POCKET = ROOT / "edged" / "data" / "pocket.gguf"


def header(path: Path) -> Header:
    data = path.read_bytes()
    found = read(data, len(data))
    assert isinstance(found, Header)
    return found


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edged.engine.worker.quantise", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT
    )


@pytest.mark.parametrize("kind", RECIPES)
def test_every_matrix_has_the_type_and_nothing_else_changed(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "small.gguf"
    quantise.quantise(str(POCKET), str(target), kind, 2)
    made, source = header(target), header(POCKET)
    # llama.cpp puts them into an order of its own
    shapes = [sorted((each.name, each.dims) for each in file.tensors) for file in (made, source)]
    assert shapes[0] == shapes[1]
    types = {tensor.type.lower() for tensor in made.tensors if len(tensor.dims) > 1}
    assert types == {kind.lower()}
    assert {tensor.type for tensor in made.tensors if len(tensor.dims) == 1} == {"f32"}
    assert made.geometry == source.geometry


def test_threads_do_not_change_a_byte(tmp_path: Path) -> None:
    paths = [tmp_path / f"{threads}.gguf" for threads in (1, 2, 5)]
    for path in paths:
        quantise.quantise(str(POCKET), str(path), "Q3_K", int(path.stem))
    assert len({path.read_bytes() for path in paths}) == 1


def test_a_quantised_file_can_be_quantised_again(tmp_path: Path) -> None:
    first, second = tmp_path / "8.gguf", tmp_path / "4.gguf"
    quantise.quantise(str(POCKET), str(first), "Q8_0")
    quantise.quantise(str(first), str(second), "Q4_K")
    assert second.stat().st_size < first.stat().st_size < POCKET.stat().st_size


@pytest.mark.parametrize(
    ("source", "target", "how", "reason"),
    [
        (POCKET, "out.gguf", ("Q9_K", 1), "Q9_K.*no type that can be made.*Q4_K"),
        (POCKET, "out.gguf", ("Q4_K", 0), "threads is 0"),
        (POCKET, "out.gguf", ("Q4_K", 65), "threads is 65"),
        ("none.gguf", "out.gguf", ("Q4_K", 1), "none.gguf: not a file"),
        ("text.gguf", "out.gguf", ("Q4_K", 1), "text.gguf: not a GGUF file"),
        ("cut.gguf", "out.gguf", ("Q4_K", 1), "out.gguf: "),
        ("cut.gguf", "cut.gguf", ("Q4_K", 1), "is the source itself"),
        (POCKET, "none/out.gguf", ("Q4_K", 1), "its folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_named(
    tmp_path: Path, source: Path, target: str, how: tuple[str, int], reason: str
) -> None:
    (tmp_path / "text.gguf").write_text("once upon a time")
    (tmp_path / "cut.gguf").write_bytes(POCKET.read_bytes()[: 1 << 20])
    with pytest.raises(QuantiseError, match=reason):
        quantise.quantise(str(tmp_path / source), str(tmp_path / target), *how)
    assert "once upon a time" in (tmp_path / "text.gguf").read_text()


@pytest.mark.process
def test_the_program_makes_a_file_or_tells_why_not(tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    done = run(POCKET, target, "Q6_K", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert header(target).geometry == header(POCKET).geometry
    done = run(POCKET, target, "Q9_K")
    assert done.returncode == 1
    assert done.stderr.startswith("'Q9_K': no type")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "b", "Q4_K", "many"]])
def test_called_wrongly_it_says_how(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantise.main(arguments) == USAGE
    assert "usage: quantise SOURCE TARGET TYPE" in capsys.readouterr().err


@pytest.mark.process
def test_a_full_disk_is_an_error_and_no_crash() -> None:
    with small_disk() as disk:
        done = run(POCKET, disk / "out.gguf", "Q4_K")
        assert done.returncode == 1, done.stderr
        assert "out.gguf" in done.stderr
