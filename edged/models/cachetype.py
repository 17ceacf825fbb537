"""How keys and values are kept and read: as the owner says, else by need, else by speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from edged.models.figures import NO_FLASH, KvType
from edged.models.fit import GIB
from edged.models.settings import contest, gains

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edged.models.figures import Measurement
    from edged.models.metadata import Geometry
    from edged.models.settings import Contest

BLOCK = 32  # numbers of one scale of q8_0; llama.cpp takes heads of whole blocks alone
UNTIMED = "kv f16, as long as no other way was timed beside it"
STAYS = "kv q8_0: there was no room for f16 since the start"


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner and the board leave open.

    Attributes:
        kinds: Ways that may be taken; f16, which changes no numbers, first.
        have: Bytes of memory that may be used.
        no_room: Ids of variants, each with a way in which it had no room since the start. Memory
            comes and goes, and each change costs a load and the reading of what was cached.
    """

    kinds: tuple[KvType, ...] = ("f16",)
    have: int = 0
    no_room: Collection[tuple[str, KvType]] = ()

    def of(self, geometry: Geometry) -> Open:
        """What of it a model leaves open."""
        return msgspec.structs.replace(self, kinds=of_geometry(self.kinds, geometry))


class CacheType(msgspec.Struct, frozen=True, kw_only=True):
    """Of one variant.

    Attributes:
        kind: To load it with.
        kinds: That have room, and may be timed.
        no_room: Open ways in which there is none, where another has it.
        why: In words with the numbers; empty where nothing was to be decided.
    """

    kind: KvType = "f16"
    kinds: tuple[KvType, ...] = ("f16",)
    no_room: tuple[KvType, ...] = ()
    why: str = ""


def kinds(
    wanted: Literal["auto", "f16", "q8_0"], flash_attention: Literal["auto", "on", "off"]
) -> tuple[KvType, ...]:
    """Ways that a configuration leaves open.

    Args:
        wanted: As configured.
        flash_attention: As configured; q8_0 values need it.
    """
    if flash_attention == "off":
        return (NO_FLASH,)
    stored: tuple[KvType, ...] = ("f16", "q8_0") if wanted == "auto" else (wanted,)
    return (*stored, NO_FLASH) if flash_attention == "auto" and "f16" in stored else stored


def of_geometry(kinds: tuple[KvType, ...], geometry: Geometry) -> tuple[KvType, ...]:
    """Those of them between which there is a choice for a model.

    Args:
        kinds: See `kinds`.
        geometry: A model without attention keeps no keys and values.
    """
    if not any(geometry.head_counts_kv):
        return kinds[:1]
    whole = not (geometry.key_length % BLOCK or geometry.value_length % BLOCK)
    return tuple(kind for kind in kinds if whole or kind != "q8_0") or kinds


def settle(
    name: str, left: Open, need: Callable[[KvType], int], known: Sequence[Measurement] = ()
) -> CacheType:
    """The way for a variant.

    Args:
        name: Its id.
        left: What is open for it.
        need: Bytes of memory that it takes in a way.
        known: Measurements of it on this board with this engine.
    """
    if len(left.kinds) == 1:
        return CacheType(kind=left.kinds[0], kinds=left.kinds)
    short = {kind for kind in left.kinds if (name, kind) in left.no_room or need(kind) > left.have}
    if "q8_0" in left.kinds and "f16" in short:
        return _small(need, left.have)
    no_room: tuple[KvType, ...] = (NO_FLASH,) if NO_FLASH in short else ()
    kinds = tuple(kind for kind in left.kinds if kind not in no_room)
    found = contest(known, kinds)
    kind: KvType = found.kind if gains(found) else "f16"
    why = _compared(kind, found) if known and len(kinds) > 1 else ""
    return CacheType(kind=kind, kinds=kinds, no_room=no_room, why=why)


def _small(need: Callable[[KvType], int], have: int) -> CacheType:
    """With q8_0, whatever is faster; what has no room so either needs that at least."""
    if need("q8_0") > have:
        return CacheType(kind="q8_0", kinds=("q8_0",))
    plain = need("f16")
    why = f"kv q8_0: with f16 it would need {plain / GIB:.1f} GiB" if plain > have else STAYS
    return CacheType(kind="q8_0", kinds=("q8_0",), no_room=("f16",), why=why)


def _compared(kind: KvType, found: Contest | None) -> str:
    """What was measured of both, the one that is taken first."""
    if found is None:
        return UNTIMED
    mine, others, other = found.plain, found.other, found.kind
    if kind != "f16":
        mine, others, other = others, mine, "f16"
    at = f"at {found.depth:,} tokens"
    return f"kv {kind}: {mine:.1f} tok/s {at} beside {others:.1f} with {other}"
