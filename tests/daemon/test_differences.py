from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.daemon.differences import LIVE, changed, taken_over, told
from edged.settings import (
    Config,
    EngineConfig,
    MqttConfig,
    ServingConfig,
    TelemetryConfig,
    TlsConfig,
)

NEW = Config(
    node="kitchen",
    mqtt=MqttConfig(port=8883, tls=TlsConfig()),
    serving=ServingConfig(capacity=9, per_client=3, state_dir="/elsewhere"),
)


def test_keys_are_told_by_their_path() -> None:
    assert changed(Config(), NEW) == (
        "node",
        "mqtt.port",
        "mqtt.tls",
        "serving.capacity",
        "serving.per_client",
        "serving.state_dir",
    )
    assert changed(NEW, NEW) == ()


def test_only_what_can_be_is_taken_over() -> None:
    running = taken_over(Config(), NEW)
    assert running == Config(serving=ServingConfig(capacity=9, per_client=3))
    assert not set(changed(running, NEW)) & LIVE


def test_what_waits_for_a_restart_is_told_again_each_time() -> None:
    first = told(Config(), NEW)
    assert first == (
        "in use now: serving.capacity, serving.per_client; from the next start on: "
        "node, mqtt.port, mqtt.tls, serving.state_dir"
    )
    assert told(taken_over(Config(), NEW), NEW) == first.split("; ")[1]
    assert told(NEW, NEW) == "nothing has changed"


@pytest.mark.parametrize("path", sorted(LIVE))
def test_each_path_is_one_of_the_configuration(path: str) -> None:
    section, key = path.split(".")
    assert key in getattr(Config(), section).__struct_fields__


@given(
    st.builds(EngineConfig, target_tps=st.integers(0, 1000), threads=st.integers(0, 64)),
    st.builds(
        TelemetryConfig,
        log_level=st.sampled_from(["debug", "info", "error"]),
        idle_interval_s=st.integers(1, 3600),
    ),
)
def test_taking_over_is_done_at_once(engine: EngineConfig, telemetry: TelemetryConfig) -> None:
    new = Config(engine=engine, telemetry=telemetry)
    running = taken_over(Config(), new)
    assert taken_over(running, new) == running
    assert set(changed(running, new)) == set(changed(Config(), new)) - LIVE
    assert msgspec.structs.replace(running, engine=engine, telemetry=telemetry) == new


def test_the_shipped_file_names_them_all() -> None:
    text = (Path(__file__).parents[2] / "config" / "edged.yaml").read_text()
    words = " ".join(text.split("`systemctl reload edged`", 1)[1].split("The rest", 1)[0].split())
    for path in LIVE:
        section, key = path.split(".")
        assert section in words
        assert f".{key}" in words
