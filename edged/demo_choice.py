"""The second scene of `edged demo`: files of one model, and a daemon that chooses among them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edged.client import choosing
from edged.client.link import decode_object
from edged.errors import EdgedError
from edged.files import write_atomic
from edged.models import family

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from edged.client.link import Link
    from edged.mqtt.topics import Topics

# A change of the model takes a second, and measuring waits until nobody asked for five.
SETTLE_S = 120.0
CHANGES = 2  # of the choice; one could be luck


class Scene:
    """Shows a choice and raises the target until it changes.

    Args:
        console: Where it is shown.
        link: A connected link of its own.
        topics: Of the node.
        alive: Whether the daemon still runs.
    """

    def __init__(
        self, console: Console, link: Link, topics: Topics, alive: Callable[[], bool]
    ) -> None:
        self._console = console
        self._link = link
        self._topics = topics
        self._alive = alive
        self._family = str(family.figures().id)
        self._chosen: object = None
        self._sentence = "none"
        self.selection: dict[str, Any] = {}

    def run(self, target: float) -> int:
        """Shows how the choice follows the target.

        Args:
            target: tok/s that the daemon was configured with.

        Returns:
            How many times the choice changed.

        Raises:
            EdgedError: The daemon died, refuses a target, or does not settle.
        """
        self._link.publish(f"{self._topics.command}/select", b"auto")  # look again, at once
        self._link.subscribe(self._topics.selection, self._topics.result("target"))
        self._console.print(f"\nthe board chooses: [bold]{target:g} tok/s[/bold] are wanted")
        self._settle(target)
        changes = 0
        while changes < CHANGES:
            wanted = choosing.next_target(self.selection)
            if wanted is None:
                self._console.print("no other file here is faster")
                break
            before = self.selection.get("chosen")
            self._raise(wanted)
            changes += self.selection.get("chosen") != before
        return changes

    def _raise(self, target: float) -> None:
        self._console.print(f"\nthe target is raised to [bold]{target:g} tok/s[/bold]")
        self._link.publish(f"{self._topics.command}/target", f"{target:g}".encode())
        self._settle(target)

    def _settle(self, target: float) -> None:
        """Waits for the choice for that target, measured; each other one on the way is told."""
        deadline = time.monotonic() + SETTLE_S
        while not choosing.settled(self.selection, target, self._family):
            self._hear(deadline)
            if choosing.is_about(self.selection, target, self._family):
                self._tell()

    def _tell(self) -> None:
        """The choice and, where it is another one, why it is not the one before."""
        chosen, sentence = self.selection.get("chosen"), str(self.selection.get("sentence"))
        if self._chosen not in {None, chosen}:
            self._say(f"not {choosing.reason(self.selection, self._chosen)}")
        if sentence != self._sentence:
            self._say(sentence)
        self._chosen, self._sentence = chosen, sentence

    def _hear(self, deadline: float) -> None:
        heard = self._link.receive(0.5)
        if not self._alive():
            message = "the daemon died while it chose"
            raise EdgedError(message)
        if heard is not None and heard.topic == self._topics.selection:
            self.selection = decode_object(heard.payload)
        elif heard is not None:
            result = decode_object(heard.payload)
            if result.get("status") == "error":
                message = f"the daemon refuses the target: {result.get('error')}"
                raise EdgedError(message)
        if time.monotonic() > deadline:
            last = self._sentence
            message = f"no choice was measured within {SETTLE_S:g} s; the last: {last}"
            raise EdgedError(message)

    def _say(self, line: str) -> None:
        self._console.print(f"  {line}", highlight=False, markup=False)


def make_family(console: Console, models: Path, catalogues: Path) -> None:
    """Makes the files to choose among and tells the daemon's catalogue of them.

    Args:
        console: Where it is shown.
        models: The models directory.
        catalogues: Folder of the owner's catalogue files; it exists.

    Raises:
        EdgedError: A file cannot be made.
    """
    known = {variant.file: variant for variant in family.figures().variants}
    console.print("\nthe pocket model in several types, with what each keeps of its quality:")

    def tell(name: str, _made: bool) -> None:  # noqa: FBT001 - as family.Progress has it
        variant = known[name]
        percent = variant.quality.percent if variant.quality is not None else None
        size = (models / name).stat().st_size / 1e6
        console.print(f"  {name:20} {size:5.1f} MB  {percent:7.3f} %", highlight=False)

    family.make(models, tell)
    write_atomic(catalogues / "pocket.yaml", family.catalogue(models))
