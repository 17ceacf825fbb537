"""The package on a Raspberry Pi 5, beside the same prompt on the machine that emulates it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.pi.conftest import ROOT
from tests.pi.disk import BOARD, RECORDED
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from tests.pi.guest import Guest

PROMPT = "Is the kitchen warm?"
BIG_PAGE = 16384
EXPLAIN = ("explain", "--json", "--published", "--device")
# the published table's best for a Pi 5 with 16 GB
BEST = "Q3_K_S-2.70bpw"


@pytest.fixture(autouse=True)
def _up(pi_5: Guest) -> None:
    pi_5.until(pi_5.ready)


def test_it_is_a_pi_5_and_has_no_network(pi_5: Guest) -> None:
    assert "Raspberry Pi 5" in pi_5.sh("cat /proc/device-tree/model")
    assert int(pi_5.sh("getconf PAGESIZE")) == BIG_PAGE
    assert pi_5.sh("ls /sys/class/net").split() == ["lo"]
    assert pi_5.sh("systemctl --failed --plain --no-legend") == ""


def test_llama_cpp_has_dot_products(pi_5: Guest) -> None:
    info = json.loads(pi_5.sh("mosquitto_sub -t edged/edged/info -C 1 -W 60"))
    assert "DOTPROD = 1" in info["engine"]
    (record,) = pi_5.journal("EDGED_BACKEND=armv8.2_2")
    assert "EDGED_REASON" not in record


def test_its_first_token_and_its_end_are_those_of_any_machine(pi_5: Guest) -> None:
    with Broker() as broker, DaemonProcess(broker.port), TestClient(broker.port) as client:
        native = [client.ask("test", PROMPT, temperature=0, max_tokens=limit) for limit in (1, 200)]
    here = [pi_5.ask(PROMPT, f"greedy-{limit}", max_tokens=limit) for limit in (1, 200)]
    assert here[0]["text"] == native[0]["text"] != ""
    ends = [[reply["finish_reason"] for reply in replies] for replies in (here, native)]
    assert ends == [["length", "stop"]] * 2


def test_the_journal_has_fields_and_no_prompt(pi_5: Guest) -> None:
    pi_5.ask("Is the heliotrope warm?", "told", max_tokens=8)
    (record,) = pi_5.journal("EDGED_REQUEST_ID=told")
    assert record["EDGED_STATUS"] == "ok"
    assert record["EDGED_VARIANT"] == "pocket"
    for name in ("EDGED_TPS", "EDGED_PP_TPS", "EDGED_TTFT_MS", "EDGED_QUEUE_MS"):
        assert float(record[name]) >= 0
    assert "heliotrope" not in pi_5.sh("journalctl")


def test_the_status_line_lives(pi_5: Guest) -> None:
    status = pi_5.sh("systemctl status --no-pager edged")
    assert "pocket" in next(line for line in status.splitlines() if "Status:" in line)


def test_it_chooses_for_the_board_that_it_is(pi_5: Guest) -> None:
    told = json.loads(pi_5.sh("edged explain --json --published"))
    assert told["device"]["board"].startswith("Raspberry Pi 5")
    assert told["device"]["cpu"] == "Cortex-A76"
    assert told["device"]["page_bytes"] == BIG_PAGE
    assert told["status"] in {"ok", "degraded"}
    retained = json.loads(pi_5.sh("mosquitto_sub -t edged/edged/selection -C 1 -W 60"))
    assert retained["status"] != "none"


def test_it_chooses_for_a_recorded_board_as_any_machine_does(pi_5: Guest) -> None:
    told = json.loads(pi_5.sh(f"edged {' '.join(EXPLAIN)} {RECORDED}"))
    assert BEST in json.dumps(told["chosen"])
    assert told == natively(*EXPLAIN, str(BOARD))


def natively(*words: str) -> Any:
    command = [sys.executable, "-m", "edged.cli", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_doctor_finds_the_board_well(pi_5: Guest) -> None:
    findings = json.loads(pi_5.sh("edged doctor --json --all", check=False))
    told = {each["code"]: each for each in findings["findings"]}
    assert told["processor"]["severity"] == "ok"
    assert "libggml-cpu-armv8.2_2.so" in told["processor"]["evidence"]
    assert told["broker"]["severity"] == "ok"
    assert [each for each in told.values() if each["severity"] == "error"] == []
