"""Checks of how the board was set up: memory banks, firmware, governor, swap."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from edged.doctor.facts import Kernel
    from edged.models.facts import DeviceFacts

MIB = 1 << 20
PI_5 = re.compile(r"Raspberry Pi (5|500|Compute Module 5)\b")
# The first boot loader that sets up NUMA emulation as a whole; before it the kernel's half is idle.
FIRMWARE = "2024-11-05"
# Held at the lowest clock, or wherever somebody left it. On x86 powersave follows the load.
SLOW_GOVERNORS = ("powersave", "userspace")
# A boot loader's own default since 2025; without NUMA emulation it took 45 % of a decoder's speed.
BANKLOW = 1


def is_pi_5(device: DeviceFacts) -> bool:
    """Whether it has the Pi 5's processor."""
    return PI_5.match(device.board or "") is not None


def numa(device: DeviceFacts, kernel: Kernel) -> Finding:
    """Whether the memory of a Pi 5 is interleaved over its banks, which is worth 6 to 18 %."""
    if not is_pi_5(device):
        return skipped("numa", "only a Pi 5 gains by NUMA emulation")
    if kernel.nodes is None:
        return skipped("numa", "the kernel does not tell its NUMA nodes")
    told = re.search(r"\bnuma=fake=\d+", kernel.command_line)
    bank = "" if kernel.banklow is None else f", SDRAM_BANKLOW={kernel.banklow}"
    word = told[0] if told else "no numa=fake"
    nodes = f"{kernel.nodes} node{'s' if kernel.nodes > 1 else ''}"
    evidence = f"{nodes} online, {word} in the command line{bank}"
    if kernel.nodes > 1:
        return ok("numa", "memory is interleaved over the banks", evidence)
    return Finding(
        code="no_numa",
        severity="warning" if kernel.banklow in {None, BANKLOW} else "advice",
        text="memory is not interleaved over the banks (NUMA emulation is off)",
        evidence=evidence,
        advice="use Raspberry Pi's own kernel and update the boot loader (sudo rpi-eeprom-update); "
        "with a kernel that cannot, set SDRAM_BANKLOW=3 (sudo rpi-eeprom-config --edit)",
    )


def firmware(device: DeviceFacts) -> Finding:
    """How old the boot loader is, which sets the timing of the memory."""
    if not is_pi_5(device):
        return skipped("firmware", "only of a Pi 5 is it known what its boot loader is worth")
    if device.firmware is None:
        return skipped("firmware", "the boot loader does not tell its date")
    if device.firmware >= FIRMWARE:
        return ok("firmware", "the boot loader sets up the memory well", device.firmware)
    return Finding(
        code="old_firmware",
        severity="advice",
        text="the boot loader is from before it knew of NUMA emulation",
        evidence=f"of {device.firmware}; wanted {FIRMWARE} or later",
        advice="sudo rpi-eeprom-update -a, then measure anew: edged bench",
    )


def governor(device: DeviceFacts) -> Finding:
    """Who chooses the clock."""
    if device.governor is None:
        return skipped("governor", "no cpufreq here")
    if device.governor not in SLOW_GOVERNORS or device.architecture == "x86_64":
        return ok("governor", "the clock follows the load", device.governor)
    return Finding(
        code="slow_governor",
        severity="warning",
        text="the clock does not rise with the load",
        evidence=f"the governor is {device.governor}",
        advice="echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
    )


def swap(device: DeviceFacts, kernel: Kernel) -> Finding:
    """Where memory goes when there is no more."""
    disk, zram = device.swap_bytes // MIB, device.zram_bytes // MIB
    evidence = f"{disk} MiB on disk, {zram} MiB in zram, {kernel.swapped // MIB} MiB used"
    if disk and device.storage in {"sd", "usb"}:
        return Finding(
            code="swap_on_card",
            severity="advice",
            text="there is swap on a card or a stick, which it wears out and which is slow",
            evidence=evidence,
            advice="use zram (package zram-tools, or rpi-swap) and switch the file off",
        )
    return ok("swap", "swap does not touch the card", evidence)
