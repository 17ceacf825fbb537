from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.sbom import LICENCES, read_deb, read_sources, rights
from scripts.spdx import Deb, dependencies, document

ROOT = Path(__file__).parents[2]
DEPENDS = "python3-yaml (>= 6.0), libc6 (>= 2.34), libstdc++6 (>= 11), python3:any, ucf | cat"
DEBS = (
    Deb("edged_1_amd64.deb", "a" * 64, "amd64", DEPENDS),
    Deb("edged_1_arm64.deb", "b" * 64, "arm64", "libc6, python3-rich"),
)
HELD = ("edged-amd64", "edged-arm64", "llama-cpp-python", "pocket-model")
# What the standard asks of each package, and what it lets an id be made of (chapter 7).
ASKED = {"SPDXID", "name", "downloadLocation"}
ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")


def made(epoch: str | None = "1000000000", debs: tuple[Deb, ...] = DEBS) -> dict[str, Any]:
    return document(read_sources(ROOT, epoch), debs)


def packages(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["SPDXID"].removeprefix("SPDXRef-"): one for one in found["packages"]}


def test_the_head_has_what_the_standard_asks() -> None:
    found = made()
    assert (found["spdxVersion"], found["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert found["SPDXID"] == "SPDXRef-DOCUMENT"
    assert found["creationInfo"]["created"] == "2001-09-09T01:46:40Z"
    assert all(re.match("(Organization|Tool): ", who) for who in found["creationInfo"]["creators"])


def test_every_package_has_what_the_standard_asks_and_an_id_of_its_own() -> None:
    found = made()
    ids = [one["SPDXID"] for one in found["packages"]]
    assert len(set(ids)) == len(ids)
    for one in found["packages"]:
        assert one.keys() >= ASKED
        assert ID.fullmatch(one["SPDXID"])
        assert one["filesAnalyzed"] is False


def test_relations_join_what_there_is() -> None:
    found = made()
    known = {f"SPDXRef-{key}" for key in packages(found)}
    joined = set()
    for one in found["relationships"]:
        joined.add(one["relatedSpdxElement"])
        assert one["spdxElementId"] in known | {"SPDXRef-DOCUMENT"}
    assert joined == known
    of_arm64 = [
        one["relatedSpdxElement"].removeprefix("SPDXRef-")
        for one in found["relationships"]
        if (one["spdxElementId"], one["relationshipType"]) == ("SPDXRef-edged-arm64", "DEPENDS_ON")
    ]
    assert of_arm64 == ["libc6", "python3-rich"]


def test_what_is_depended_on_is_named_without_its_version() -> None:
    names = ["libc6", "libstdc++6", "python3", "python3-yaml", "ucf"]
    assert dependencies(DEPENDS) == names
    found = packages(made())
    assert "versionInfo" not in found["libstdc--6"]
    assert found["libstdc--6"]["name"] == "libstdc++6"


def test_packages_and_what_they_hold_have_their_hashes() -> None:
    found = packages(made())
    pins = (ROOT / "scripts" / "llama.mk").read_text()
    sums = {key: one["checksums"][0]["checksumValue"] for key, one in found.items() if key in HELD}
    assert sums["edged-amd64"] == "a" * 64
    assert f"LLAMA_SHA256 := {sums['llama-cpp-python']}\n" in pins
    assert f"LLAMA_VERSION := {found['llama-cpp-python']['versionInfo']}\n" in pins
    assert f"LLAMA_CPP_COMMIT := {found['llama.cpp']['versionInfo']}\n" in pins
    command = ["sha256sum", str(ROOT / "edged" / "data" / "pocket.gguf")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.split()[0] == sums["pocket-model"]


def test_licences_are_those_of_debian_copyright_and_of_the_tree() -> None:
    found = packages(made())
    held = (*HELD, "llama.cpp")
    licences = {key: found[key]["licenseDeclared"] for key in held}
    assert licences == {
        "edged-amd64": "Apache-2.0",
        "edged-arm64": "Apache-2.0",
        "llama-cpp-python": "MIT",
        "llama.cpp": "MIT",
        "pocket-model": "Apache-2.0",
    }
    text = (ROOT / "debian" / "copyright").read_text()
    assert set(re.findall(r"^License: (\S+)$", text, re.MULTILINE)) == set(LICENCES)
    for key in held:
        for holder in found[key]["copyrightText"].split("\n"):
            assert holder in text
    about = json.loads((ROOT / "edged" / "data" / "pocket.json").read_text())
    assert about["license"] == licences["pocket-model"]
    assert {found[key]["licenseDeclared"] for key in found.keys() - set(held)} == {"NOASSERTION"}


def test_a_licence_without_a_name_of_spdx_stops_it() -> None:
    paragraph = "Files: *\nCopyright: 2026 A\n 2027 B\nLicense: {}\n\nLicense: Expat\n Words"
    assert rights(paragraph.format("Expat"))["*"] == ("MIT", "2026 A\n2027 B")
    with pytest.raises(ValueError, match=r"what does SPDX call BSD-9\?"):
        rights(paragraph.format("BSD-9"))


def test_the_same_packages_give_the_same_document_and_others_another_name() -> None:
    assert made() == made()
    others = (made(debs=DEBS[:1]), made("1000000001"), made())
    assert len({one["documentNamespace"] for one in others}) == len(others)


def test_its_time_is_that_of_the_changelog_where_nothing_else_is_told(tmp_path: Path) -> None:
    for name in ("debian", "scripts", "edged"):
        (tmp_path / name).symlink_to(ROOT / name)
    created = read_sources(tmp_path, None).created
    assert read_sources(tmp_path, str(created)).created == created
    (tmp_path / "debian").unlink()
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian" / "changelog").write_text("edged (1) trixie; urgency=low\n")
    with pytest.raises(ValueError, match="has no time"):
        read_sources(tmp_path, None)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
def test_it_is_printed_for_real_packages(tmp_path: Path) -> None:
    control = tmp_path / "edged" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.parent.chmod(0o755)
    control.write_text(
        "Package: edged\nVersion: 1\nArchitecture: arm64\nMaintainer: A <a@b.example>\n"
        "Depends: libc6 (>= 2.34),\n python3-yaml\nDescription: short\n"
    )
    built = tmp_path / "edged_1_arm64.deb"
    command = ["dpkg-deb", "--build", "--root-owner-group", str(control.parents[1]), str(built)]
    subprocess.run(command, check=True, capture_output=True)
    assert dependencies(read_deb(built).depends) == ["libc6", "python3-yaml"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1000000000"}
    shown = subprocess.run(
        [sys.executable, "-m", "scripts.sbom", built],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=environment,
    )
    assert json.loads(shown.stdout) == made(debs=(read_deb(built),))
