"""Trees of Debian 13, made once a week for a set of packages, by the mirror this machine uses."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from tests.machine.emulated import PI_5

SUITE = "trixie"
# What a Pi has anyway, a broker and its clients, and what maintainer scripts need.
ALWAYS = "apt-utils dbus debconf iproute2 mosquitto mosquitto-clients procps systemd-sysv udev"


def archive(package: Path, architecture: str) -> Path:
    """A tar of a tree in which `package` can be installed without a network."""
    include = sorted({*ALWAYS.split(), *depends(package)})
    mirror = sources()
    made = cached("roots", f"{SUITE}-{architecture}-{key(*include, mirror)}.tar")
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(".part.tar")
        _debootstrap(include, mirror, part, architecture)
        part.rename(made)
    return made


def cached(*names: str) -> Path:
    """A place outside the tree, where what takes minutes to make is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return cache.joinpath("edged", *names)


def key(*inputs: str) -> str:
    """A word for what something is made from; another one each week, since Debian goes on."""
    week = subprocess.run(["date", "+%G-%V"], check=True, capture_output=True, text=True).stdout
    return hashlib.sha256("\n".join([*inputs, week]).encode()).hexdigest()[:16]


def unpack(tar: Path, tree: Path) -> None:
    """The tree, as a machine that was never booted."""
    subprocess.run(["tar", "-C", tree, "-xf", tar], check=True)
    (tree / "etc/machine-id").write_text("")
    # nothing but our own repository may be asked
    for source in (tree / "etc/apt").glob("sources.list*/*"):
        source.unlink()
    (tree / "etc/apt/sources.list").unlink(missing_ok=True)


def depends(package: Path) -> list[str]:
    """The names a package depends on, the first of each choice."""
    command = ["dpkg-deb", "-f", str(package), "Pre-Depends", "Depends"]
    fields = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lists = " ".join(line.split(":", 1)[1] for line in fields.splitlines())
    return [re.split(r"[ :(|]", one.strip())[0] for one in lists.split(",") if one.strip()]


def sources() -> str:
    """This machine's sources of Debian, with the suite asked for in place of its own."""
    release = Path("/etc/os-release").read_text()
    own = re.search(r"^VERSION_CODENAME=(\S+)", release, re.MULTILINE)
    assert own is not None, "this is no Debian"
    lists = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    texts = [path.read_text() for path in lists if path.exists()]
    debian = [text for text in texts if re.search(rf"\b{own[1]}\b.*\b", text)]
    assert debian, f"no source of {own[1]} is configured"
    return "\n".join(re.sub(rf"\b{own[1]}\b", SUITE, text) for text in debian[:1])


def _debootstrap(include: list[str], mirror: str, target: Path, architecture: str) -> None:
    options = [f"--include={','.join(include)}", f"--architectures={architecture}"]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *options]
    subprocess.run(
        [*command, SUITE, target, "-"],
        input=mirror,
        check=True,
        text=True,
        env={**os.environ, "QEMU_CPU": PI_5},  # for another architecture than this machine's
    )
