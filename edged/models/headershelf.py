"""Headers of files on hubs, kept in the state directory so that each is read once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from edged.errors import StorageError
from edged.files import read_bounded, write_atomic
from edged.models.gguf import Header  # noqa: TC001 - msgspec resolves it

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.variants import Catalogue, Variant

FOLDER = "headers"
MAX_KEPT = 512  # files; catalogues of a house have dozens
MAX_BYTES = 8 << 20  # of one; 1,100 tensors take 0.1 MiB


class Kept(msgspec.Struct, frozen=True):
    """A header on disk.

    Attributes:
        origin: Of the file, see `origin`.
        header: Without the chat template, which is of no use before the file is here.
    """

    origin: str
    header: Header


_decoder = msgspec.json.Decoder(Kept)


def origin(variant: Variant) -> str:
    """Repository, revision and file of a variant, or its address."""
    if variant.repo is None:
        return variant.url or variant.file
    return f"{variant.repo}@{variant.revision}/{variant.file}"


class Shelf:
    """One small file for each header.

    Args:
        state_dir: The daemon's.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def load(self, variant: Variant) -> Header | None:
        """What is kept of a variant; None if nothing is, or nothing that can be believed."""
        name = origin(variant)
        try:
            kept = _decoder.decode(read_bounded(self._path(name), MAX_BYTES))
        except (StorageError, ValueError, RecursionError):
            return None
        return kept.header if kept.origin == name else None

    def of(self, catalogue: Catalogue) -> dict[str, Header]:
        """All that is kept of a catalogue's variants, by their ids."""
        variants = (each for family in catalogue.families for each in family.variants)
        found = {each.id: self.load(each) for each in variants if each.repo or each.url}
        return {name: header for name, header in found.items() if header is not None}

    def keep(self, variant: Variant, header: Header) -> None:
        """Keep a header; the oldest ones go where there are too many.

        Raises:
            StorageError: The disk does not take it.
        """
        name = origin(variant)
        bare = replace(header, geometry=replace(header.geometry, chat_template=None))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._thin()
        except OSError as error:
            message = f"{self._folder}: {error.strerror}"
            raise StorageError(message) from error
        write_atomic(self._path(name), msgspec.json.encode(Kept(name, bare)))

    def _thin(self) -> None:
        """Make room for one more."""
        kept = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[: max(0, len(kept) - MAX_KEPT + 1)]:
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
