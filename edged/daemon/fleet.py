"""Keeps the node in its fleet's group or out of it, and tells the fleet what it offers."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.daemon.membership import BACK_S, Membership, step
from edged.telemetry.state import Advert
from edged.thermal.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.reporter import Reporter
    from edged.mqtt.session import Session
    from edged.serving.dispatcher import Dispatcher, Standing
    from edged.telemetry.meter import Meter
    from edged.thermal.readings import NoReading

# A speed that differs by less, or more often, is no news to who compares nodes.
NEWS_SHARE = 0.1
NEWS_S = 60.0


class Fleet:
    """Called in the event loop; does nothing where the fleet is off.

    Args:
        enabled: Whether this node takes part.
        dispatcher: Knows how things stand.
        session: Joins the group and leaves it.
        meter: Knows the sustained rate.
        reporter: Publishes the advert in `info`.
        sense: The newest temperature.
        hot_c: From here on, in degrees C, others have it.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        enabled: bool,
        dispatcher: Dispatcher,
        session: Session,
        meter: Meter,
        reporter: Reporter,
        sense: Callable[[], Reading | NoReading],
        hot_c: float,
    ) -> None:
        self._enabled = enabled
        self._dispatcher = dispatcher
        self._session = session
        self._meter = meter
        self._reporter = reporter
        self._sense = sense
        self._hot_c = hot_c
        self._member = Membership()
        self._told: Advert | None = None
        self._told_at = -inf

    def due(self, now: float) -> None:
        """Join or leave, and tell it; called after each batch of the inbox."""
        if not self._enabled:
            return
        self._member = step(self._member, self._standing(now), now)
        self._session.share(on=self._member.here)
        told, variant = self._told, self._reporter.variant or None
        said = None if told is None else (told.variant, told.reason)
        if said != (variant, self._member.reason):
            self._tell(self._rate(now), variant, now)
        elif told is not None and now - self._told_at >= NEWS_S:
            rate, self._told_at = self._rate(now), now
            if _news(told.tps, rate):
                self._tell(rate, variant, now)

    @property
    def next_at(self) -> float:
        """When `due` must be called again at the latest, in monotonic seconds."""
        since = self._member.well_since
        return inf if self._member.here or since is None else since + BACK_S

    def _standing(self, now: float) -> Standing:
        """How things stand, hot by one reading already: to leave for a spike costs nothing."""
        standing, reading = self._dispatcher.snapshot(now), self._sense()
        hot = isinstance(reading, Reading) and reading.celsius >= self._hot_c
        return replace(standing, hot=standing.hot or hot)

    def _rate(self, now: float) -> float | None:
        rate = self._meter.snapshot(now).tps_15m
        return None if rate is None else round(rate, 2)

    def _tell(self, rate: float | None, variant: str | None, now: float) -> None:
        here, reason = self._member.here, self._member.reason
        self._told = Advert(variant=variant, tps=rate, accepting=here, reason=reason)
        self._told_at = now
        self._reporter.advertise(self._told)


def _news(before: float | None, rate: float | None) -> bool:
    if before is None or rate is None:
        return before is not rate
    return abs(rate - before) > NEWS_SHARE * before
