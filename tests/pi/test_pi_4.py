"""The same package on a Raspberry Pi 4: no dot products, smaller pages; it works and says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.pi.guest import Guest


def test_it_answers_and_tells_what_it_lacks(pi_4: Guest) -> None:
    pi_4.until(pi_4.ready)
    assert "Raspberry Pi 4" in pi_4.sh("cat /proc/device-tree/model")
    assert "asimddp" not in pi_4.sh("cat /proc/cpuinfo")
    assert pi_4.ask("Is the kitchen warm?", "four", max_tokens=8)["status"] == "ok"
    (record,) = pi_4.journal("EDGED_BACKEND=armv8.0_1")
    assert "no DOTPROD" in record["EDGED_REASON"]
    info = json.loads(pi_4.sh("mosquitto_sub -t edged/edged/info -C 1 -W 60"))
    assert "DOTPROD = 1" not in info["engine"]


def test_the_doctor_names_processor_and_library(pi_4: Guest) -> None:
    findings = json.loads(pi_4.sh("edged doctor --json --all", check=False))
    told = {each["code"]: each for each in findings["findings"]}
    assert told["slow_processor"]["severity"] == "advice"
    assert "Cortex-A72" in told["slow_processor"]["evidence"]
    assert "libggml-cpu-armv8.0_1.so" in told["slow_processor"]["evidence"]


def test_it_ends_in_order(pi_4: Guest) -> None:
    lines = pi_4.off().splitlines()
    assert any("Stopped" in line and "edged.service" in line for line in lines)
