"""What the headers of an HTTP answer say about a file."""

from __future__ import annotations

import re
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING

import msgspec

from edged.models.fetching import FetchError, fail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.models.fetching import Code

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ETAG = re.compile(r'"?([\x21\x23-\x7e]{1,200})"?')
_COMMIT = re.compile(r"[0-9A-Za-z._-]{1,64}")
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)

OK, PARTIAL = 200, 206
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})
_FORBIDDEN = frozenset({401, 403})
_OUT_OF_RANGE = 416
_SERVER_FAULT = 500


class Linked(msgspec.Struct, frozen=True):
    """What the hub says of a large file before it leads elsewhere.

    Attributes:
        bytes: Its size.
        etag: Its name; for large files the sha256.
        commit: The repository's state.
    """

    bytes: int | None = None
    etag: str | None = None
    commit: str | None = None

    @property
    def sha256(self) -> str | None:
        """The name, if it is one that a file can be verified by."""
        return self.etag if self.etag is not None and _SHA256.fullmatch(self.etag) else None


class Extent(msgspec.Struct, frozen=True):
    """Which bytes an answer holds.

    Attributes:
        start: The first.
        length: How many.
        total: Of the whole file.
    """

    start: int
    length: int
    total: int


class RangeError(FetchError):
    """The file ends before the first byte that was asked for: it is another one now."""


def linked(headers: Mapping[str, str]) -> Linked:
    """The hub's own headers; what is malformed counts as absent."""
    return Linked(
        bytes=_number(headers.get("x-linked-size")),
        etag=etag(headers.get("x-linked-etag")),
        commit=_match(_COMMIT, headers.get("x-repo-commit")),
    )


def etag(value: str | None) -> str | None:
    """A strong entity tag without its quotes; None for a weak or malformed one."""
    found = _ETAG.fullmatch(value) if value is not None else None
    return None if found is None else found[1]


def refuse(status: int, headers: Mapping[str, str], host: str, wall: float) -> None:
    """Find the fault in an answer that is neither the file nor a redirect.

    Args:
        status: HTTP's.
        headers: With names in lower case.
        host: For the reason.
        wall: Seconds since 1970, for a Retry-After that is a date.

    Raises:
        RangeError: For 416.
        FetchError: For everything else that is not 200 or 206.
    """
    if status in {OK, PARTIAL}:
        return
    if status == _OUT_OF_RANGE:
        raise RangeError("bad_answer", f"{host} has fewer bytes than there are here")  # noqa: EM101
    code: Code = "bad_answer"
    reason = f"{host} answers {status}"
    if status >= _SERVER_FAULT or status in _BUSY:
        code = "unavailable"
    elif status in _FORBIDDEN:
        code = "refused"
        reason += ": a gated repository needs a token (model.download.token_file)"
    elif status // 100 == 4:  # noqa: PLR2004 - the client's fault
        code = "missing"
    fail(code, reason, _retry_after(headers.get("retry-after"), wall))


def extent(
    status: int, headers: Mapping[str, str], start: int, end: int | None, host: str
) -> Extent:
    """Which bytes come.

    Args:
        status: 200 or 206.
        headers: With names in lower case.
        start: The first byte that was asked for.
        end: The one behind the last, or None for all the rest.
        host: For the reason.

    Raises:
        FetchError: They are compressed, or others than asked for, or nobody tells how many.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        # what a few bytes would grow to is not known before it has happened
        fail("bad_answer", f"{host} compresses the file though that was not asked for")
    length = _number(headers.get("content-length"))
    if status == OK:
        if length is None:
            fail("bad_answer", f"{host} does not tell how long the file is")
        return Extent(0, length, length)
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    if found is None:
        fail("bad_answer", f"{host} does not tell which bytes it sends")
    first, last, total = map(int, found.groups())
    wanted = min(total, end if end is not None else total)
    if first != start or last + 1 != wanted or wanted <= start:
        asked = f"{start} to {'the end' if end is None else end - 1}"
        reason = f"{host} sends the bytes {first} to {last} of {total}; asked were {asked}"
        fail("bad_answer", reason)
    if length is not None and length != wanted - start:
        fail("bad_answer", f"{host} contradicts itself about the bytes it sends")
    return Extent(start, wanted - start, total)


def _retry_after(value: str | None, wall: float) -> float | None:
    if value is None:
        return None
    if _DIGITS.fullmatch(value):
        return float(value)
    date = parsedate_tz(value[:64])
    try:
        return None if date is None else max(0.0, mktime_tz(date) - wall)
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and _DIGITS.fullmatch(value) else None


def _match(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
