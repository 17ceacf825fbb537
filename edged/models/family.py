"""The packaged model in several types: files to choose among, made here, of known quality.

`data/pocket.yaml` tells each file's bytes, digest and quality, in the catalogue's format. The
quantiser is a program of the worker's room and runs in a process of its own: a crash of native
code costs one file.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from edged.errors import ConfigError, ModelError, StorageError
from edged.files import read_bounded
from edged.models import catalog
from edged.models.catalogtext import CatalogueText
from edged.models.familytext import located, member_type
from edged.models.local import check_file
from edged.partfile import PartFile
from edged.yamltree import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.models.catalogtext import FamilyText, VariantText

DATA = Path(__file__).parents[1] / "data"
FIGURES = DATA / "pocket.yaml"
SOURCE = DATA / "pocket.gguf"
PROGRAM = (sys.executable, "-m", "edged.engine.worker.quantise")
TIMEOUT_S = 300.0  # a file takes 0.5 s; this is for a slow and busy board
MAX_BYTES_OF_FILE = 64 << 20  # six times the packaged model
_INHERITED = (
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "PYTHONNOUSERSITE",
    "LLAMA_CPP_LIB_PATH",
    "LD_LIBRARY_PATH",
)
_MAX_LINE = 400  # characters of what the program said

#: Told the name of a file, and whether it was made now.
Progress: TypeAlias = "Callable[[str, bool], None]"


def figures(path: Path = FIGURES) -> FamilyText:
    """The family as it is recorded.

    Raises:
        ConfigError: With every mistake of the file.
        StorageError: It cannot be read.
    """
    found = catalog.parse(read_bounded(path, MAX_BYTES), str(path))
    if isinstance(found, list):
        raise ConfigError([str(problem) for problem in found])
    if not found.families:
        raise ConfigError([f"{path}: has no family"])
    return found.families[0]


def make(  # noqa: PLR0913 - a test has a program of its own
    folder: Path,
    progress: Progress = lambda _name, _made: None,
    *,
    family: FamilyText | None = None,
    source: Path = SOURCE,
    program: Sequence[str] = PROGRAM,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Path, ...]:
    """Make the files that are not there yet.

    Args:
        folder: The models directory; made with its parents if it is missing.
        progress: Told of each file.
        family: What to make; None is all that is recorded.
        source: What to make it of.
        program: Called with source, target and type.
        timeout_s: Seconds, for each file.

    Returns:
        The files in the family's order.

    Raises:
        ModelError: A file cannot be made; the text names it and the reason, and nothing of it
            is left.
        StorageError: The folder cannot be written.
    """
    made = []
    for variant in (family or figures()).variants:
        path = folder / str(variant.file)
        missing = not path.exists()
        if missing:
            _make_folder(folder)
            _make_one(path, member_type(variant), source, program, timeout_s)
        check_file(path)
        progress(path.name, missing)
        made.append(path)
    return tuple(made)


def catalogue(folder: Path, family: FamilyText | None = None) -> bytes:
    """A catalogue file with those of the family that are in a folder.

    Args:
        folder: Where they are.
        family: None is the recorded one.

    Returns:
        YAML, with the path of each file. One whose bytes differ from the recorded ones keeps
        its quality only if its size is the same, and the source of the figure says so.

    Raises:
        StorageError: A file cannot be read.
    """
    known = family or figures()
    found = [
        located(variant, str(path), path.stat().st_size, _digest(path))
        for variant in known.variants
        if (path := folder.resolve() / str(variant.file)).is_file()
    ]
    return _written(known, found)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder}: cannot be made: {error.strerror}"
        raise StorageError(message) from error


def _written(family: FamilyText, variants: list[VariantText]) -> bytes:
    text = CatalogueText(families=(msgspec.structs.replace(family, variants=tuple(variants)),))
    # JSON is YAML, and an absent key is not the same as null there
    return msgspec.json.encode(_without_nulls(msgspec.to_builtins(text))) + b"\n"


def _without_nulls(tree: object) -> object:
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list | tuple):
        return [_without_nulls(item) for item in tree]
    return tree


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bounded(path, MAX_BYTES_OF_FILE)).hexdigest()


def _make_one(
    path: Path, kind: str, source: Path, program: Sequence[str], timeout_s: float
) -> None:
    name = path.with_name(f"{path.name}.part")
    part = PartFile(name)  # and with it the right to make this file
    try:
        part.cut(0)
        _run([*program, str(source), str(name), kind], path, timeout_s)
        check_file(name)
        part.publish(path)
    except BaseException:
        part.remove()
        raise
    finally:
        part.close()


def _run(command: list[str], path: Path, timeout_s: float) -> None:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{path}: not made within {timeout_s:g} s"
        raise ModelError(message) from error
    except OSError as error:
        message = f"{path}: the quantiser does not start: {error.strerror}"
        raise ModelError(message) from error
    if done.returncode:
        message = f"{path}: {_reason(done.returncode, done.stderr)}"
        raise ModelError(message)


def _reason(code: int, said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1][-_MAX_LINE:] if lines else "it said nothing"
    if code < 0:
        return f"the quantiser died of {signal.strsignal(-code) or -code}: {last}"
    return f"the quantiser ended with {code}: {last}"
