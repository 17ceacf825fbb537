"""What timers and signals put into the inbox."""

from __future__ import annotations

import msgspec

from edged.settings import Config  # noqa: TC001 - msgspec reads the annotations


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
