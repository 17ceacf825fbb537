"""What is still to be computed will take so long, judged by what was; pure."""

from __future__ import annotations

from typing import Final

# Shorter steps cost more a token, and there is no need to forecast them. No chunk is smaller.
LONG: Final = 16
# Weight of the newest step: after three the forecast fits what the house leaves us.
_NEWEST: Final = 0.4
# A MoE reads a token of a long prompt in less than half of what the warm-up's short step says.
# Nobody is sent away for what was not measured.
_WARM: Final = 0.5
# After a neighbour made reading slow for a while, some ten refusals later one may try again.
_DOUBTED: Final = 0.9


class Forecast:
    """Learns what tokens cost.

    Args:
        read_s: Seconds for a token of a prompt in the warm-up's short step.
        decode_s: Seconds of a step that decodes.
    """

    def __init__(self, read_s: float, decode_s: float) -> None:
        self._read_s = read_s * _WARM
        self._decode_s = decode_s
        self._slowdown = 1.0
        self._period_s = 0.0

    def set_pace(self, idle_share: float, tps: float | None) -> None:
        """From now on it rests so much, and each stream has at most so many tok/s."""
        self._slowdown = 1.0 / (1.0 - idle_share)
        self._period_s = 0.0 if tps is None else 1.0 / tps

    def observe(self, busy_s: float, read: int, decoded: int) -> None:
        """A step took so long, rests not counted.

        Args:
            busy_s: Seconds.
            read: Prompt tokens that it read, if it did nothing else.
            decoded: Tokens that it decoded, if it did nothing else.
        """
        if read >= LONG:
            self._read_s += _NEWEST * (busy_s / read - self._read_s)
        elif decoded:
            self._decode_s += _NEWEST * (busy_s - self._decode_s)

    def doubt(self) -> None:
        """Somebody was sent away for it: who is never let in could never show that it is wrong."""
        self._read_s *= _DOUBTED

    def read_s(self, tokens: int) -> float:
        """Seconds to read so many tokens of a prompt, at the present pace."""
        return tokens * self._read_s * self._slowdown

    @property
    def step_s(self) -> float:
        """Seconds of a step that decodes, without the rest before it."""
        return self._decode_s

    @property
    def token_s(self) -> float:
        """Seconds from one token of an answer to the next, at the present pace."""
        return max(self._decode_s * self._slowdown, self._period_s)
