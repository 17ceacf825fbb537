from __future__ import annotations

from edged.models import fit
from edged.models.gather import Seen, gather
from edged.models.needs import need_of, need_published
from edged.models.variants import Catalogue
from tests.models.test_headerfacts import Q8_0, header
from tests.models.values import family, measurement, prediction, variant

SETUP = fit.Setup()


def test_every_variant_with_what_is_known_here() -> None:
    one = family(variant("a", bytes=99), variant("b", bytes=98))
    two = family(variant("c"), id="g")
    found, _ = header((Q8_0, 4))
    seen = Seen(
        header=found,
        on_disk=True,
        quarantined="bad",
        measurements=(measurement(8.0),),
        prediction=prediction(7.0),
    )
    a, b, c = gather(Catalogue(families=(one, two)), SETUP, {"b": seen}, prefix_mib=64)
    assert (a.need, a.need_from) == (need_published(a.variant, one, SETUP, 64), "catalogue")
    assert (b.need, b.need_from, b.on_disk) == (need_of(found, SETUP, 64), "header", True)
    assert (b.quarantined, b.measurements, b.prediction) == (
        "bad",
        seen.measurements,
        seen.prediction,
    )
    assert (c.family, c.need) == (two, None)


def test_a_header_from_afar_is_no_file_here() -> None:
    found, _ = header((Q8_0, 4))
    catalogue = Catalogue(families=(family(variant("a")),))
    (only,) = gather(catalogue, SETUP, {"a": Seen(header=found)})
    assert (only.need_from, only.on_disk) == ("header", False)
