"""Which files go when there is no room for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Bad downloads are kept to be looked at, not for ever: a few, and less than a small card has free.
MAX_KEPT = 8
MAX_KEPT_BYTES = 512 << 20


class Candidate(NamedTuple):
    """A file that might go.

    Attributes:
        file: Its name.
        bytes: Its size.
        wall: When it came, in seconds since 1970.
    """

    file: str
    bytes: int
    wall: float


def evictions(
    candidates: Iterable[Candidate], lacking: int, keep: Collection[str]
) -> tuple[str, ...]:
    """The files to remove so that `lacking` bytes become free.

    Args:
        candidates: Those that edged fetched itself.
        lacking: Bytes, above 0.
        keep: Names that stay whatever happens: what is in use, and what was chosen.

    Returns:
        The oldest ones, as many as needed; none at all if even all would not do.
    """
    found: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: (one.wall, one.file)):
        if candidate.file in keep:
            continue
        found.append(candidate)
        if sum(one.bytes for one in found) >= lacking:
            needed = _without_waste(found, lacking)
            return tuple(one.file for one in needed)
    return ()


def surplus(kept: Iterable[Candidate]) -> tuple[str, ...]:
    """The bad files that go, the oldest first, so that the rest is within its bounds."""
    newest_first = sorted(kept, key=lambda one: (-one.wall, one.file))
    gone, count, size = [], 0, 0
    for candidate in newest_first:
        if count < MAX_KEPT and size + candidate.bytes <= MAX_KEPT_BYTES:
            count, size = count + 1, size + candidate.bytes
        else:
            gone.append(candidate.file)
    return tuple(reversed(gone))


def _without_waste(found: list[Candidate], lacking: int) -> list[Candidate]:
    """Spare what the later and larger ones made needless."""
    left = sum(one.bytes for one in found)
    needed = []
    for candidate in found:
        if left - candidate.bytes >= lacking:
            left -= candidate.bytes
        else:
            needed.append(candidate)
    return needed
