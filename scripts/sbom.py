"""Makes the bill of materials of the Debian packages, an SPDX 2.3 document in JSON.

`python -m scripts.sbom PACKAGE.deb...` prints it. Versions, hashes and licences are read where they
are written: debian/copyright, debian/changelog, scripts/llama.mk and the packages. Of the same
packages it is the same to the byte: its time is SOURCE_DATE_EPOCH, else that of debian/changelog.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path

from scripts.spdx import POCKET, Deb, Rights, Sources, document

ROOT = Path(__file__).parents[1]
# What Debian calls a licence and SPDX calls otherwise.
LICENCES = {"Apache-2.0": "Apache-2.0", "Expat": "MIT"}


def rights(copyright_file: str) -> dict[str, Rights]:
    """The licences of debian/copyright, by its Files fields.

    Raises:
        ValueError: One has no name of SPDX here.
    """
    found = {}
    for paragraph in copyright_file.split("\n\n"):
        fields = dict(re.findall(r"^(\w+): *(.*(?:\n .*)*)", paragraph, re.MULTILINE))
        if "Files" not in fields:
            continue
        licence = fields["License"].split("\n")[0]
        if licence not in LICENCES:
            message = f"debian/copyright: what does SPDX call {licence}? Enter it in LICENCES"
            raise ValueError(message)
        holders = [line.strip() for line in fields["Copyright"].split("\n")]
        found[fields["Files"]] = Rights(LICENCES[licence], "\n".join(holders))
    return found


def read_sources(root: Path, epoch: str | None) -> Sources:
    """Reads the tree.

    Args:
        root: The tree.
        epoch: SOURCE_DATE_EPOCH; None takes the time of debian/changelog.
    """
    changelog = (root / "debian" / "changelog").read_text(encoding="utf-8")
    version = changelog.split("(", 1)[1].split(")", 1)[0]
    signed = re.search(r"^ -- .*>  (.*)$", changelog, re.MULTILINE)
    if signed is None:
        message = "debian/changelog: the first entry has no time"
        raise ValueError(message)
    pins = (root / "scripts" / "llama.mk").read_text(encoding="utf-8")
    return Sources(
        version=version,
        created=int(epoch or parsedate_to_datetime(signed[1]).timestamp()),
        rights=rights((root / "debian" / "copyright").read_text(encoding="utf-8")),
        pins=dict(re.findall(r"^export (\w+) := (\S+)$", pins, re.MULTILINE)),
        pocket=_sha256(root / POCKET),
    )


def read_deb(path: Path) -> Deb:
    """Reads a package's fields, by dpkg-deb."""
    command = ["dpkg-deb", "-f", str(path), "Architecture", "Depends"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    fields = dict(line.split(": ", 1) for line in told.splitlines())
    return Deb(path.name, _sha256(path), fields["Architecture"], fields["Depends"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    packages = [read_deb(path) for path in sorted(map(Path, sys.argv[1:]))]
    if not packages:
        sys.exit("usage: python -m scripts.sbom PACKAGE.deb...")
    made = document(read_sources(ROOT, os.environ.get("SOURCE_DATE_EPOCH")), packages)
    sys.stdout.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
