"""What to do about a download: where to go on, when to try again, what to say of it."""

from __future__ import annotations

import errno
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NoReturn

import msgspec

from edged.errors import EdgedError

if TYPE_CHECKING:
    from edged.models.records import PartRecord
    from edged.models.variants import Variant

MAX_BYTES = 256 << 30  # the largest quantised file that one disk of a board could hold
# Left free on the disk of the models: Home Assistant's database, the journal (4 GB at most by
# default) and one upgrade of a container image take turns there; a tenth of a small disk.
RESERVE_BYTES = 2 << 30
RESERVE_SHARE = 10
LONGEST_WAIT_S = 3600.0  # a house without Internet is asked for once an hour
LONGEST_RETRY_AFTER_S = 86_400.0  # what a server may demand
MAX_DOUBLINGS = 12  # from 2 s to over an hour
GAIN_BYTES = 1 << 20  # an attempt that brought so much was no failure of the line

Code = Literal[
    "unreachable",  # no connection, no name, no trust in the certificate
    "unavailable",  # 5xx, 408, 425 or 429
    "refused",  # 401 or 403: a gated repository, or a wrong token
    "missing",  # 404, 410 and every other 4xx
    "unsafe",  # a redirect that is not followed
    "bad_answer",  # it breaks HTTP, or is not what was asked for
    "cut",  # the body ended before its end
    "slow",  # under the least rate
    "changed",  # another file than the one that was pinned
    "bad_size",  # not the bytes that the catalogue tells
    "bad_hash",  # not the sha256 that was promised
    "bad_file",  # no GGUF file that an engine may see
    "no_space",
    "read_only",
    "disk",  # any other fault of it
    "no_source",  # nobody says where the file is
    "in_use",  # another process downloads it
    "quiet",  # within the quiet hours
    "internal",  # a mistake in edged
]
# Seconds before the second attempt; doubled for each further one. What is not here is final: the
# same question would get the same answer.
_FIRST_WAIT_S: MappingProxyType[str, float] = MappingProxyType(
    {
        "cut": 2.0,
        "unreachable": 5.0,
        "unavailable": 10.0,
        "slow": 30.0,
        "bad_answer": 60.0,
        "in_use": 60.0,
        "bad_hash": 60.0,
        "disk": 900.0,
        "no_space": 3600.0,
        "read_only": 3600.0,
    }
)
# A second bad file in a row is what the source has, and no accident of the line or the card.
_MOST_BAD = 2
_OF_DISK: MappingProxyType[int | None, Code] = MappingProxyType(
    {
        errno.ENOSPC: "no_space",
        errno.EDQUOT: "no_space",
        errno.EROFS: "read_only",
        errno.EACCES: "read_only",
        errno.EPERM: "read_only",
        errno.EWOULDBLOCK: "in_use",
    }
)
# Faults of one source that another one may not have.
_OF_SOURCE = frozenset(
    ["unreachable", "unavailable", "refused", "missing", "unsafe", "bad_answer", "slow", "bad_size"]
)


