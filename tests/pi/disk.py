"""The card of a virtual Pi: Debian 13 with the package in it, as a file that is never written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.machine import emulated, repository, roots

SIZE = 4 << 30  # of a sparse file
FSTAB = "/dev/vda / ext4 rw,noatime 0 1\n"
AGENT = Path(__file__).with_name("agent.sh")
# A board to choose for, and where it is on the disk.
BOARD = Path(__file__).parents[1] / "fixtures" / "boards" / "pi5-16gb"
RECORDED = "/srv/board"
UNIT = """[Unit]
Description=Runs the scripts of the tests

[Service]
ExecStart=/usr/bin/bash /srv/agent.sh
Restart=always

[Install]
WantedBy=multi-user.target
"""
# Nothing here has an answer from outside, and an emulated processor has other things to do.
UNWANTED = "apt-daily.timer apt-daily-upgrade.timer ldconfig.service systemd-firstboot.service"


def make(package: Path, scratch: Path) -> Path:
    """A disk on which apt has installed the package from its repository.

    Args:
        package: For arm64.
        scratch: An empty folder.
    """
    emulated.register()
    tree, disk = scratch / "tree", scratch / "disk"
    tree.mkdir()
    roots.unpack(roots.archive(package, "arm64"), tree)
    repository.make(tree, package)
    emulated.refuse_services(tree)
    emulated.run(tree, "apt-get update -q && apt-get install -q -y edged")
    (tree / "usr/sbin/policy-rc.d").unlink()
    _prepare(tree)
    with disk.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, disk], check=True)
    subprocess.run(["rm", "-rf", "--one-file-system", tree], check=True)
    return disk


def _prepare(tree: Path) -> None:
    (tree / "etc/fstab").write_text(FSTAB)
    shutil.copytree(BOARD, tree / RECORDED[1:], symlinks=True)
    (tree / "etc/hostname").write_text("pi\n")
    (tree / "srv/agent.sh").write_text(AGENT.read_text())
    (tree / "etc/systemd/system/agent.service").write_text(UNIT)
    units = f"systemctl enable -q agent.service && systemctl mask -q {UNWANTED}"
    emulated.run(tree, units)
