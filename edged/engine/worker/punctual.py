"""Runs that are to end in time: refused if they cannot, told what fits, ended when it is time.

Pure; the caller's clock is monotonic and in seconds.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.engine.worker.cadence import Cadence
    from edged.engine.worker.forecast import Forecast
    from edged.engine.worker.run import Run

TOO_LATE = "too_late"
# A forecast may be off by a tenth: nobody is given up who might be in time.
_SURE = 0.9
# From so many tokens before the end on text is held back to whole sentences; a sentence of an
# ordinary answer has 15 to 30.
HOLD_TOKENS = 48


class Punctual:
    """Knows what is in time.

    Args:
        forecast: How long things take.
        cadence: When the next token is due.
    """

    def __init__(self, forecast: Forecast, cadence: Cadence) -> None:
        self._forecast = forecast
        self._cadence = cadence

    def plan(self, run: Run, known: int, now: float) -> str | None:
        """Plan a newcomer: why it cannot be in time, or None; then `run.planned` says what fits.

        Args:
            run: With a deadline.
            known: Tokens of its prompt that need not be read.
            now: The present.
        """
        left_s = run.ends_at - now
        unread = max(1, run.work - known)
        need_s = self._forecast.read_s(unread)
        if need_s * _SURE > left_s:
            self._forecast.doubt()
            whole = len(run.prompt)
            return (
                f"{unread} tokens are to be read of a prompt of {whole}, which takes about "
                f"{need_s:.1f} s, and {max(0.0, left_s):.1f} s are left"
            )
        # The first token comes with the last one of the prompt.
        run.plan(1 + max(0, int((left_s - need_s) / self._forecast.token_s)))
        return None

    def enforce(self, runs: Iterable[Run], now: float) -> None:
        """End those that cannot have any more in time, and let the others know of their end."""
        for run in runs:
            if run.ends_at == inf or run.finish:
                continue
            if self._is_over(run, now):
                run.finish = "deadline"
            elif run.ends_at - now <= HOLD_TOKENS * self._forecast.token_s:
                run.hold()

    def _is_over(self, run: Run, now: float) -> bool:
        if now >= run.ends_at:
            return True
        if not run.begun:
            return False  # what it will find known is not known yet
        if run.work > run.position:
            need_s = self._forecast.read_s(run.work - run.position) * _SURE
        else:
            need_s = self._cadence.wait_s(now) + self._forecast.step_s
        return now + need_s > run.ends_at
