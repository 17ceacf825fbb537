"""An evening at home: every blueprint once, with a real broker, edged and its pocket model.

`make demo-home` prints what each published and what came of it; it ends with 1 if one did not get
what it waits for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from rich.console import Console

from bench.heat_board import Tree
from bench.plant.board import Plant
from bench.plant.coolers import BARE
from tests.rig.blueprint import Automation, House
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import ROOT, DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.rig.client import Record

NODE: Final = "edged"
BLUEPRINTS: Final = ROOT / "config" / "examples" / "homeassistant"
PATIENCE_S: Final = 30.0
POLL_S: Final = 0.05
MAX_SHOWN: Final = 160
ENTITIES: Final[dict[str, dict[str, Any]]] = {
    "sensor.kitchen": {"state": "warm", "friendly_name": "The kitchen"},
    "sensor.hall": {"state": "dark", "friendly_name": "The hall"},
    "binary_sensor.cellar": {"state": "on", "friendly_name": "water in the cellar"},
    "input_text.mail": {"state": "The washing machine is leaking."},
    "input_select.topic": {"state": "other", "options": ["water", "heating", "other"]},
    "input_text.question": {"state": "Tell me about the house."},
    "input_text.under_way": {"state": ""},
    "input_text.throttle": {"state": ""},
}


class Scene(Struct, frozen=True, kw_only=True):
    """A blueprint, what the owner chose, and how one sees that it did its work.

    Attributes:
        name: Of the blueprint's file.
        inputs: As the owner chose.
        fire: The trigger that begins it; None: the broker's messages do.
        action: What it calls in the end.
        shows: The text of such a call; empty if it is not what is waited for.
        ends: Part of a message that must have been heard before it is over.
    """

    name: str
    inputs: dict[str, Any]
    fire: str | None = "ask"
    action: str
    shows: Callable[[dict[str, Any]], str]
    ends: bytes = b""


def message(data: dict[str, Any]) -> str:
    """What a notification says."""
    return str(data["message"])


SCENES: Final = (
    Scene(
        name="morning_summary",
        inputs={"entities": ["sensor.kitchen", "sensor.hall"]},
        action="notify.notify",
        shows=message,
    ),
    Scene(
        name="explain_alert",
        inputs={"alarm": "binary_sensor.cellar"},
        action="notify.notify",
        shows=message,
    ),
    Scene(
        name="classify",
        inputs={"text": "input_text.mail", "dropdown": "input_select.topic"},
        action="input_select.select_option",
        shows=lambda data: str(data["option"]),
    ),
    Scene(
        name="speak",
        inputs={"question": "input_text.question", "under_way": "input_text.under_way"},
        action="tts.speak",
        shows=message,
        ends=b'"done":true',
    ),
    Scene(
        name="throttled",
        inputs={"memory": "input_text.throttle"},
        fire=None,
        action="notify.notify",
        shows=lambda data: message(data) if "firmware" in data["message"] else "",
    ),
)


def play(scene: Scene, client: TestClient, console: Console) -> bool:
    """Fire one blueprint and wait for what it does; whether it did."""
    house = House(client, ENTITIES)
    automation = Automation(BLUEPRINTS / f"{scene.name}.yaml", house, scene.inputs)
    heard = len(client.records)
    console.print(f"[bold]{scene.name}[/bold]")
    if scene.fire is not None:
        automation.fire(scene.fire)
    for topic, payload in house.published:
        console.print(f"  {topic} <- {payload}", style="dim", markup=False)
    deadline = time.monotonic() + PATIENCE_S
    begun = heard
    while not (shown := seen(scene, house, list(client.records)[begun:heard])):
        if time.monotonic() > deadline:
            console.print("  nothing came of it", style="bold red")
            return False
        records = list(client.records)
        for record in records[heard:]:
            automation.hear(record)
        heard = len(records)
        time.sleep(POLL_S)
    for text in shown:
        console.print(f"  {scene.action}: {text[:MAX_SHOWN]}", markup=False)
    return True


def seen(scene: Scene, house: House, heard: Sequence[Record]) -> list[str]:
    """What it did of what is waited for; nothing before it is over."""
    over = not scene.ends or any(scene.ends in record.payload for record in heard)
    shown = [text for data in house.said(scene.action) if (text := scene.shows(data))]
    return shown if over else []


def evening(console: Console, scenes: Sequence[Scene] = SCENES) -> dict[str, bool]:
    """Play the scenes one after the other; which of them got what they wait for."""
    with tempfile.TemporaryDirectory(prefix="edged-home-") as folder:
        # A board whose firmware throttles, for the blueprint that tells of it.
        Tree(Path(folder)).tell(Plant(BARE, 30.0).step(1200.0, 4.0), fan=False)
        config = {
            "engine": {"threads": 1, "streams": 1},
            "telemetry": {"idle_interval_s": 1},
            "thermal": {"enabled": False},  # or the board would be too hot to be asked
        }
        with (
            Broker() as broker,
            TestClient(broker.port) as client,
            DaemonProcess(broker.port, node=NODE, config=config, sysfs_root=Path(folder)),
        ):
            return {scene.name: play(scene, client, console) for scene in scenes}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 if each got what it waits for."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args(arguments)
    console = Console(soft_wrap=True)
    found = evening(console)
    missed = [name for name, ok in found.items() if not ok]
    console.print(f"{len(found) - len(missed)} of {len(found)} blueprints did their work")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
