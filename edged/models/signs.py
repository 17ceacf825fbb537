"""Signs that the world has changed, cheap to read again and again between two looks at it all."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Listing: TypeAlias = "tuple[Entry, ...]"
Change: TypeAlias = Literal["memory", "limit", "files"]


class Entry(NamedTuple):
    """A file of a folder.

    Attributes:
        name: Without the folder.
        size: Bytes.
        changed_ns: Its time of change, nanoseconds since 1970.
    """

    name: str
    size: int
    changed_ns: int


class Signs(NamedTuple):
    """What may change under a running daemon.

    Attributes:
        have: Bytes of memory that a model may take.
        limit: Bytes of the control group, if it has a limit.
        models: Model files of the models directory.
        catalogues: The owner's catalogue files.
    """

    have: int
    limit: int | None = None
    models: Listing = ()
    catalogues: Listing = ()


def changed(then: Signs, now: Signs, need: int | None) -> Change | None:
    """Whether it is worth to look at everything now, and why.

    That memory comes back is no haste: the next regular look finds it. That it is still short is
    no news either.

    Args:
        then: At the last look.
        now: Now.
        need: Bytes of memory that what serves takes; None: unknown.
    """
    if then.limit != now.limit:
        return "limit"
    if need is not None and now.have < need <= then.have:
        return "memory"
    if (then.models, then.catalogues) != (now.models, now.catalogues):
        return "files"
    return None
