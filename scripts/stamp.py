"""Remembers on which inputs a long test last passed, so that it need not run where none changed.

`python -m scripts.stamp check NAME` exits with 0 if the committed stamp of a test fits the tree,
else with 1 and a line that says so; `python -m scripts.stamp write NAME` writes it, after the test
passed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
# How it is packaged and started, and not edged/: almost each commit changes that, and its own tests
# run each time. A release runs the long tests whatever the stamps say.
PACKAGING = (
    "debian",
    # not edged.catalog and config/edged.yaml, which most features add to: tests/telemetry and
    # tests/debian read them as the package does
    "systemd/edged.service",
    "scripts/apt-repo",
    "scripts/config_manual.py",
    "scripts/deb",
    "scripts/llama-libs",
    "scripts/llama-sdist",
    "scripts/llama.mk",
    # where the engine's process finds its library, and which one that was: all else in
    # edged/engine/worker computes on any machine as on the emulated one
    "edged/engine/worker/library.py",
    "edged/engine/worker/native.py",
)
# The version, which each release writes anew; and what tests/debian compares with the program.
ELSEWHERE = {"debian/changelog", "debian/edged.1", "debian/edged.completion"}
# test: what its result depends on
INPUTS = {
    "machine": (*PACKAGING, "tests/machine"),
    "pi": (
        *PACKAGING,
        "tests/machine/emulated.py",
        "tests/machine/machine.py",
        "tests/machine/repository.py",
        "tests/machine/roots.py",
        "tests/pi",
    ),
}
STAMP = "stamp"


def digest(root: Path, names: Iterable[str]) -> str:
    """A word for the contents of files, by their names.

    Args:
        root: Of a checkout.
        names: Files below it.
    """
    found = hashlib.sha256()
    for name in sorted(names):
        inner = hashlib.sha256((root / name).read_bytes()).hexdigest()
        found.update(f"{name}\0{inner}\n".encode())
    return found.hexdigest()


def current(root: Path, test: str) -> str:
    """The same for a test's inputs as they lie there, committed or not.

    Raises:
        KeyError: There is no such test.
    """
    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    command = ["git", "-C", str(root), *listed, "--", *INPUTS[test]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    names = {name for name in done.stdout.split("\0") if name and Path(name).name != STAMP}
    return digest(root, (name for name in names - ELSEWHERE if (root / name).is_file()))


def place(root: Path, test: str) -> Path:
    """Where the stamp of a test is."""
    return root / "tests" / test / STAMP


def fits(root: Path, test: str) -> bool:
    """Whether the test passed on the inputs that are there."""
    path = place(root, test)
    return path.exists() and path.read_text(encoding="ascii").strip() == current(root, test)


def main(root: Path, words: list[str]) -> str | None:
    """What is to be said; None if all is well."""
    verb, test = words if len(words) == len(("verb", "test")) else ("", "")
    if verb not in {"check", "write"} or test not in INPUTS:
        return f"usage: stamp check|write {'|'.join(INPUTS)}"
    if verb == "write":
        place(root, test).write_text(f"{current(root, test)}\n", encoding="ascii")
        return None
    if fits(root, test):
        return None
    return f"test-{test} has not passed on these inputs: make test-{test}, and commit its stamp"


if __name__ == "__main__":
    sys.exit(main(ROOT, sys.argv[1:]))
