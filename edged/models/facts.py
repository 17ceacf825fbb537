"""What is known of a board: the facts that a choice of model rests on."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Storage = Literal["sd", "nvme", "usb", "disk", "unknown"]


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A board and what runs on it. Unknown is None, never 0.

    Attributes:
        board: The device tree's or the firmware's name of it.
        architecture: As `uname -m` says.
        cpu: Its name.
        cores: Physical ones that this process may use.
        cpu_features: Sorted; those that change which kernels run.
        ram_bytes: All of it.
        available_bytes: MemAvailable: what can be had without swapping.
        cgroup_limit_bytes: The least limit of the control groups we are in.
        cgroup_used_bytes: What is charged to that group now, without pages of files.
        page_bytes: Of memory.
        kernel: Its release.
        governor: Of cpufreq.
        max_khz: The highest clock.
        firmware: The date of the boot loader.
        storage: What the models directory is on.
        free_bytes: Room in the models directory.
        swap_bytes: Swap that is not zram.
        zram_bytes: Swap in compressed memory.
        cooler: Whether a fan is there that the kernel knows of.
    """

    board: str | None = None
    architecture: str
    cpu: str | None = None
    cores: int
    cpu_features: tuple[str, ...] = ()
    ram_bytes: int
    available_bytes: int
    cgroup_limit_bytes: int | None = None
    cgroup_used_bytes: int | None = None
    page_bytes: int = 4096
    kernel: str | None = None
    governor: str | None = None
    max_khz: int | None = None
    firmware: str | None = None
    storage: Storage = "unknown"
    free_bytes: int | None = None
    swap_bytes: int = 0
    zram_bytes: int = 0
    cooler: bool | None = None

    def fingerprint(self, engine_build: str) -> str:
        """Identifies what a measured speed holds for; free memory and free disk are no part of it.

        Args:
            engine_build: Which llama.cpp computes, see `edged.engine.build`.

        Returns:
            16 hex digits.
        """
        parts = (
            self.board,
            self.architecture,
            self.cpu,
            self.cores,
            self.cpu_features,
            self.ram_bytes >> 28,  # a kernel update moves it by some MiB
            self.page_bytes,
            self.kernel,
            self.governor,
            self.max_khz,
            self.firmware,
            self.cooler,
            engine_build,
        )
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()
