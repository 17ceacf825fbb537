"""A tree of arm64 that is changed into, its programs run by qemu as one processor or another.

Fit for what is found and loaded, never for speed: a token takes a tenth of a second here.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

FORMATS = Path("/proc/sys/fs/binfmt_misc")
NAME = "qemu-aarch64"
# qemu's default processor signs pointers, which makes Debian's Python twenty times slower.
PI_5 = "cortex-a76"
TIMEOUT_S = 300
ENTER = """set -e
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
ip link set lo up
exec chroot "$1" bash -c "$2"
"""


def register() -> None:
    """Let the kernel run arm64 programs; it needs qemu-user-static."""
    description = Path(f"/usr/lib/binfmt.d/{NAME}.conf")
    assert description.exists(), "apt-get install qemu-user-static"
    if not (FORMATS / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", FORMATS], check=True)
    if not (FORMATS / NAME).exists():
        (FORMATS / "register").write_text(description.read_text())


def run(tree: Path, script: str, cpu: str = PI_5) -> str:
    """What a script prints in the tree, without a network, on this processor."""
    alone = ("-m", "-n", "-p", "--fork", "--kill-child")  # what it leaves running ends with it
    command = ["unshare", *alone, "--propagation", "private", "sh", "-c", ENTER, "sh"]
    done = subprocess.run(
        [*command, tree, script],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "QEMU_CPU": cpu,
            "DEBIAN_FRONTEND": "noninteractive",
        },
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def refuse_services(tree: Path) -> None:
    """Nothing is started by maintainer scripts: there is no systemd in a tree."""
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
