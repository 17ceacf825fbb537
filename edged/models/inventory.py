"""The catalogue's files and the model files of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from edged.errors import ConfigError, ModelError
from edged.files import read_bounded
from edged.models import catalog, headerfacts
from edged.models.gguf import Header  # noqa: TC001 - msgspec resolves it
from edged.models.local import check_file
from edged.models.variants import Catalogue, Variant
from edged.yamltree import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edged.models.catalogtext import CatalogueText
    from edged.models.variants import Family
    from edged.settings import ModelConfig

DATA = Path(__file__).parents[1] / "data"
PACKAGED = DATA / "catalog.yaml"
OWN_FILES = Path("/etc/edged/catalog.d")
MAX_FILES = 64  # of the catalogue
MAX_MODELS = 256  # in the models directory; each has its header read
ENDING = ".gguf"


class Found(msgspec.Struct, frozen=True):
    """A sound model file on this disk.

    Attributes:
        variant: Which one it is, with what its header says.
        path: Where it is.
        header: What it says about itself.
    """

    variant: Variant
    path: Path
    header: Header


class Inventory(msgspec.Struct, frozen=True):
    """What there is to choose from.

    Attributes:
        catalogue: With families of files that none names, and facts of headers.
        found: Files of this disk by the id of their variant.
        broken: Files that are no models, by name, with the reason.
    """

    catalogue: Catalogue
    found: dict[str, Found]
    broken: dict[str, str]


def read_catalogue(folder: Path | None = OWN_FILES, extra: Iterable[Path] = ()) -> Catalogue:
    """The packaged catalogue, with the owner's files in the order of their names.

    Args:
        folder: Where those are; it may be missing. None reads none.
        extra: More files, which have the last word.

    Raises:
        ConfigError: With every mistake of every file at once.
        StorageError: A file cannot be read.
    """
    parts: list[tuple[str, CatalogueText]] = []
    problems = []
    for path in (PACKAGED, *_own_files(folder), *extra):
        found = catalog.parse(read_bounded(path, MAX_BYTES), str(path))
        if isinstance(found, list):
            problems += found
        else:
            parts.append((str(path), found))
    merged = problems or catalog.merge(parts, str(DATA))
    if isinstance(merged, list):
        raise ConfigError([str(problem) for problem in merged])
    return merged


def owners_catalogue(model: ModelConfig, extra: Iterable[Path] = ()) -> Catalogue:
    """The catalogue with the files of the folder that the configuration names.

    Args:
        model: See `catalogue_dir`.
        extra: More files, which have the last word.

    Raises:
        ConfigError: With every mistake of every file at once.
        StorageError: A file cannot be read.
    """
    return read_catalogue(Path(model.catalogue_dir or OWN_FILES), extra)


def take_inventory(catalogue: Catalogue, folder: Path | None) -> Inventory:
    """What of the catalogue is on this disk, and what else is there.

    A broken file is told with its reason and costs nothing else.

    Args:
        catalogue: As `read_catalogue` gives it.
        folder: The models directory; it may be missing.
    """
    listed = {variant.file: variant for variant in _variants(catalogue)}
    found: dict[str, Found] = {}
    own: list[Family] = []
    broken: dict[str, str] = {}
    for path in _paths(listed.values(), folder):
        if not path.name.isprintable():
            broken[ascii(path.name)[1:-1]] = "its name is not printable text"
            continue
        try:
            header, size = check_file(path), path.stat().st_size
        except (ModelError, OSError) as error:
            broken[path.name] = str(error)
            continue
        variant = listed.get(path.name)
        if variant is None:
            family = headerfacts.own_family(path.name, str(path), header, size)
            own.append(family)
            variant = family.variants[0]
        refined = headerfacts.refined(variant, header, size)
        found[variant.id] = Found(refined, path, header)
    families = headerfacts.with_own_families(catalogue.families, own)
    return Inventory(
        Catalogue(families=tuple(_with_facts(family, found) for family in families)), found, broken
    )


def _own_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    return sorted(folder.glob("*.yaml"))[:MAX_FILES]


def _variants(catalogue: Catalogue) -> Iterator[Variant]:
    return (variant for family in catalogue.families for variant in family.variants)


def _paths(variants: Iterable[Variant], folder: Path | None) -> Iterator[Path]:
    """Model files: of the directory, and those that the catalogue places elsewhere."""
    named = [Path(variant.path) for variant in variants if variant.path is not None]
    yield from (path for path in named if path.exists())
    if folder is None:
        return
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is needed
    except OSError:  # not made yet, or not ours to read: the fetcher tells of that
        return
    elsewhere = {path.name for path in named}
    models = [name for name in names if name.endswith(ENDING) and name not in elsewhere]
    yield from (folder / name for name in models[:MAX_MODELS])


def _with_facts(family: Family, found: dict[str, Found]) -> Family:
    variants = tuple(
        found[variant.id].variant if variant.id in found else variant for variant in family.variants
    )
    return replace(family, variants=variants)
