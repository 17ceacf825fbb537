"""What is read ahead survives restarts, damaged files, bad disks and deaths of the child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import NODE, REAL, eventually, problems, served, told, unharmed
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge
from tests.rig.disk import remount, small_disk
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

SYSTEM = "You are hunter2, the butler of this house, and you answer in one short sentence at most."
WORDS = len(SYSTEM.split())
CONFIG: Mapping[str, Any] = {
    "telemetry": {"log_level": "debug", "state_interval_s": 0.1, "idle_interval_s": 1},
    "personas": [{"name": "butler", "system": f"{SYSTEM}\n"}],
}
QUICK: Mapping[str, Any] = {}


def files(daemon: DaemonProcess) -> list[Path]:
    return sorted((daemon.cache / "prefixes").glob("*.state"))


def ready(daemon: DaemonProcess, source: str, count: int = 1) -> None:
    """Return when the persona was ready so often from there."""

    def lines() -> list[str]:
        text = daemon.stderr().splitlines()
        return [line for line in text if "persona ready" in line and f"source={source}" in line]

    eventually(lambda: len(lines()) == count, f"ready from {source}")


def cached(client: TestClient, system: str = SYSTEM) -> int:
    reply = client.ask(NODE, "Is the front door locked?", system=system)
    assert reply["status"] == "ok", reply
    return int(reply["usage"]["cached_tokens"])


def secret_is_safe(daemon: DaemonProcess) -> None:
    assert "hunter2" not in daemon.stderr()
    assert unharmed(daemon) == []


def test_a_persona_is_read_once_and_restored_by_the_next_start() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=QUICK, config=CONFIG) as daemon,
        TestClient(broker.port) as client,
    ):
        ready(daemon, "read")
        assert cached(client) == WORDS
        eventually(lambda: files(daemon), "a file")
        (file,) = files(daemon)
        written = file.stat()
        assert daemon.terminate() == 0

        daemon.start()
        ready(daemon, "disk")
        assert cached(client) == WORDS
        daemon.terminate()
        assert file.stat().st_mtime_ns == written.st_mtime_ns
        assert files(daemon) == [file]
        secret_is_safe(daemon)


def test_a_damaged_file_is_deleted_and_read_anew() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=QUICK, config=CONFIG) as daemon,
        TestClient(broker.port) as client,
    ):
        eventually(lambda: files(daemon), "a file")
        daemon.kill()
        (file,) = files(daemon)
        good = file.read_bytes()
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))

        daemon.start()
        ready(daemon, "read", count=2)
        assert cached(client) == WORDS
        removed = [line for line in daemon.stderr().splitlines() if "prefix removed" in line]
        assert len(removed) == 1
        assert "damaged" in removed[0]
        eventually(lambda: files(daemon) == [file], "the file again")
        assert file.read_bytes() != good[:-1] + bytes([good[-1] ^ 1])
        secret_is_safe(daemon)


def test_a_prompt_that_is_used_again_and_again_survives_a_restart() -> None:
    config = {**CONFIG, "personas": []}
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=QUICK, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        assert [cached(client) for _ in range(3)] == [0, 0, 0]
        eventually(lambda: files(daemon), "a file")
        assert cached(client) == WORDS
        daemon.kill()
        daemon.start()
        eventually(lambda: "source=disk" in daemon.stderr(), "restored")
        assert cached(client) == WORDS
        secret_is_safe(daemon)


def test_a_cache_folder_that_takes_nothing_costs_nothing_else() -> None:
    with small_disk() as disk:
        remount(disk, "ro")
        config = merge(CONFIG, {"engine": {"cache_dir": str(disk)}})
        with (
            Broker() as broker,
            Witness(broker.port) as witness,
            DaemonProcess(broker.port, script=QUICK, config=config) as daemon,
            TestClient(broker.port) as client,
        ):
            ready(daemon, "read")
            assert cached(client) == WORDS
            eventually(lambda: problems(witness) == {"prefixes_not_saved"}, "it is told")
            assert len(told(daemon, "prefixes not saved", "Read-only file system")) == 1
            secret_is_safe(daemon)


def test_a_persona_that_kills_the_engine_is_given_up_and_everyone_else_is_served() -> None:
    fault = {"at": "learn", "do": "signal", "value": "SIGSEGV", "match": "hunter2"}
    cook = {"name": "cook", "system": "You are the cook."}
    config = merge(CONFIG, {"personas": [*CONFIG["personas"], cook]})
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script={"faults": [fault]}, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        eventually(lambda: told(daemon, "persona given up", "persona=butler"), "given up")
        eventually(lambda: "persona=cook" in daemon.stderr(), "the next one")
        served(client)
        assert len(told(daemon, "engine died", "signal=SIGSEGV")) == 2
        secret_is_safe(daemon)


def test_a_new_text_takes_the_place_of_the_old_one() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=QUICK, config=CONFIG) as daemon,
        TestClient(broker.port) as client,
    ):
        eventually(lambda: files(daemon), "a file")
        (old,) = files(daemon)
        daemon.terminate()
        text = "You are the new butler hunter2."
        daemon.write_config(
            merge(daemon.config, {"personas": [{"name": "butler", "system": text}]})
        )
        daemon.start()
        ready(daemon, "read", count=2)
        assert cached(client, text) == len(text.split())
        eventually(lambda: len(files(daemon)) == 1 and files(daemon) != [old], "one other file")
        secret_is_safe(daemon)


def test_the_real_engine_answers_from_disk_as_it_does_from_memory() -> None:
    system = "You are the butler. " + "The door is locked and the lamp is off. " * 20
    personas = [{"name": "butler", "system": system}]
    config = merge(CONFIG, {**REAL, "personas": personas})
    with (
        Broker() as broker,
        DaemonProcess(broker.port, config=config) as daemon,
        TestClient(broker.port) as client,
    ):

        def answer() -> dict[str, Any]:
            reply = client.ask(
                NODE, "Is the door locked?", system=system.strip(), max_tokens=24, temperature=0
            )
            assert reply["status"] == "ok", reply
            return reply

        ready(daemon, "read")
        memory = answer()
        eventually(lambda: files(daemon), "a file")
        daemon.terminate()
        daemon.start()
        ready(daemon, "disk")
        disk = answer()
        assert disk["text"] == memory["text"]
        assert disk["usage"] == memory["usage"]
        assert disk["usage"]["cached_tokens"] > 150
        assert unharmed(daemon) == []
