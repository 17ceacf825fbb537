"""Hours of the day in which nothing is downloaded."""

from __future__ import annotations

import re

import msgspec

MINUTES = 1440  # of a day
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class QuietHours(msgspec.Struct, frozen=True):
    """From a minute of the day up to another, which may be on the next day.

    Attributes:
        start: The first quiet minute, 0 to 1439.
        end: The first one that is not.
    """

    start: int
    end: int

    def wait(self, minute: int) -> int:
        """Minutes until they end, 0 outside of them.

        Args:
            minute: Of the day by the clock on the wall, 0 to 1439.
        """
        length = (self.end - self.start) % MINUTES
        since = (minute - self.start) % MINUTES
        return length - since if since < length else 0


def quiet_hours(text: str | None) -> QuietHours | None:
    """`HH:MM-HH:MM` as minutes; None for None.

    Raises:
        ValueError: It is something else.
    """
    if text is None:
        return None
    found = _HOURS.fullmatch(text)
    if found is None:
        message = f"not HH:MM-HH:MM: {text!r}"
        raise ValueError(message)
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(hour * 60 + minute, end_hour * 60 + end_minute)
