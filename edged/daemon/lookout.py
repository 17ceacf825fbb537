"""When to look at board, catalogue and disk: when asked, when signs call, else now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.daemon.outlook import View
from edged.models.signs import Signs, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.daemon.errand import DiskThread
    from edged.daemon.notes import Notes
    from edged.daemon.outlook import Survey, Wish

LOOK_S = 300.0  # a look reads headers; what must not wait for it is among the signs
SIGNS_S = 10.0  # between two readings of the signs, and so between two looks for their sake


class Lookout:
    """Starts looks in a thread and keeps what the last one found.

    Args:
        survey: What is done in the thread.
        thread: Whose results come back to `take`.
        pid: Of the child, whose memory counts as had.
        clock: This machine's.
        notes: Told of a look that failed.
    """

    def __init__(
        self,
        survey: Survey,
        thread: DiskThread,
        pid: Callable[[], int | None],
        clock: Clock,
        notes: Notes,
    ) -> None:
        self._survey = survey
        self._thread = thread
        self._pid = pid
        self._clock = clock
        self._notes = notes
        self._looking = False
        self._again = False
        self._looked_at = self._checked_at = 0.0
        self.view: View | None = None

    @property
    def looking(self) -> bool:
        """Whether a look is under way, so that `view` may be of yesterday."""
        return self._looking

    def see(self, wish: Wish) -> None:
        """Look now; if a look is under way, once more after it."""
        if self._looking:
            self._again = True
            return
        self._looking = True
        self._looked_at = self._checked_at = self._clock.monotonic()
        self._thread.run(None, self._survey.look, wish, self._pid())

    def due(self, wish: Wish, now: float, *, calm: bool) -> bool:
        """Look if it is time, or see whether it should be.

        Args:
            wish: Of the owner.
            now: Monotonic seconds.
            calm: The child is up, so what memory it holds is known.

        Returns:
            Whether the regular look began.
        """
        if now - self._looked_at >= LOOK_S:
            self.see(wish)
            return True
        if calm and not self._looking and now - self._checked_at >= SIGNS_S:
            self._checked_at = now
            self._thread.run(None, self._survey.signs, self._pid())
        return False

    def take(self, result: View | Signs | Exception, wish: Wish) -> View | None:
        """What the thread has done; returns the view that is valid from now on, if it is a new one.

        Args:
            result: Of a look, or the signs.
            wish: With which to look once more, if that is due.
        """
        if isinstance(result, Signs):
            self._judge(result, wish)
            return None
        self._looking = False
        if self._again:
            self._again = False
            self.see(wish)
        elif isinstance(result, View):
            self.view = result
            return result
        else:
            self._notes.mistake("selection", result)
        return None

    def _judge(self, signs: Signs, wish: Wish) -> None:
        view = self.view
        if view is not None and view.signs is not None and changed(view.signs, signs, view.need):
            self.see(wish)
