"""Debian 13's kernels for arm64 with an initramfs that finds the disk; fetched once a week."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.machine import roots

if TYPE_CHECKING:
    from collections.abc import Iterator

# As a Pi 5's own kernel it has pages of 16 KiB; a Pi 4's processor knows only those of 4.
BIG_PAGES, SMALL_PAGES = "arm64-16k", "cloud-arm64"
FLAVOURS = (BIG_PAGES, SMALL_PAGES)
TOOLS = "busybox-static"
MODULES = ("virtio_blk", "ext4")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in $(/bin/busybox ls /modules); do /bin/busybox insmod /modules/$module; done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


class Kernel(NamedTuple):
    """What a boot loader loads."""

    image: Path
    initramfs: Path


def kernel(flavour: str) -> Kernel:
    """The kernel of a flavour."""
    folder = _folder() / flavour
    return Kernel(folder / "image", folder / "initramfs")


def _folder() -> Path:
    mirror = roots.sources()
    folder = roots.cached("kernels", f"arm64-{roots.key(*FLAVOURS, mirror, INIT)}")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="part-") as scratch:
            _make(mirror, Path(scratch))
            (Path(scratch) / "made").rename(folder)
    return folder


def _make(mirror: str, scratch: Path) -> None:
    tree = scratch / "tree"
    include = ",".join([TOOLS, *(f"linux-image-{flavour}" for flavour in FLAVOURS)])
    # extracted and not installed: nothing of arm64 has to run for that
    options = ("--quiet", "--variant=extract", "--format=directory", "--architectures=arm64")
    command = ["mmdebstrap", *options, f"--include={include}", roots.SUITE, str(tree), "-"]
    subprocess.run(command, input=mirror, check=True, text=True)
    (tree / "lib").symlink_to("usr/lib")
    for flavour in FLAVOURS:
        made = scratch / "made" / flavour
        made.mkdir(parents=True)
        (image,) = tree.glob(f"boot/vmlinuz-*-{flavour}")
        release = image.name.removeprefix("vmlinuz-")
        shutil.copy(image, made / "image")
        _initramfs(tree, release, made)


def _initramfs(tree: Path, release: str, made: Path) -> None:
    root = made / "initramfs.d"
    for name in ("bin", "dev", "modules", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(tree / "usr/bin/busybox", root / "bin")
    for number, module in enumerate(_modules(tree, release)):
        (root / "modules" / f"{number:02}.ko").write_bytes(lzma.decompress(module.read_bytes()))
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    command = ["cpio", "--quiet", "-o", "-H", "newc"]
    done = subprocess.run(command, cwd=root, input=names.encode(), check=True, capture_output=True)
    (made / "initramfs").write_bytes(gzip.compress(done.stdout, 1))
    shutil.rmtree(root)


def _modules(tree: Path, release: str) -> Iterator[Path]:
    """The modules in the order in which each finds what it needs."""
    subprocess.run(["depmod", "-b", tree, release], check=True)
    for module in MODULES:
        command = ["modprobe", "-d", str(tree), "-S", release, "--show-depends", module]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield from (Path(line.split()[1]) for line in shown.splitlines() if "insmod" in line)
