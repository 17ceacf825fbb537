"""What a variant takes of memory, known by its header or only by a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.models import fit
from edged.models.fit import MIB, Need

if TYPE_CHECKING:
    from edged.models.fit import Setup
    from edged.models.gguf import Header
    from edged.models.variants import Family, Variant

# Without a header: over what `fit.need` finds for 30B-A3B with 152,000 tokens of vocabulary, 101
# and 93 MiB.
COMPUTE = 128 * MIB
OVERHEAD = 96 * MIB
# f16; the largest of the catalogue's dense models has 147,456. Hybrid models have far less.
UNKNOWN_KV = 160 << 10
# q8_0 stores 32 numbers in 34 bytes, f16 in 64
_SHARE = {"f16": (1, 1), "q8_0": (34, 64)}


def need_of(header: Header, setup: Setup, prefix_mib: int | None = None) -> Need:
    """As `fit.need`, with as much of prefixes as has room.

    Args:
        header: Of the file.
        setup: How it is loaded; `prefix_tokens` is the most there may be.
        prefix_mib: MiB for kept beginnings of prompts; None sets no bound.
    """
    per_token = fit.kv_bytes_per_token(header.geometry, setup.kv_type)
    return fit.need(header, _bounded(setup, per_token, prefix_mib))


def need_published(
    variant: Variant, family: Family, setup: Setup, prefix_mib: int | None = None
) -> Need | None:
    """What a file should take that nobody here has seen; None if its size is unknown.

    Args:
        variant: Its bytes, exact or rounded.
        family: Its bytes of keys and values; where unknown, those of a large dense model.
        setup: How it would be loaded; `prefix_tokens` is the most there may be.
        prefix_mib: MiB for kept beginnings of prompts; None sets no bound.
    """
    if variant.bytes is None:
        return None
    known = family.kv_bytes_per_token
    numerator, denominator = _SHARE[setup.kv_type]
    per_token = (UNKNOWN_KV if known is None else known) * numerator // denominator
    bounded = _bounded(setup, per_token, prefix_mib)
    context = min(setup.context, family.context or setup.context)
    return Need(
        weights=variant.bytes,
        kv=setup.streams * context * per_token,
        # Whether its state is recurrent is not known; the larger of both counts.
        prefix=max(context * per_token + bounded.prefix_bytes, bounded.prefix_tokens * per_token),
        compute=COMPUTE,
        overhead=OVERHEAD,
    )


def _bounded(setup: Setup, per_token: int, prefix_mib: int | None) -> Setup:
    if prefix_mib is None:
        return setup
    tokens = fit.tokens_in(prefix_mib, per_token, setup.prefix_tokens)
    return replace(setup, prefix_tokens=tokens, prefix_bytes=prefix_mib * MIB)
