"""Families of models and their variants, as a catalogue or a file found on disk tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["KQ", "IQ", "other"]


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the unquantised model's ability is left.

    Attributes:
        percent: Of the score in BF16, over 0 to 101: a quantised model may win by chance.
        source: Who says so.
        suite: What was asked of it, if that was told.
    """

    percent: float
    source: str
    suite: str | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A speed that somebody else measured.

    Attributes:
        board: As the catalogue names boards, such as `pi5-16gb`.
        engine: Which program computed.
        tps: tok/s of decode.
        error: Its standard deviation in tok/s.
        pp: tok/s of prefill, 512 tokens.
        context: Tokens of context at which it was measured; None: not told, taken as empty.
        threads: Of decode.
        slope: Seconds that each token of context adds to a decoded token.
        source: Who says so.
    """

    board: str
    engine: str
    tps: float
    error: float | None = None
    pp: float | None = None
    context: int | None = None
    threads: int | None = None
    slope: float | None = None
    source: str


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        id: Unique in a catalogue: the file's name without its ending.
        family: Its family's id.
        file: Name of the file.
        repo: On the hub, `owner/name`; None if it is had from `url` or is only on this disk.
        revision: Of the repo: a commit or a branch.
        url: Where else the file is.
        path: Where it is on this disk, if it is not in the models directory by `file`.
        bytes: Its size; see `bytes_are`.
        bytes_are: `exact`, or `rounded` from a published number of GB or from bits per weight.
        sha256: In hex.
        bpw: Bits per weight.
        kind: KQ is made for CPUs, IQ for GPUs.
        quality: None is unknown.
        published: Speeds that others measured.
    """

    id: str
    family: str
    file: str
    repo: str | None = None
    revision: str = "main"
    url: str | None = None
    path: str | None = None
    bytes: int | None = None
    bytes_are: Literal["exact", "rounded", "unknown"] = "unknown"
    sha256: str | None = None
    bpw: float | None = None
    kind: Kind = "other"
    quality: Quality | None = None
    published: tuple[Published, ...] = ()


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Variants of one trained model.

    Attributes:
        id: Unique in a catalogue.
        name: For people.
        license: SPDX identifier, if known.
        architecture: llama.cpp's name of it.
        parameters: Weights in all.
        active: Weights that work on a token; fewer than `parameters` in a mixture of experts.
        kv_bytes_per_token: Of f16 keys and values over all blocks; None: only the header tells.
        context: Tokens it was trained for.
        fallback: It serves when nothing else can, and is not chosen for its speed.
        variants: In the catalogue's order.
    """

    id: str
    name: str
    license: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    active: int | None = None
    kv_bytes_per_token: int | None = None
    context: int | None = None
    fallback: bool = False
    variants: tuple[Variant, ...] = ()


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Families in order of preference."""

    families: tuple[Family, ...] = ()

    def ordered(self, first: Sequence[str]) -> Catalogue:
        """The same with these families first, in that order; names of none are passed over."""
        known = {family.id: family for family in self.families}
        front = [known.pop(name) for name in dict.fromkeys(first) if name in known]
        return Catalogue(families=(*front, *known.values()))

    def variant(self, name: str) -> Variant | None:
        """The variant of that id or file name."""
        for family in self.families:
            for variant in family.variants:
                if name in {variant.id, variant.file}:
                    return variant
        return None
