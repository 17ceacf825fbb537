"""Which build of the engine the child loads, told without loading a line of it."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PACKAGE, _DISTRIBUTION = "llama_cpp", "llama-cpp-python"
_LIBRARIES = "*.so"  # besides each lie its versioned names, which are links or copies
_DIGEST_BYTES = 16


def build_id(
    environ: Mapping[str, str] = os.environ, search: Sequence[str] | None = None
) -> str | None:
    """Version and digest of the engine's libraries; None if they are not to be found.

    Args:
        environ: Of this process; the child is given the same LLAMA_CPP_LIB_PATH.
        search: Where packages are; None is this process's own path.
    """
    for folder in _folders(environ, sys.path if search is None else search):
        libraries = sorted(folder.glob(_LIBRARIES))
        if libraries:
            return f"{_version()} {_digest(libraries)}"
    return None


def _folders(environ: Mapping[str, str], search: Sequence[str]) -> list[Path]:
    override = environ.get("LLAMA_CPP_LIB_PATH")
    if override:
        return [Path(override)]
    return [Path(entry or ".") / _PACKAGE / "lib" for entry in search]


def _digest(libraries: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for path in libraries:
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "blake2b")
        digest.update(path.name.encode() + b"\0" + inner.digest())
    return digest.hexdigest()


def _version() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
