"""What the package says agrees with the tree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "debian"
VENDORED = {"llama-cpp-python"}
OPTIONAL_IN_PYPI = {"systemd-python": "systemd"}


def bounds(text: str) -> dict[str, str | None]:
    """Names of Debian's Python packages with the version they must have at least."""
    found = re.findall(r"python3-([a-z0-9-]+)(?: \(>= ([0-9.]+)\))?(?=[,\s])", text)
    return {name: bound or None for name, bound in found}


def depends() -> str:
    control = (DEBIAN / "control").read_text()
    return control.split("\nDepends: ", 1)[1].split("\nRecommends:", 1)[0]


def test_what_pip_would_install_the_package_depends_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["systemd"]]
    packaged = bounds(depends())
    for requirement in asked:
        name, _, bound = re.split(r"(>=|==)", requirement)
        if name in VENDORED:
            continue
        debian = OPTIONAL_IN_PYPI.get(name, name.lower().removeprefix("py"))
        assert debian in packaged, f"{name} is missing in debian/control"
        assert packaged[debian] in {None, bound}, f"{name}: another bound in debian/control"


def test_the_pinned_engine_is_the_one_of_pyproject() -> None:
    pins = (ROOT / "scripts" / "llama.mk").read_text()
    version = re.search(r"LLAMA_VERSION := (\S+)", pins)
    assert version is not None
    assert f'"llama-cpp-python=={version[1]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_unit_is_the_one_of_the_tree() -> None:
    link = DEBIAN / "edged.service"
    assert link.resolve() == ROOT / "systemd" / "edged.service"


def test_folders_of_the_unit_are_those_made_before_the_first_start() -> None:
    text = (DEBIAN / "edged.tmpfiles").read_text()
    made = dict(re.findall(r"^d (\S+) (\d+) edged", text, re.MULTILINE))
    assert made["/var/lib/edged"] == made["/var/cache/edged"] == "0700"
    unit = (ROOT / "systemd" / "edged.service").read_text()
    assert "\nStateDirectoryMode=0700\n" in unit
    assert "\nCacheDirectoryMode=0700\n" in unit


def test_lines_that_booted_machines_change_are_in_the_configuration() -> None:
    packaged = (ROOT / "config" / "edged.yaml").read_text()
    files = (path for name in ("machine", "pi") for path in (ROOT / "tests" / name).glob("*.py"))
    found = [re.findall(r"sed -i 's/\^(  #[^/]+)/", path.read_text()) for path in files]
    assert any(found)
    assert [line for lines in found for line in lines if f"\n{line}" not in packaged] == []
