"""llama.cpp with its own thread pool instead of OpenMP, for the child to load in its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.synthetic import cache_folder
from tests.rig.daemon import ROOT

NAMES: Final = ("LLAMA_VERSION", "LLAMA_SHA256")
PINS: Final = ROOT / "scripts" / "llama.mk"
FLAGS: Final = "-DLLAVA_BUILD=OFF -DGGML_NATIVE=ON -DGGML_OPENMP=OFF"


def environment() -> dict[str, str]:
    """What makes a child load that build; it is built first, in some minutes, if it is missing."""
    wheel = Path(_output(str(ROOT / "scripts" / "llama-wheel")))
    target = cache_folder() / f"pool-{wheel.parent.name}"
    if not target.exists():
        part = target.with_name(f"{target.name}.part")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
        subprocess.run((*pip, "--upgrade", "--target", str(part), str(wheel)), check=True)
        part.rename(target)
    return {"LLAMA_CPP_LIB_PATH": str(target / "llama_cpp" / "lib")}


def pinned(pins: str) -> dict[str, str]:
    """Version and hash of llama-cpp-python, as make exports them."""
    found = {}
    for name in NAMES:
        line = re.search(rf"^export {name} := (\S+)$", pins, re.MULTILINE)
        if line is None:
            message = f"{PINS.name} exports no {name}"
            raise ValueError(message)
        found[name] = line.group(1)
    return found


def _output(program: str) -> str:
    pins = pinned(PINS.read_text())
    environ = {**os.environ, **pins, "LLAMA_CMAKE_ARGS": FLAGS, "PYTHON": sys.executable}
    done = subprocess.run((program,), env=environ, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
