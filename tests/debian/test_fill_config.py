"""Answers of the installation become a configuration that edged reads as they were meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged import config
from edged.settings import Config, MqttConfig

ROOT = Path(__file__).parents[2]
PACKAGED = (ROOT / "config" / "edged.yaml").read_bytes()
pytestmark = pytest.mark.process


def fill(address: str, user: str = "") -> bytes:
    command = ["sh", str(ROOT / "debian" / "fill-config"), address, user]
    return subprocess.run(command, input=PACKAGED, check=True, capture_output=True).stdout


def read(data: bytes) -> MqttConfig:
    parsed = config.parse(data, "edged.yaml")
    assert isinstance(parsed, Config), parsed
    return parsed.mqtt


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("localhost:1884", "localhost", 1884),
        ("broker.lan", "broker.lan", 1883),
        ("192.168.1.2:8883", "192.168.1.2", 8883),
        ("fe80::1", "fe80::1", 1883),
        ("[fe80::1]:8883", "fe80::1", 8883),
        ("[::1]", "::1", 1883),
    ],
)
def test_an_address_is_told_apart(address: str, host: str, port: int) -> None:
    mqtt = read(fill(address))
    assert (mqtt.host, mqtt.port, mqtt.username) == (host, port, None)


def test_defaults_leave_the_file_as_it_is() -> None:
    assert fill("localhost") == PACKAGED


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_a_name_with_any_character_comes_through(user: str) -> None:
    assert read(fill("localhost", user)).username == user
