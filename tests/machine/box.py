"""One booted container: an overlay above a tree that stays as it is, gone afterwards."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Box:
    """A machine; leave the context and it is gone.

    Args:
        base: The tree below, never written.
        work: An empty folder on a file system that overlays can be written to.
    """

    def __init__(self, base: Path, work: Path) -> None:
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

    def sh(self, script: str, *, check: bool = True, timeout: float = WAIT_S) -> str:
        """What a script prints on standard output, within the machine."""
        command = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        done = subprocess.run(
            [*command, "bash", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apt(self, *words: str) -> str:
        """Run apt-get, saying yes."""
        return self.sh(f"apt-get -q -y {shlex.join(words)} 2>&1", timeout=300)

    def show(self, what: str) -> str:
        """A property of the service."""
        return self.sh(f"systemctl show -p {what} --value edged").strip()

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The service's records that match."""
        lines = self.sh(f"journalctl -u edged -o json {shlex.join(matches)}").splitlines()
        return [json.loads(line) for line in lines]

    def ask(self, prompt: str, name: str, **options: object) -> dict[str, Any]:
        """Publish a prompt and wait for its reply."""
        payload = json.dumps({"id": name, "prompt": prompt, "temperature": 0, **options})
        script = (
            f"mosquitto_sub -q 1 -t edged/edged/reply/{name} -C 1 -W 60 & sleep 0.5\n"
            f"mosquitto_pub -q 1 -t edged/edged/request -m {shlex.quote(payload)}\nwait $!"
        )
        reply: dict[str, Any] = json.loads(self.sh(script))
        return reply

    def until(self, holds: Callable[[], bool], patience_s: float = WAIT_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < deadline, f"{holds} did not come true\n{self._console()}"
            time.sleep(0.2)

    def ready(self) -> bool:
        """Whether the service is up and its model answers."""
        return self.show("ActiveState") == "active" and "ready" in self.show("StatusText")

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._console()
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

    def _console(self) -> str:
        return (self._work / "console").read_text(errors="replace")[-2000:]
