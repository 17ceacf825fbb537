"""From a catalogue and what is known here to the candidates of a choice."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from edged.models.candidates import Candidate
from edged.models.figures import Measurement, Prediction  # noqa: TC001 - msgspec resolves them
from edged.models.gguf import Header  # noqa: TC001 - as above
from edged.models.needs import need_of, need_published

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.models.fit import Setup
    from edged.models.variants import Catalogue, Family, Variant


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known here of a variant, besides the catalogue.

    Attributes:
        header: Of its file, from this disk or from afar.
        on_disk: Whether the file is here, whole and sound.
        quarantined: Why it may not be used, if so.
        measurements: Of this file on this board with this engine.
        prediction: For this file on this board with this engine.
    """

    header: Header | None = None
    on_disk: bool = False
    quarantined: str | None = None
    measurements: tuple[Measurement, ...] = ()
    prediction: Prediction | None = None


NOTHING: Mapping[str, Seen] = MappingProxyType({})


def gather(
    catalogue: Catalogue,
    setup: Setup,
    seen: Mapping[str, Seen] = NOTHING,
    prefix_mib: int | None = None,
) -> tuple[Candidate, ...]:
    """Every variant of the catalogue as a candidate.

    Args:
        catalogue: With the facts of headers, as `inventory.take_inventory` gives it.
        setup: How a model would be loaded; `prefix_tokens` is the most there may be.
        seen: By the variants' ids.
        prefix_mib: MiB for kept beginnings of prompts; None sets no bound.
    """
    return tuple(
        _candidate(family, variant, setup, seen.get(variant.id, Seen()), prefix_mib)
        for family in catalogue.families
        for variant in family.variants
    )


def _candidate(
    family: Family, variant: Variant, setup: Setup, seen: Seen, prefix_mib: int | None
) -> Candidate:
    if seen.header is None:
        need = need_published(variant, family, setup, prefix_mib)
    else:
        need = need_of(seen.header, setup, prefix_mib)
    return Candidate(
        family=family,
        variant=variant,
        need=need,
        need_from="catalogue" if seen.header is None else "header",
        on_disk=seen.on_disk,
        quarantined=seen.quarantined,
        measurements=seen.measurements,
        prediction=seen.prediction,
    )
