"""Small files of sensors, and the folders that they are found in by name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.errors import StorageError
from edged.files import read_bounded
from edged.thermal.readings import NoReading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 4096  # the longest is memory pressure's, with two lines
MAX_FOLDERS = 256  # a PC has a dozen


def content(path: Path) -> str | NoReading:
    """The text of a file without white space around it, or why it cannot be read."""
    try:
        return read_bounded(path, MAX_BYTES).decode(errors="replace").strip()
    except StorageError as error:
        return NoReading(str(error))


def value(path: Path) -> str:
    """The same; what cannot be read is empty."""
    text = content(path)
    return "" if isinstance(text, NoReading) else text


class Place:
    """A folder known by what a file in it says, as `hwmon*/name`: numbers change as drivers load.

    It is looked for once and kept; when it is gone, or another has taken its number, it is looked
    for again.
    """

    def __init__(self, parent: Path, prefix: str, label: str, names: tuple[str, ...]) -> None:
        self._parent = parent
        self._prefix = prefix
        self._label = label
        self._names = names
        self._kept: Path | None = None

    def path(self) -> Path | None:
        """Where it is now; the earlier of `names` are preferred."""
        if self._kept is None or value(self._kept / self._label) not in self._names:
            labels = {value(folder / self._label): folder for folder in self._folders()}
            self._kept = next((labels[name] for name in self._names if name in labels), None)
        return self._kept

    def _folders(self) -> Iterator[Path]:
        """Those that may be it, the last first, so that the first of a name wins."""
        try:
            found = sorted(os.listdir(self._parent))[:MAX_FOLDERS]  # noqa: PTH208 - names
        except OSError:
            return
        yield from (
            self._parent / name for name in reversed(found) if name.startswith(self._prefix)
        )
