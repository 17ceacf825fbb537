"""What edged raises on purpose, named by who must act."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class EdgedError(Exception):
    """The base of every error that edged raises on purpose."""


class ConfigError(EdgedError, ValueError):
    """The owner must mend the configuration.

    Attributes:
        problems: One line for each mistake, naming the file and the key.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ModelError(EdgedError):
    """The model file must be replaced; the text names the file and the fault."""


class StorageError(EdgedError, OSError):
    """The disk must be looked after; the text names the path and the fault."""


class FrameError(EdgedError):
    """The process at the other end of a socketpair broke the frame protocol."""


class EngineError(EdgedError):
    """The engine's child died, or refused, where its answer was needed."""
