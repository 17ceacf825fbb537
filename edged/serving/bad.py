"""How what is wrong with a payload leaves the depth of its parsing."""

from __future__ import annotations

from typing import NoReturn


class Bad(Exception):  # noqa: N818 - never leaves `message.parse`
    """What is wrong with the payload.

    Attributes:
        code: As in `BadRequest`.
        message: As in `BadRequest`, not yet made harmless.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def fail(code: str, message: str) -> NoReturn:
    """Give up on the payload."""
    raise Bad(code, message)
