"""All that the checks judge, read before the first of them; what could not be read has a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from edged.models.candidates import Choice
    from edged.models.facts import DeviceFacts
    from edged.models.figures import Measurement, Prediction
    from edged.models.records import Quarantined
    from edged.models.store import Partial, Stored
    from edged.thermal.readings import Senses


class Skipped(msgspec.Struct, frozen=True):
    """Why nothing is known, in words."""

    reason: str


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel and the boot loader were told.

    Attributes:
        command_line: Of the kernel; empty if unknown.
        nodes: NUMA nodes that are online; None if it does not tell.
        banklow: SDRAM_BANKLOW of the boot loader; None: its default, or unknown.
        cpu: Percent of the last ten seconds in which a task waited for a core; None if unknown.
        swapped: Bytes in swap.
    """

    command_line: str = ""
    nodes: int | None = None
    banklow: int | None = None
    cpu: float | None = None
    swapped: int = 0


class ReadSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a model file was read from the disk itself.

    Attributes:
        file: Its name.
        size: Bytes of all of it.
        read: Bytes that were read.
        seconds: How long that took.
    """

    file: str
    size: int
    read: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.read / self.seconds


class Configured(msgspec.Struct, frozen=True):
    """The file that the owner named, which is loaded whatever is chosen.

    Attributes:
        name: Of the file.
        need: Bytes of memory that it takes; None if it is no model.
        reason: Why it is none.
        cache: How its keys and values are kept, where that was to be decided.
    """

    name: str
    need: int | None
    reason: str = ""
    cache: str = ""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The models directory.

    Attributes:
        directory: Where it is.
        stored: Whole files.
        partials: Downloads that are not whole.
        bad: Files in the quarantine.
        broken: Files that are no models, by name, with the reason.
        denied: We may not look into it.
    """

    directory: str
    stored: tuple[Stored, ...] = ()
    partials: tuple[Partial, ...] = ()
    bad: tuple[Quarantined, ...] = ()
    broken: dict[str, str] = {}
    denied: bool = False


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded of speeds.

    Attributes:
        measured: Of all files, boards and engines, the oldest first.
        build: The engine that would compute now; empty if unknown.
        board: `DeviceFacts.fingerprint` with it.
        serves: Digest of the file that serves, or would; empty if there is none.
        name: What that file is called.
        prediction: For it, from this board's calibration.
        sustained: tok/s that the running daemon keeps, over 15 minutes.
        paced: Why that one is held back, in its own word; empty if it is not.
    """

    measured: tuple[Measurement, ...] = ()
    build: str = ""
    board: str = ""
    serves: str = ""
    name: str = ""
    prediction: Prediction | None = None
    sustained: float | None = None
    paced: str = ""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """What a short connection to the broker came to.

    Attributes:
        where: `host:port`.
        problem: Why it failed; empty if it did not.
        availability: What edged says there: `online`, `offline`, or empty.
        topics: How many topics the fields of personas read.
        silent: Fields for which nothing of use is retained, such as `butler.outside`.
    """

    where: str
    problem: str = ""
    availability: str = ""
    topics: int = 0
    silent: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """Properties of our unit, as `systemctl show` prints them."""

    properties: dict[str, str]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one board at one moment.

    Attributes:
        device: The board.
        backend: The library with which a running engine computes; None if it is not known.
        senses: Its sensors.
        kernel: What its kernel was told.
        choice: What edged would serve there.
        configured: The file that the owner named instead; None if he named none.
        load_timeout_s: Seconds within which a model must be loaded.
        files: Model files.
        speed: Of the disk they are on.
        rates: Recorded speeds.
        broker: The broker.
        synchronised: Whether the clock is in step with a time server.
        unit: Our unit.
        notes: What of the configuration is written as older versions had it.
    """

    device: DeviceFacts
    backend: str | None = None
    senses: Senses
    kernel: Kernel
    choice: Choice
    configured: Configured | None = None
    load_timeout_s: float
    files: Files
    speed: ReadSpeed | Skipped
    rates: Rates
    broker: Broker | Skipped
    synchronised: bool | Skipped
    unit: Unit | Skipped
    notes: tuple[str, ...] = ()
