"""From a catalogue and what is known here to the candidates of a choice."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edged.models.cachetype import Open, settle
from edged.models.candidates import Candidate
from edged.models.figures import Measurement, kind_of
from edged.models.fit import keeping
from edged.models.gguf import Header  # noqa: TC001 - as above
from edged.models.needs import need_of, need_published
from edged.models.predict import predict
from edged.models.settings import preferred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.models.cachetype import CacheType
    from edged.models.calibration import Calibration
    from edged.models.figures import KvType
    from edged.models.fit import Need, Setup
    from edged.models.variants import Catalogue, Family, Variant


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known here of a variant, besides the catalogue.

    Attributes:
        header: Of its file, from this disk or from afar.
        on_disk: Whether the file is here, whole and sound.
        quarantined: Why it may not be used, if so.
        measurements: Of this file on this board with this engine.
    """

    header: Header | None = None
    on_disk: bool = False
    quarantined: str | None = None
    measurements: tuple[Measurement, ...] = ()


NOTHING: Mapping[str, Seen] = MappingProxyType({})


def gather(  # noqa: PLR0913 - all that is known besides the catalogue
    catalogue: Catalogue,
    setup: Setup,
    seen: Mapping[str, Seen] = NOTHING,
    prefix_mib: int | None = None,
    *,
    left: Open | None = None,
    calibration: Calibration | None = None,
) -> tuple[Candidate, ...]:
    """Every variant of the catalogue as a candidate.

    Args:
        catalogue: With the facts of headers, as `inventory.take_inventory` gives it.
        setup: How a model would be loaded; `prefix_tokens` is the most there may be.
        seen: By the variants' ids.
        prefix_mib: MiB for kept beginnings of prompts; None sets no bound.
        left: What is open of how keys and values are kept; None: nothing, it is as in `setup`.
        calibration: To predict from; None predicts nothing.
    """
    kept = left or Open(kinds=(kind_of(setup.kv_type, flash=setup.flash_attention),))
    return tuple(
        _Maker(setup, prefix_mib, kept, calibration, family, variant).candidate(
            seen.get(variant.id, Seen())
        )
        for family in catalogue.families
        for variant in family.variants
    )


class _Maker(NamedTuple):
    """Of one candidate."""

    setup: Setup
    prefix_mib: int | None
    left: Open
    calibration: Calibration | None
    family: Family
    variant: Variant

    def candidate(self, seen: Seen) -> Candidate:
        cache = self._cache(seen)
        prediction = None
        if seen.header is not None and self.calibration is not None:
            prediction = predict(seen.header, self.calibration, self._loaded(cache.kind))
        return Candidate(
            family=self.family,
            variant=self.variant,
            cache=cache,
            need=self._need(seen, cache.kind),
            need_from="catalogue" if seen.header is None else "header",
            on_disk=seen.on_disk,
            quarantined=seen.quarantined,
            measurements=preferred(seen.measurements, cache.kinds),
            prediction=prediction,
        )

    def _cache(self, seen: Seen) -> CacheType:
        left = self.left
        if seen.header is not None:
            left = left.of(seen.header.geometry)

        def need(kind: KvType) -> int:
            found = self._need(seen, kind)
            return 0 if found is None else found.total

        return settle(self.variant.id, left, need, seen.measurements)

    def _need(self, seen: Seen, kind: KvType) -> Need | None:
        setup, most = self._loaded(kind), self.prefix_mib
        if seen.header is None:
            return need_published(self.variant, self.family, setup, most)
        return need_of(seen.header, setup, most)

    def _loaded(self, kind: KvType) -> Setup:
        return keeping(self.setup, kind)
