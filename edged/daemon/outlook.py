"""What is passed between a choice of model and those who look, fetch and load for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from edged.daemon.model import Model  # noqa: TC001 - msgspec resolves it
from edged.models.signs import Signs  # noqa: TC001 - as above
from edged.models.variants import Variant  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from edged.clock import Clock
    from edged.daemon.notes import Notes
    from edged.models.figures import Measurement
    from edged.models.progress import Progress
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Topics
    from edged.serving.dispatcher import Dispatcher


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner asked for since the start.

    Attributes:
        target_tps: tok/s that the variant is to have.
        pinned: The variant to take whatever its rate; None chooses.
        barred: Variants that killed the child at load, with the reason.
        rung: Steps down from the choice that heat or load has cost, see `edged.models.hold`.
    """

    target_tps: float
    pinned: str | None = None
    barred: tuple[tuple[str, str], ...] = ()
    rung: int = 0


class Rung(NamedTuple):
    """A variant on this disk to step down to, and its rate on a cool idle board in tok/s."""

    variant: str
    tps: float


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found.

    Attributes:
        board: Fingerprint of board and engine.
        best: The best variant of all, by its id; None: none fits.
        local: The best one on this disk.
        model: `local`, to be loaded in the best way that is known.
        trial: The same, in a way that is yet to be timed; None if there is no such way.
        wanted: `best`, if it is not on this disk and may be fetched.
        unread: Files that are not here, whose headers may be read now and might change the choice.
        need: Bytes of memory that `local` takes, if that is known.
        signs: How things stood when the look began, see `edged.models.signs`.
        ladder: The choice on this disk and those that are faster, ascending.
        options: Variants that the owner may pin: on this disk, or to be fetched and room for them.
        measured: Variants that were measured on this board.
        calibrated: The board was calibrated.
        payload: Of the retained topic `selection`.
        sentence: The choice in words.
    """

    board: str
    best: str | None
    local: str | None
    model: Model | None
    trial: Model | None = None
    wanted: Variant | None = None
    unread: tuple[Variant, ...] = ()
    need: int | None = None
    signs: Signs | None = None
    ladder: tuple[Rung, ...] = ()
    options: tuple[str, ...] = ()
    measured: frozenset[str] = frozenset()
    calibrated: bool = True
    payload: bytes = b"{}"
    sentence: str = ""


class World(NamedTuple):
    """The rooms that a choice reads or tells.

    Attributes:
        sustained: tok/s of decode over the last minute; None while nothing decodes.
        free: Whether neither heat nor supply slows the board.
    """

    dispatcher: Dispatcher
    session: Session
    topics: Topics
    notes: Notes
    clock: Clock
    sustained: Callable[[float], float | None]
    free: Callable[[], bool]


class Survey(Protocol):
    """What is done in a thread."""

    def look(self, wish: Wish, pid: int | None) -> View:
        """Find and judge all variants; what the process `pid` holds would be given back."""

    def signs(self, pid: int | None) -> Signs:
        """What tells whether another look is due; cheap, and never raises."""

    def keep(self, measurement: Measurement) -> None:
        """Write a measurement."""

    def quarantine(self, file: str, variant: str, reason: str) -> None:
        """Put a file aside that must not be loaded again."""

    def read_headers(self, variants: Sequence[Variant]) -> AsyncIterator[str]:
        """Ask hubs for headers; says what came of each. In the event loop, as the next one."""

    async def calibrate(self, clock: Clock, pid: int | None) -> None:
        """Time made-up models in a child of its own; this one runs in the event loop."""


class Fetcher(Protocol):
    """What downloads, in a thread of its own."""

    def start(self, variant: Variant, keep: Collection[str] = ()) -> None:
        """Have that file; none of `keep` is removed for it."""

    def cancel(self) -> None:
        """Give up what is under way."""

    def close(self) -> None:
        """Cancel, and end the thread."""


def update(serves: str, wanted: str | None, arriving: Progress | None) -> bytes:
    """The retained topic `update`, in the words of Home Assistant's update entity.

    Args:
        serves: The variant that is loaded or being loaded.
        wanted: A better one that is to be fetched, if there is one.
        arriving: How far the last download was that is known of.
    """
    on_its_way = arriving is not None and arriving.variant == wanted
    moving = on_its_way and arriving is not None and arriving.state != "waiting"
    percent = None
    if moving and arriving is not None and arriving.total:
        percent = min(100, 100 * arriving.done // arriving.total)
    return msgspec.json.encode(
        {
            "installed_version": serves,
            "latest_version": wanted or serves,
            "in_progress": moving,
            "update_percentage": percent,
        }
    )
