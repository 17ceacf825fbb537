"""The files of made-up models, as long as a board is calibrated."""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING, Self

from edged.errors import StorageError
from edged.files import write_scratch
from edged.models.made import file

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.made import Shape

NAME = "calibrating"
ENDING = ".gguf"
SOLID_SHARE = 0.25  # some file systems know no holes: what takes more of its size is not kept
BLOCK = 512  # bytes that stat counts in, on any file system
IN_USE = 2  # who is loaded side by side; more would fill a small memory


class Scratch:
    """`with Scratch(folder) as scratch:` makes models one by one, and leaves none.

    Holes take no room on a disk, and their pages in memory are the kernel's to take back. Kept,
    they are there in the next round: to fault in a model of 2 GB anew takes 4 s.

    Args:
        folder: Where they are written. It needs 450 MB for each that is in use or loaded (what is
            larger is holes), 64 MB where caches are as small as a Pi's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._kept: dict[Shape, Path] = {}
        self._used: dict[Shape, Path] = {}  # the last one at the end
        self._numbers = count()

    def __enter__(self) -> Self:
        """Removes what a killed predecessor left.

        Raises:
            StorageError: The folder cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._folder.glob(f"{NAME}*{ENDING}"):
                path.unlink()
        except OSError as error:
            message = f"{error.filename} cannot be written: {error.strerror}"
            raise StorageError(message) from error
        return self

    def __exit__(self, *_: object) -> None:
        for path in (*self._kept.values(), *self._used.values()):
            path.unlink(missing_ok=True)

    def made(self, shape: Shape) -> Path:
        """The file of a model; those before the last two are gone, unless they are mostly holes.

        Raises:
            StorageError: The disk does not take it.
        """
        if shape in self._kept:
            return self._kept[shape]
        if shape in self._used:
            self._used[shape] = path = self._used.pop(shape)
            return path
        if len(self._used) == IN_USE:
            self._used.pop(next(iter(self._used))).unlink(missing_ok=True)
        path = self._folder / f"{NAME}-{next(self._numbers)}{ENDING}"
        source = random.Random(0).randbytes  # noqa: S311 - weights, no secret
        write_scratch(path, file(shape, source))
        if shape.hollow and not _is_solid(path):
            self._kept[shape] = path
        else:
            self._used[shape] = path
        return path


def _is_solid(path: Path) -> bool:
    found = path.stat()
    return found.st_blocks * BLOCK > SOLID_SHARE * found.st_size
