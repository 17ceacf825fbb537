"""One booted container: an overlay above a tree that stays as it is, gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.machine.machine import Machine

BOOT_S = 120.0
WAIT_S = 90.0  # for what takes a second or two on a quiet machine
# A builder with control groups of version 1 hides them: systemd wants version 2. This machine's own
# mounts are untouched, since the script runs in a mount namespace of its own.
UNIFIED = """set -e
if [ ! -f /sys/fs/cgroup/cgroup.controllers ]; then
  umount -l /sys/fs/cgroup/* 2>/dev/null || true
  umount -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
"""
START = f"""{UNIFIED}
work=$1 base=$2
# Where /run is on a disk, nspawn refuses to tidy up at a reboot.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mkdir -p "/sys/fs/cgroup/edged-box-$$"
echo $$ > "/sys/fs/cgroup/edged-box-$$/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$work/tree"
exec systemd-nspawn --quiet --register=no --keep-unit --private-network -M "edged-box-$$" \
  -D "$work/tree" --boot
"""
TIDY = f"""{UNIFIED}
find "/sys/fs/cgroup/edged-box-$1" -depth -type d -exec rmdir {{}} +
"""
PRIVATE = ("unshare", "-m", "--propagation", "private", "sh", "-c")


class Box(Machine):
    """A machine; leave the context and it is gone.

    Args:
        base: The tree below, never written.
        work: An empty folder on a file system that overlays can be written to.
    """

    def __init__(self, base: Path, work: Path) -> None:
        super().__init__(WAIT_S)
        self._base = base
        self._work = work
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        for folder in ("upper", "work", "tree"):
            (self._work / folder).mkdir()
        self._boot()
        self.sh("apt-get update -q")
        return self

    def _boot(self) -> None:
        with (self._work / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*PRIVATE, START, "sh", self._work, self._base],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self.until(self._is_up, BOOT_S)

    def __exit__(self, *_error: object) -> None:
        assert self._process is not None
        # The container's first process, by its number: what is in it ends with it.
        if (leader := self._find_leader()) is not None:
            os.kill(leader, signal.SIGKILL)
        self._gone()

    def reboot(self) -> None:
        """Down in order and up again, with the same disk."""
        self.sh("systemctl --no-block reboot")
        self._gone()
        self._boot()

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait(BOOT_S)
        subprocess.run([*PRIVATE, TIDY, "sh", str(self._process.pid)], check=True)

    def run(self, script: str, timeout: float) -> subprocess.CompletedProcess[str]:
        command = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        return subprocess.run(
            [*command, "bash", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )

    def console(self) -> str:
        return (self._work / "console").read_text(errors="replace")[-2000:]

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.console()
        leader = self._find_leader()
        if leader is None:
            return False
        self._leader = leader
        state = self.sh("systemctl is-system-running", check=False).strip()
        return state in {"running", "degraded"}

    def _find_leader(self) -> int | None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        numbers = children.read_text().split() if children.exists() else []
        return int(numbers[0]) if numbers else None
