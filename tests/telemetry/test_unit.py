"""The unit keeps what the daemon counts on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edged.settings import ServingConfig
from edged.thermal import firmware

UNIT = Path(__file__).parents[2] / "systemd" / "edged.service"
MAX_EXPOSURE = 15  # tenths; systemd's own resolver has 22


def options() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_the_running_answer_may_end_before_the_stop_times_out() -> None:
    assert int(options()["TimeoutStopSec"]) > ServingConfig().drain_s + 10


def test_the_daemon_is_watched_and_started_anew_but_not_for_a_bad_configuration() -> None:
    unit = options()
    assert unit["Type"] == "notify"
    assert unit["WatchdogSec"] == "60"
    assert unit["Restart"] == "on-failure"
    assert unit["RestartPreventExitStatus"] == "2"
    assert unit["ExecStart"] == "/usr/bin/edged run --config /etc/edged/edged.yaml"


def test_the_engine_may_be_killed_without_the_daemon() -> None:
    assert options()["OOMPolicy"] == "continue"
    assert int(options()["OOMScoreAdjust"]) > 0


def test_no_device_but_the_firmware_and_the_pins_can_be_opened() -> None:
    lines = UNIT.read_text().splitlines()
    allowed = [line.split("=", 1)[1] for line in lines if line.startswith("DeviceAllow=")]
    assert options()["DevicePolicy"] == "closed"
    assert [one.split()[0] for one in allowed] == [
        *(f"/{name}" for name in firmware.DEVICES),
        "char-gpiochip",
    ]


def test_nothing_hides_what_the_daemon_reads_or_speaks_to() -> None:
    unit = options()
    assert "ProcSubset" not in unit
    assert "AF_UNIX" in unit["RestrictAddressFamilies"]
    text = UNIT.read_text()
    assert "\nLoadCredential=mqtt-password:edged.mqtt-password\n" in text
    assert "\nLoadCredential=hub-token:edged.hub-token\n" in text
    assert unit["WorkingDirectory"] == "%t/" + unit["RuntimeDirectory"]


@pytest.mark.process
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_its_exposure_stays_low() -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}"]
    done = subprocess.run([*command, UNIT], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.process
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/usr/bin/edged", "/bin/true")
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
