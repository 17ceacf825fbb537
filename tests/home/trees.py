"""Where the real programs live: built once for a set of requirements, never written afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.machine.roots import SUITE, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
PACKAGES = HERE / "package.json"
# A few of Home Assistant's requirements come as source only.
INCLUDE = "ca-certificates g++ gcc libc6-dev python3 python3-dev python3-venv"
# Changed into with a file system of its own, and with nothing of this machine's but its network.
ENTER = """set -e
tree=$1; shift
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --bind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/tmp"
for file in /etc/hosts /etc/resolv.conf /etc/ssl/certs; do mount --bind $file "$tree$file"; done
if [ -n "$CONFIG" ]; then
  mount -o remount,bind,ro "$tree"
  mount --bind "$CONFIG" "$tree/srv/config"
fi
exec chroot "$tree" "$@"
"""
INSTALL = """set -e
python3 -m venv /srv/house
pip="/srv/house/bin/pip install --quiet --prefer-binary"
$pip --no-deps "$(grep ^homeassistant= /srv/requirements.txt)"
constraints=$(echo /srv/house/lib/*/site-packages/homeassistant/package_constraints.txt)
$pip -c "$constraints" -r /srv/requirements.txt
"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing(tools: Iterable[str]) -> list[str]:
    """Those of the tools that this machine has not."""
    return [tool for tool in tools if shutil.which(tool) is None]


def enter(tree: Path, *command: str) -> list[str]:
    """What runs a command in the tree; with `CONFIG` set, that folder is all it can write to."""
    private = ("unshare", "-m", "--propagation", "private", "sh", "-c")
    return [*private, ENTER, "sh", str(tree), *command]


def home_assistant() -> Path:
    """A tree of Debian with Home Assistant in `/srv/house`."""
    mirror = sources()
    wanted = REQUIREMENTS.read_text()

    def build(tree: Path) -> None:
        options = ["--quiet", "--variant=minbase", f"--include={INCLUDE.replace(' ', ',')}"]
        command = ["mmdebstrap", *options, SUITE, str(tree), "-"]
        subprocess.run(command, input=mirror, check=True, text=True)
        (tree / "etc/resolv.conf").touch()
        (tree / "srv/config").mkdir()
        (tree / "srv/requirements.txt").write_text(wanted)
        environment = {**os.environ, "PATH": PATH, "HOME": "/tmp", "CONFIG": ""}  # noqa: S108 - its own
        subprocess.run(enter(tree, "sh", "-c", INSTALL), check=True, env=environment)

    return _kept("house", (SUITE, mirror, INCLUDE, INSTALL, wanted), build)


def node_red() -> Path:
    """A folder with Node-RED in `node_modules`."""

    def build(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(PACKAGES, folder)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet], check=True, cwd=folder)

    return _kept("node-red", (PACKAGES.read_text(),), build)


def _kept(name: str, recipe: Iterable[str], build: Callable[[Path], None]) -> Path:
    """What a recipe once made; half a tree never has its name."""
    key = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "edged" / "home"
    made = cache / f"{name}-{key}"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = cache / f"{made.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        build(part)
        part.rename(made)
    return made
