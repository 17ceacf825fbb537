"""Names, sizes and times of the files of a folder, without reading them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.models.signs import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.signs import Listing


def listing(folder: Path, ending: str, most: int) -> Listing:
    """The files whose names end so, sorted by name; none where the folder cannot be read.

    Args:
        folder: It may be missing.
        ending: Such as `.gguf`.
        most: More are not listed.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ending))  # noqa: PTH208
    except OSError:
        return ()
    found = []
    for name in names[:most]:
        try:
            facts = (folder / name).stat()
        except OSError:  # gone since, or a link to nowhere
            continue
        found.append(Entry(name, facts.st_size, facts.st_mtime_ns))
    return tuple(found)
