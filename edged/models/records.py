"""What the store writes beside its files: parts, whole files, and bad ones, as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from edged.models.variants import Variant

MAX_RECORD_BYTES = 16_384  # the longest has under 3,000
MAX_REASON = 1000  # characters

# No separator, no leading dot, nothing that a shell or a journal could take for more.
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,199}")
ENDING = ".gguf"

Size = Annotated[int, Meta(ge=0, le=1 << 50)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=2048)]
Stamp = tuple[int, int, int, int]


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A download that is not whole yet.

    Attributes:
        variant: Its id.
        bytes: Of the whole file.
        synced: The part's first bytes that survive a power cut.
        boot: The run of the kernel in which it was written; see `edged.models.fetching`.
        sha256: Expected, in hex.
        sha256_from: Who says so.
        etag: As the server named the file.
        commit: Of the repository.
        url: Where it comes from, without a query.
    """

    variant: Text
    bytes: Size
    synced: Size
    boot: Text | None = None
    sha256: Hash | None = None
    sha256_from: Text | None = None
    etag: Text | None = None
    commit: Text | None = None
    url: Text = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file that edged has fetched or verified.

    Attributes:
        variant: Its id.
        bytes: Its size.
        sha256: Of every byte, in hex; a later download must have the same.
        sha256_from: Who said that it should be so; None: the first copy was believed.
        digest: See `edged.models.fingerprint`.
        stamp: Of the file when it was verified; another one means that it was touched.
        fetched: edged wrote it, so edged may evict it.
        commit: Of the repository.
        url: Where it came from, without a query.
        wall: When, in seconds since 1970.
    """

    variant: Text
    bytes: Size
    sha256: Hash
    sha256_from: Text | None = None
    digest: Hash
    stamp: Stamp
    fetched: bool = True
    commit: Text | None = None
    url: Text = ""
    wall: float = 0.0


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A file that must not be loaded.

    Attributes:
        variant: Its id.
        file: Its name in the models directory.
        code: Why, in a word.
        reason: Why, in a sentence.
        sha256: What it should have been, if that was known.
        kept: Name of the file in the quarantine, where a large download is not kept for long.
        fetched: edged wrote it, so edged may drop it for room.
        wall: When, in seconds since 1970.
    """

    variant: Text
    file: Text
    code: Text
    reason: Text
    sha256: Hash | None = None
    kept: Text = ""
    fetched: bool = False
    wall: float = 0.0

    def concerns(self, variant: Variant) -> bool:
        """Whether that variant is the bad one; another sha256 in the catalogue is another file."""
        if self.file != variant.file:
            return False
        return self.sha256 is None or variant.sha256 in {None, self.sha256}


AnyRecord = TypeVar("AnyRecord", PartRecord, Record, Quarantined)


def decode(data: bytes, kind: type[AnyRecord]) -> AnyRecord | None:
    """The record in a file; None if it is not one of ours."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def encode(record: PartRecord | Record | Quarantined) -> bytes:
    """The bytes of its file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def safe_name(file: str) -> str | None:
    """The name under which a file may lie in the models directory; None: under none.

    Args:
        file: As a catalogue or an address gives it; folders of a repository are dropped.
    """
    name = file.rpartition("/")[2]
    if not _FILE.fullmatch(name) or not name.endswith(ENDING):
        return None
    return name


def one_line(text: str) -> str:
    """A reason that can stand in a journal: printable, and not endless."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_REASON])
