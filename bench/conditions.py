"""What held on this machine while a bench ran; a speed without it says nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

PACKAGES: Final = ("edged", "llama-cpp-python", "paho-mqtt", "msgspec")
GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
BOARD: Final = Path("/proc/device-tree/model")
CPUINFO: Final = Path("/proc/cpuinfo")
VERSION_TIMEOUT_S: Final = 5.0


def here() -> dict[str, str | float]:
    """The conditions that hold for any bench; what this machine does not tell is left out."""
    known: dict[str, str | float] = {
        "board": _text(BOARD),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "load at start": round(os.getloadavg()[0], 2),
        "memory GiB": round(psutil.virtual_memory().total / 2**30, 1),
        "governor": _text(GOVERNOR),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "mosquitto": _mosquitto(),
        **{package: _version(package) for package in PACKAGES},
    }
    return {name: value for name, value in known.items() if value != ""}


def _cpu() -> str:
    lines = _text(CPUINFO).splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\0\n")
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _mosquitto() -> str:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        return ""
    # Its help exits with 3 and tells the version in the first line.
    command = (program, "-h")
    out = subprocess.run(
        command, capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
    )
    return (out.stdout.splitlines() or [""])[0].removeprefix("mosquitto version ").strip()
