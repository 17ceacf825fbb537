"""Makes edged known to Home Assistant: announces it, clears ghosts, answers a birth message."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import edged
from edged.daemon.errand import DiskDone, DiskThread
from edged.daemon.items import HouseUp
from edged.errors import StorageError
from edged.files import read_bounded, write_atomic
from edged.models.device import board_name
from edged.mqtt import discovery, ghosts
from edged.mqtt.entities import Traits
from edged.telemetry.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.notes import Notes
    from edged.daemon.selection import Selection
    from edged.mqtt.ghosts import Announced
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Topics
    from edged.settings import Config, DiscoveryConfig

FILE = "homeassistant.json"
BIRTH = b"online"
# A house full of devices does not answer a restart of Home Assistant in one moment.
JITTER_S = 10.0
# By then the broker has taken what was announced, or refused it: ghosts are gone, or still there.
SETTLE_S = 60.0
# Home Assistant drops what it hears of a device whose first configuration it is still working on,
# while it loads what shows it: seconds on a small board.
LOAD_S = 10.0
OWNER = "house"


class House:
    """Called in the event loop; the file is written in a thread.

    Args:
        config: Mode and prefix.
        topics: The topic tree.
        session: The broker.
        traits: What decides which entities there are.
        variants: Ids of the models that an owner may name, now.
        file: Where is kept what was announced.
        jitter: A random number from 0 to 1.
        post: Puts an item into the inbox.
        notes: For the journal.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        config: DiscoveryConfig,
        *,
        topics: Topics,
        session: Session,
        traits: Traits,
        variants: Callable[[], tuple[str, ...]],
        file: Path,
        jitter: Callable[[], float],
        post: Callable[[object], None],
        notes: Notes,
    ) -> None:
        self._config = config
        self._topics = topics
        self._session = session
        self._traits = traits
        self._variants = variants
        self._file = file
        self._jitter = jitter
        self._post = post
        self._notes = notes
        self._thread = DiskThread(post, OWNER)
        self._before: Announced = _read(file)
        self._on_disk = self._before
        self._asked_at: float | None = None
        self._told: tuple[str, ...] | None = None  # what there was to choose from
        self._told_at = 0.0
        self._moved = False  # topics that are no more were cleared
        self._now: Announced = {}
        self._settle_at: float | None = None
        self._denied = False
        self._birth: asyncio.TimerHandle | None = None

    def announce(self, now: float) -> None:
        """Publish every configuration, and clear what an earlier version, mode or prefix left.

        The first time it waits until it is known what there is to choose from, but not for long.
        """
        if self._told is None and self._asked_at is None:
            self._asked_at = now
        if self._told is not None or self._is_known(now):
            self._publish(now)

    def born(self, payload: bytes) -> None:
        """Home Assistant says how it is: when it has started, everything is published again."""
        if payload == BIRTH and self._birth is None:
            wait = self._jitter() * JITTER_S
            self._birth = asyncio.get_running_loop().call_later(wait, self._up)

    def due(self, now: float) -> None:
        """Announce other models to choose from; called after each batch of the inbox."""
        if self._told is None:
            wanted = self._asked_at is not None and self._is_known(now)
        else:
            wanted = self._variants() != self._told and now >= self._told_at + LOAD_S
        if wanted:
            self._publish(now)
        if self._settle_at is not None and now >= self._settle_at:
            self._settle_at = None
            self._settle(now)

    def denied(self, topic: str, reason: str, now: float) -> None:
        """The broker's rules forbid one of our configurations."""
        self._denied = True
        self._notes.house_denied(topic, reason, now)

    def hear(self, event: DiskDone) -> None:
        """The thread has written the file, or could not."""
        if isinstance(event.result, Exception):
            self._notes.house_not_kept(event.result)

    def stop(self) -> None:
        """Answer no birth any more, and wait for the thread."""
        if self._birth is not None:
            self._birth.cancel()
        self._thread.stop()

    def _is_known(self, now: float) -> bool:
        """Whether there is nothing more to wait for before the first announcement."""
        if not self._traits.chooses or self._variants():
            return True
        return self._asked_at is not None and now >= self._asked_at + LOAD_S

    def _publish(self, now: float) -> None:
        self._told, self._told_at = self._variants(), now
        traits = msgspec.structs.replace(self._traits, variants=self._told)
        configs = discovery.configs(self._topics, traits, self._config.mode)
        before, self._now = self._before, ghosts.announced(configs)
        self._before = ghosts.joined(before, self._now)
        # Handed to the disk first, so that what a crash leaves on the broker is known.
        self._remember(self._before)
        self._denied = False
        for message in ghosts.messages(before, configs, self._topics.house_id, again=self._moved):
            self._session.publish(message)
        self._moved = True
        self._settle_at = now + SETTLE_S

    def _settle(self, now: float) -> None:
        if self._denied:
            self._moved = False
            self._publish(now)  # whoever mends the rules need not restart us
            return
        self._notes.house_told()
        self._before = self._now
        self._remember(self._before)

    def _up(self) -> None:
        self._birth = None
        self._post(HouseUp())

    def _remember(self, announced: Announced) -> None:
        if announced != self._on_disk:
            self._on_disk = announced
            self._thread.run(None, write_atomic, self._file, ghosts.encode(announced))


def make_house(  # noqa: PLR0913 - the composition root hands over every room
    config: Config,
    state_dir: Path,
    *,
    topics: Topics,
    session: Session,
    notes: Notes,
    selection: Selection | None,
    serves: bool,
    post: Callable[[object], None],
) -> House:
    """What makes this node known.

    Args:
        config: The checked configuration.
        state_dir: Where is kept what was announced.
        topics: The topic tree.
        session: The broker.
        notes: For the journal.
        selection: Chooses the model; None where the owner did.
        serves: There is a model.
        post: Puts an item into the inbox.
    """
    traits = Traits(
        fields=frozenset(State.__struct_fields__),
        idle_s=config.telemetry.idle_interval_s,
        serves=serves,
        chooses=selection is not None,
        board=board_name(Path("/")),
        version=edged.__version__,
    )
    return House(
        config.discovery,
        topics=topics,
        session=session,
        traits=traits,
        variants=lambda: () if selection is None else selection.options,
        file=state_dir / FILE,
        jitter=secrets.SystemRandom().random,
        post=post,
        notes=notes,
    )


def _read(file: Path) -> Announced:
    """What an earlier process announced; a file that is not there or not ours says nothing."""
    try:
        return ghosts.decode(read_bounded(file, ghosts.MAX_BYTES))
    except StorageError:
        return {}