class FetchError(EdgedError):
    """The attempt has failed.

    Attributes:
        code: Why, in a word.
        reason: Why, in a sentence without the address's secrets.
        retry_after: Seconds that the server or the clock asks to wait, if it does.
    """

    def __init__(self, code: Code, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.code: Code = code
        self.reason = reason
        self.retry_after = retry_after


def fail(code: Code, reason: str, retry_after: float | None = None) -> NoReturn:
    """End the attempt.

    Raises:
        FetchError: Always.
    """
    raise FetchError(code, reason, retry_after)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of a file.

    Attributes:
        bytes: All of it.
        sha256: In hex, as the hub tells for large files.
        etag: Changes when the file does; None if nothing was said.
        commit: The repository's state.
        host: Who says so.
    """

    bytes: int
    sha256: str | None = None
    etag: str | None = None
    commit: str | None = None
    host: str = ""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the file must be.

    Attributes:
        bytes: All of it.
        sha256: In hex; None: nobody knows, so the first copy is believed and pinned.
        source: Who says so: `catalogue`, `pinned`, a host, or None.
    """

    bytes: int
    sha256: str | None
    source: str | None


def expect(variant: Variant, pinned: str | None, facts: Facts) -> Expected:
    """Reconcile the catalogue, the first download and the server.

    Args:
        variant: As the catalogue has it; its sha256 wins.
        pinned: The sha256 of the copy that was had first.
        facts: As the server has it.

    Raises:
        FetchError: They contradict each other; nothing needs to be downloaded to know that.
    """
    if variant.bytes_are == "exact" and variant.bytes not in {None, facts.bytes}:
        reason = f"{facts.host} has {facts.bytes} bytes of {variant.file}, not {variant.bytes}"
        fail("bad_size", reason)
    if not 0 < facts.bytes <= MAX_BYTES:
        reason = f"{facts.host} has {facts.bytes} bytes of {variant.file}; 1 to {MAX_BYTES} fit"
        fail("bad_size", reason)
    known = variant.sha256 or pinned
    source = "catalogue" if variant.sha256 else "pinned" if pinned else None
    if known is None:
        return Expected(
            bytes=facts.bytes, sha256=facts.sha256, source=facts.host if facts.sha256 else None
        )
    if facts.sha256 not in {None, known}:
        reason = (
            f"{facts.host} has another {variant.file}: sha256 {facts.sha256}, {source} is {known}"
        )
        fail("changed", reason)
    return Expected(bytes=facts.bytes, sha256=known, source=source)


def resume_from(record: PartRecord | None, part_bytes: int, boot: str | None) -> int:
    """How many bytes of a part can be trusted.

    What the kernel took is still there when only a process died; after a power cut only what was
    synced is, though the file may be longer.

    Args:
        record: What was written beside the part.
        part_bytes: Its length now.
        boot: Identifies this run of the kernel, if that is known.
    """
    if record is None:
        return 0
    same_boot = boot is not None and record.boot == boot
    return min(part_bytes, record.bytes if same_boot else record.synced)


def continues(record: PartRecord, facts: Facts) -> bool:
    """Whether the part is a beginning of what the server has: of equal size and name."""
    if record.bytes != facts.bytes:
        return False
    if record.sha256 is not None and facts.sha256 is not None:
        return record.sha256 == facts.sha256
    return record.etag is not None and record.etag == facts.etag


def reserve(disk_bytes: int) -> int:
    """Bytes to leave free on a disk of that size."""
    return min(RESERVE_BYTES, disk_bytes // RESERVE_SHARE)


def lacking(free: int, needed: int, kept: int) -> int:
    """Bytes missing for `needed` more when `kept` are to stay free; 0 if there is room."""
    return max(0, needed + kept - free)


def disk_code(number: int | None) -> Code:
    """What a failing call to the disk means for the download.

    Args:
        number: Its errno.
    """
    return _OF_DISK.get(number, "disk")


def other_source_may_help(code: Code) -> bool:
    """Whether a mirror is worth a try at once."""
    return code in _OF_SOURCE


def retry_in(
    code: Code, failures: int, retry_after: float | None, jitter: float, most: int | None = None
) -> float | None:
    """Seconds until the next attempt; None: it is given up.

    Args:
        code: Of the last failure.
        failures: In a row, at least 1.
        retry_after: What the server asked for, at least so long.
        jitter: 0 to 1, so that a street of boards does not come back as one.
        most: Failures in a row after which it is given up; None: never.
    """
    first = _FIRST_WAIT_S.get(code)
    if first is None or (code == "bad_hash" and failures >= _MOST_BAD):
        return None
    if most is not None and failures >= most:
        return None
    doubled = first * (1 << min(failures - 1, MAX_DOUBLINGS))
    grown = min(doubled, LONGEST_WAIT_S) * (0.75 + jitter / 2)
    return max(grown, min(retry_after or 0.0, LONGEST_RETRY_AFTER_S))
