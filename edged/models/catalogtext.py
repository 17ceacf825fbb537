"""What may stand in a file of the catalogue: keys, types and bounds.

Each field has a default, for one file may change what another one says.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edged.models.variants import Kind  # noqa: TC001 - msgspec reads it when it decodes

MAX_FAMILIES = 64
MAX_VARIANTS = 64  # of a family; the largest has 14
MAX_PUBLISHED = 16  # speeds of a variant
MAX_FILE_BYTES = 1 << 42  # 4 TiB, larger than any model
MAX_WEIGHTS = 10**14  # the largest models have 10^12

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z",
        description="1 to 128 of the characters A-Z a-z 0-9 . _ -",
    ),
]
File = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.gguf\Z",
        description="the name of a .gguf file, without folders",
    ),
]
Repo = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z",
        description="owner/name",
    ),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,255}/[!-?A-~]{1,1024}\Z",
        description="an http or https address without user or password",
    ),
]
LocalPath = Annotated[str, Meta(pattern=r"^/[ -~]{1,4095}\Z", description="an absolute path")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hex digits")]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Size = Annotated[int, Meta(ge=1, le=MAX_FILE_BYTES)]
Rate = Annotated[float, Meta(gt=0, le=100_000)]
Weights = Annotated[int, Meta(ge=1, le=MAX_WEIGHTS)]


class QualityText(msgspec.Struct, frozen=True, kw_only=True):
    """`quality` of a variant, see `edged.models.variants.Quality`."""

    percent: Annotated[float, Meta(gt=0, le=101)] | None = None
    source: Line | None = None
    suite: Line | None = None


class PublishedText(msgspec.Struct, frozen=True, kw_only=True):
    """An item of `published`, see `edged.models.variants.Published`."""

    board: Name | None = None
    engine: Name | None = None
    tps: Rate | None = None
    error: Annotated[float, Meta(ge=0, le=1000)] | None = None
    pp: Rate | None = None
    context: Annotated[int, Meta(ge=0, le=1 << 27)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    slope: Annotated[float, Meta(ge=0, le=1)] | None = None
    source: Line | None = None


class VariantText(msgspec.Struct, frozen=True, kw_only=True):
    """A variant as it is written, see `edged.models.variants.Variant`.

    Attributes:
        file: Says which variant it is.
        gib: Its size in GiB, rounded, where the bytes are not known.
        gb: The same in GB.
        packaged: The file lies beside the packaged catalogue.
    """

    file: File | None = None
    repo: Repo | None = None
    revision: Name | None = None
    url: Url | None = None
    path: LocalPath | None = None
    packaged: bool | None = None
    bytes: Size | None = None
    gib: Annotated[float, Meta(gt=0, le=4096)] | None = None
    gb: Annotated[float, Meta(gt=0, le=4096)] | None = None
    sha256: Sha256 | None = None
    bpw: Annotated[float, Meta(gt=0, le=64)] | None = None
    kind: Kind | None = None
    quality: QualityText | None = None
    published: Annotated[tuple[PublishedText, ...], Meta(max_length=MAX_PUBLISHED)] = ()


class FamilyText(msgspec.Struct, frozen=True, kw_only=True):
    """A family as it is written, see `edged.models.variants.Family`.

    Attributes:
        id: Says which family it is.
        repo: Of its variants that name none.
        revision: Of that repo.
    """

    id: Name | None = None
    name: Line | None = None
    license: Name | None = None
    architecture: Name | None = None
    repo: Repo | None = None
    revision: Name | None = None
    parameters: Weights | None = None
    active: Weights | None = None
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=1 << 24)] | None = None
    context: Annotated[int, Meta(ge=1, le=1 << 27)] | None = None
    fallback: bool | None = None
    variants: Annotated[tuple[VariantText, ...], Meta(max_length=MAX_VARIANTS)] = ()


class CatalogueText(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the catalogue.

    Attributes:
        order: Families that come first, in that order.
        families: In order of preference.
    """

    order: Annotated[tuple[Name, ...], Meta(max_length=MAX_FAMILIES)] = ()
    families: Annotated[tuple[FamilyText, ...], Meta(max_length=MAX_FAMILIES)] = ()
