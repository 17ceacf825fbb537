"""What timers and signals put into the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.engine.frames import Delta
from edged.settings import Config  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tick(msgspec.Struct, frozen=True):
    """A timer went off."""


class Stop(msgspec.Struct, frozen=True):
    """A signal asks the daemon to end."""


class DrainOver(msgspec.Struct, frozen=True):
    """The running answer has had its time."""


class Pressed(msgspec.Struct, frozen=True):
    """Somebody pressed the button of the panel."""


class HouseUp(msgspec.Struct, frozen=True):
    """Home Assistant has started, and our turn to tell it everything has come."""


class ConfigRead(msgspec.Struct, frozen=True):
    """The configuration was read again and has no mistakes."""

    config: Config


def text_alone(items: Iterable[object]) -> bool:
    """Whether nothing but more of some answers has come: it changes nothing else that is told."""
    return all(type(item) is Delta for item in items)
