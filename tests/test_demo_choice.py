from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from rich.console import Console

from edged import demo_choice
from edged.demo_choice import Scene
from edged.errors import EdgedError, ModelError
from edged.models import family
from edged.models.inventory import read_catalogue, take_inventory
from edged.mqtt.client import Client
from edged.mqtt.topics import Topics
from edged.settings import MqttConfig
from tests.rig.broker import Broker
from tests.rig.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rig.client import Record

TOPICS = Topics("scene", ())
FAMILY = str(family.figures().id)
# From the best to the smallest: what each is measured at, and what is held of it before.
SPEEDS = {"fine": (100.0, 100.0), "middle": (150.0, 200.0), "small": (400.0, 300.0)}


class Daemon:
    """Plays the daemon's part: chooses, measures what it chose, and tells.

    Args:
        port: Of the broker.
        speeds: As `SPEEDS`.
        refusal: What it says to each target instead of heeding it.
    """

    def __init__(
        self, port: int, speeds: dict[str, tuple[float, float]], refusal: str | None = None
    ) -> None:
        self._client = TestClient(port)
        self._speeds = speeds
        self._refusal = refusal
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="played daemon")
        self._measured: set[str] = set()
        self._target = 8.0
        self.targets: list[float] = []

    def __enter__(self) -> Self:
        self._client.__enter__()
        self._client.subscribe(f"{TOPICS.command}/+")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.__exit__(None, None, None)

    def _live(self) -> None:
        heard = 0
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                record = self._client.wait(lambda _: True, 0.1, count=heard + 1)
                heard += 1
                self._hear(record)

    def _hear(self, record: Record) -> None:
        if record.topic == f"{TOPICS.command}/target":
            self.targets.append(float(record.payload))
            told = {"verb": "target", "status": "error" if self._refusal else "ok"}
            result = json.dumps({**told, "error": self._refusal}).encode()
            self._client.publish(TOPICS.result("target"), result)
            if self._refusal:
                return
            self._target = self.targets[-1]
        for _ in self._speeds:
            chosen = self._choose()
            self._tell(chosen)
            self._measured.add(chosen)
        self._tell(self._choose())

    def _tps(self, name: str) -> float:
        return self._speeds[name][0 if name in self._measured else 1]

    def _choose(self) -> str:
        meeting = [name for name in self._speeds if self._tps(name) >= self._target]
        return meeting[0] if meeting else max(self._speeds, key=self._tps)

    def _tell(self, chosen: str) -> None:
        told = {
            "status": "ok",
            "target_tps": self._target,
            "chosen": chosen,
            "serves": chosen,
            "sentence": f"{chosen}: {self._tps(chosen):g} tok/s for {self._target:g}",
            "candidates": [self._candidate(name) for name in self._speeds],
        }
        payload = json.dumps(told).encode()
        self._client.publish(TOPICS.selection, payload, qos=1, retain=True)

    def _candidate(self, name: str) -> dict[str, Any]:
        source = "measured" if name in self._measured else "derived"
        return {
            "id": name,
            "family": FAMILY,
            "on_disk": True,
            "reason": f"{self._tps(name):g} tok/s ({source})",
            "speeds": [{"tps": self._tps(name), "source": source}],
        }


class Stage:
    """A scene on a real broker, with what it printed."""

    def __init__(self, broker: Broker, link: Client) -> None:
        self.port = broker.port
        self.out = io.StringIO()
        self.alive = True
        console = Console(file=self.out, width=200)
        self.scene = Scene(console, link, TOPICS, lambda: self.alive)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Broker() as broker, Client(MqttConfig(host="127.0.0.1", port=broker.port), None) as link:
        yield Stage(broker, link)


@pytest.mark.process
def test_the_target_is_raised_until_the_choice_changed_twice(stage: Stage) -> None:
    with Daemon(stage.port, SPEEDS) as daemon:
        assert stage.scene.run(8.0) == 2
    text = stage.out.getvalue()
    assert daemon.targets == [110.0, 165.0]
    assert "8 tok/s are wanted" in text
    assert text.index("fine: 100 tok/s for 8") < text.index("raised to 110 tok/s")
    assert text.index("raised to 110") < text.index("not fine: 100 tok/s (measured)")
    assert text.index("not fine") < text.index("middle: 150 tok/s for 110")
    last = text[text.index("raised to 165") :]
    assert re.search(r"not middle: 150 tok/s.*small: 400 tok/s for 165", last, re.DOTALL)
    assert stage.scene.selection["chosen"] == "small"


@pytest.mark.process
def test_a_file_that_disappoints_when_measured_is_passed_over_aloud(stage: Stage) -> None:
    speeds = {**SPEEDS, "middle": (90.0, 200.0)}
    with Daemon(stage.port, speeds):
        assert stage.scene.run(8.0) == 1
    text = stage.out.getvalue()
    shown = r"middle: 200 tok/s for 110.*not middle: 90 tok/s.*small: 400"
    assert re.search(shown, text, re.DOTALL)
    assert text.endswith("no other file here is faster\n")


@pytest.mark.process
def test_where_nothing_is_faster_the_scene_ends(stage: Stage) -> None:
    with Daemon(stage.port, {"fine": (100.0, 100.0)}) as daemon:
        assert stage.scene.run(8.0) == 0
    assert daemon.targets == []
    assert "no other file here is faster" in stage.out.getvalue()


@pytest.mark.process
def test_a_refused_target_is_an_error_with_the_daemons_words(stage: Stage) -> None:
    with (
        Daemon(stage.port, SPEEDS, refusal="no number"),
        pytest.raises(EdgedError, match="refuses the target: no number"),
    ):
        stage.scene.run(8.0)


@pytest.mark.process
def test_a_dead_daemon_is_told(stage: Stage) -> None:
    stage.alive = False
    with pytest.raises(EdgedError, match="died while it chose"):
        stage.scene.run(8.0)


@pytest.mark.process
def test_a_choice_that_never_comes_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_choice, "SETTLE_S", 0.1)
    with pytest.raises(EdgedError, match=r"within 0\.1 s; the last: none"):
        stage.scene.run(8.0)


@pytest.mark.process
def test_the_family_is_shown_and_its_catalogue_written(tmp_path: Path) -> None:
    out = io.StringIO()
    demo_choice.make_family(Console(file=out, width=100), tmp_path / "models", tmp_path)
    lines = out.getvalue().splitlines()[2:]
    assert [line.split()[0] for line in lines] == [
        variant.file for variant in family.figures().variants
    ]
    assert re.search(r"pocket-Q4_K\.gguf +3\.0 MB +99\.\d{3} %", out.getvalue())
    found = take_inventory(read_catalogue(tmp_path), tmp_path / "models").found
    assert {each.variant.quality is not None for each in found.values()} == {True, False}
    assert sum(each.variant.family == FAMILY for each in found.values()) == len(lines)


def test_a_family_that_cannot_be_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        message = "disk full"
        raise ModelError(message)

    monkeypatch.setattr(family, "make", fail)
    with pytest.raises(EdgedError, match="disk full"):
        demo_choice.make_family(Console(file=io.StringIO()), tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []
