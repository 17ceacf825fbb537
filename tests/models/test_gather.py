from __future__ import annotations

from msgspec.structs import replace

from edged.models import fit
from edged.models.cachetype import Open
from edged.models.figures import KINDS, NO_FLASH
from edged.models.gather import Seen, gather
from edged.models.needs import need_of, need_published
from edged.models.predict import predict
from edged.models.variants import Catalogue
from tests.models.test_calibration import known, rate
from tests.models.test_headerfacts import Q8_0, header
from tests.models.values import depths, family, measurement, variant

SETUP = fit.Setup()


def test_every_variant_with_what_is_known_here() -> None:
    one = family(variant("a", bytes=99), variant("b", bytes=98))
    two = family(variant("c"), id="g")
    found, _ = header((Q8_0, 4))
    seen = Seen(
        header=found,
        on_disk=True,
        quarantined="bad",
        measurements=(measurement(7.0, wall=0.0), measurement(8.0)),
    )
    a, b, c = gather(Catalogue(families=(one, two)), SETUP, {"b": seen}, prefix_mib=64)
    assert (a.need, a.need_from) == (need_published(a.variant, one, SETUP, 64), "catalogue")
    assert (b.need, b.need_from, b.on_disk) == (need_of(found, SETUP, 64), "header", True)
    assert (b.quarantined, b.prediction) == ("bad", None)
    assert b.measurements == seen.measurements[::-1], "the best one first"
    assert (c.family, c.need) == (two, None)


def test_a_header_from_afar_is_no_file_here() -> None:
    found, _ = header((Q8_0, 4))
    catalogue = Catalogue(families=(family(variant("a")),))
    (only,) = gather(catalogue, SETUP, {"a": Seen(header=found)})
    assert (only.need_from, only.on_disk) == ("header", False)


def test_a_calibrated_board_predicts_what_has_a_header() -> None:
    found, _ = header((Q8_0, 4))
    catalogue = Catalogue(families=(family(variant("a"), variant("b")),))
    calibration = known(rate("q8_0"))
    a, b = gather(catalogue, SETUP, {"a": Seen(header=found)}, calibration=calibration)
    assert a.prediction == predict(found, calibration, SETUP)
    assert b.prediction is None


def test_each_variant_has_its_own_type_of_cache() -> None:
    geometry = header((Q8_0, 4))[0].geometry
    wide = replace(
        header((Q8_0, 4))[0], geometry=replace(geometry, key_length=4096, value_length=4096)
    )
    catalogue = Catalogue(families=(family(variant("a", bytes=99), variant("b"), variant("c")),))
    small = replace(SETUP, kv_type="q8_0")
    needs = [need_of(wide, setup, 64).total for setup in (SETUP, small)]
    assert needs[1] < needs[0]
    left = Open(kinds=("f16", "q8_0"), have=needs[1])
    timed = Seen(header=wide, measurements=(measurement(8.0),))
    a, b, c = gather(catalogue, SETUP, {"b": timed}, 64, left=left)
    assert (b.cache.kind, b.cache.no_room) == ("q8_0", ("f16",))
    assert b.need == need_of(wide, small, 64)
    assert (a.cache.kind, a.cache.no_room) == ("q8_0", ()), "it has no room at all"
    assert a.need == need_published(a.variant, a.family, small, 64)
    assert (c.cache.kind, c.need) == ("f16", None)
    roomy = replace(left, have=needs[0])
    deep = [
        measurement(8.0, kv_type=kind, depths=depths((0, 8.0), (2048, tps)))
        for kind, tps in (("f16", 6.0), ("q8_0", 7.0))
    ]
    faster = Seen(header=wide, measurements=tuple(deep))
    _, b, _ = gather(catalogue, SETUP, {"b": faster}, 64, left=roomy)
    assert (b.cache.kind, b.need) == ("q8_0", need_of(wide, small, 64))
    assert b.measurements == (deep[1], deep[0])
    without = measurement(8.0, kv_type=NO_FLASH, depths=depths((0, 8.0), (2048, 7.5)))
    faster = Seen(header=wide, measurements=(*deep, without))
    open_to_all = replace(roomy, kinds=KINDS, have=2 * needs[0])
    _, b, _ = gather(catalogue, SETUP, {"b": faster}, 64, left=open_to_all)
    assert (b.cache.kind, b.measurements[0]) == (NO_FLASH, without)
    assert b.need == need_of(wide, replace(SETUP, flash_attention=False), 64)
    (_, b, _) = gather(catalogue, small, {"b": faster}, 64)
    assert (b.cache.kind, b.cache.why) == ("q8_0", ""), "as configured"
