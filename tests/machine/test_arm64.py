"""The package of the Pi, its programs run as the processors of three generations of it."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

import pytest

from tests.machine import emulated, repository, roots
from tests.machine.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

BACKEND = """
export PYTHONPATH=/usr/share/edged LLAMA_CPP_LIB_PATH=/usr/lib/aarch64-linux-gnu/edged
python3 -c '
import re
from edged.engine.worker.native import initialise
initialise()
print(*set(re.findall(r"libggml-cpu-(\\S+)[.]so", open("/proc/self/maps").read())))'
"""
ANSWER = """
mosquitto -d >/dev/null 2>&1
cat > /tmp/c.yaml <<END
engine: {threads: 1, streams: 1, cache_dir: /tmp/cache}
model: {calibrate: false}
END
STATE_DIRECTORY=/tmp/state edged run --config /tmp/c.yaml >/tmp/log 2>&1 &
mosquitto_sub -t edged/edged/availability -C 1 -W 60 >/dev/null
edged ask --json --max-tokens 8 --temperature 0 'Is the kitchen warm?'
kill $! && wait $!
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian 13 for arm64 with the package in it."""
    if platform.machine() == "aarch64":
        pytest.skip("this machine needs no emulation: the other tests are of arm64 here")
    built = sorted((ROOT / "build").glob("edged_*_arm64.deb"))
    assert built, "there is no package: make deb"
    emulated.register()
    made = tmp_path_factory.mktemp("arm64")
    roots.unpack(roots.archive(built[-1], "arm64"), made)
    repository.make(made, built[-1])
    emulated.refuse_services(made)
    emulated.run(made, "apt-get update -q && apt-get install -q -y edged")
    return made


@pytest.mark.parametrize(
    ("cpu", "backend"),
    [("cortex-a53", "armv8.0_1"), ("cortex-a72", "armv8.0_1"), ("cortex-a76", "armv8.2_2")],
    ids=["Pi 3", "Pi 4", "Pi 5"],
)
def test_each_board_gets_its_backend(tree: Path, cpu: str, backend: str) -> None:
    assert emulated.run(tree, BACKEND, cpu).split() == [backend]


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76"], ids=["Pi 4", "Pi 5"])
def test_a_prompt_is_answered(tree: Path, cpu: str) -> None:
    # texts differ from those of other processors after some tokens: they round differently
    reply = json.loads(emulated.run(tree, ANSWER, cpu))
    assert reply["status"] == "ok"
    assert reply["usage"]["completion_tokens"] > 0
