"""The package's signed repository within a tree, with the version before beside it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

BEFORE = "0.0.9"
SCRIPT = Path(__file__).parents[2] / "scripts" / "apt-repo"
PLACE = "srv/repo"


def make(tree: Path, package: Path) -> None:
    """Put both versions into a repository that the tree's apt knows; the older one is held back."""
    with tempfile.TemporaryDirectory(prefix="edged-repo-") as scratch:
        before = _before(package, Path(scratch))
        place = tree / PLACE
        subprocess.run([SCRIPT, place, package, before], check=True, capture_output=True)
    (tree / f"{PLACE}-key.asc").unlink()
    sources = (place / "edged.sources").read_text().replace(str(place), f"/{PLACE}")
    (tree / "etc/apt/sources.list.d/edged.sources").write_text(sources)


def _before(package: Path, scratch: Path) -> Path:
    """The same package under an older version, whose configuration said other words."""
    tree = scratch / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    version = next(line for line in lines if line.startswith("Version: "))
    control.write_text(control.read_text().replace(version, f"Version: {BEFORE}"))
    configuration = tree / "usr/share/edged/edged.yaml"
    configuration.write_text(configuration.read_text() + "# as it was before\n")
    # apt-ftparchive tells the architecture by the name
    made = scratch / package.name.replace(package.name.split("_")[1], BEFORE)
    subprocess.run(["dpkg-deb", "-b", tree, made], check=True, capture_output=True)
    return made
