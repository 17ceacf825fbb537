"""As many rounds as there is time for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def rounds(seconds: float, least: int) -> Iterator[int]:
    """Numbers from 0 on, for so many seconds and at least so many of them."""
    end = time.monotonic() + seconds
    number = 0
    while number < least or time.monotonic() < end:
        yield number
        number += 1
