from __future__ import annotations

from msgspec.structs import replace

from edged.doctor.facts import Configured
from edged.doctor.memory import memory
from edged.models.cachetype import CacheType
from edged.models.candidates import Choice, Status, Verdict
from tests.doctor.judging import CHOICE, GIB, PI_5, told
from tests.models.values import candidate, family, variant


def chosen(status: Status) -> Choice:
    verdict = Verdict(
        candidate=candidate(family(variant("v")), gib=3.0), rule="chosen", reason="7.2 tok/s"
    )
    return replace(CHOICE, status=status, chosen="v", verdicts=(verdict,))


def test_a_model_that_has_room_and_one_that_is_slow() -> None:
    found = memory(PI_5, chosen("ok"))
    assert told(found) == ("memory", "ok")
    assert found.evidence == "v needs 3.0 GiB; 6.0 GiB to be had of 8.0 GiB, 0.5 GiB kept"
    slow = memory(PI_5, chosen("degraded"))
    assert told(slow) == ("degraded", "advice")
    assert slow.evidence.endswith("7.2 tok/s")


def test_why_keys_and_values_are_kept_so_is_evidence() -> None:
    why = "kv q8_0: with f16 it would need 7.0 GiB"
    (verdict,) = chosen("ok").verdicts
    narrow = replace(verdict.candidate, cache=CacheType(kind="q8_0", why=why))
    choice = replace(chosen("ok"), verdicts=(replace(verdict, candidate=narrow),))
    assert memory(PI_5, choice).evidence.startswith(f"v needs 3.0 GiB; {why}; 6.0 GiB to be had")
    named = memory(PI_5, CHOICE, Configured("mine.gguf", 6 * GIB, cache=why))
    assert named.evidence.startswith(f"mine.gguf needs 6.0 GiB; {why}; 6.0 GiB to be had")


def test_no_room_for_any_model_is_an_error() -> None:
    assert told(memory(PI_5, CHOICE)) == ("no_model_fits", "error")


def test_memory_of_unknown_size_is_not_judged() -> None:
    assert told(memory(replace(PI_5, ram_bytes=0), CHOICE)) == ("memory", "skipped")


def test_a_configured_file_is_judged_instead() -> None:
    fits = memory(PI_5, CHOICE, Configured("mine.gguf", 6 * GIB))
    assert told(fits) == ("memory", "ok")
    assert fits.evidence.startswith("mine.gguf needs 6.0 GiB")
    large = memory(PI_5, chosen("ok"), Configured("mine.gguf", 6 * GIB + 1))
    assert told(large) == ("configured_model_too_large", "error")
    broken = memory(PI_5, chosen("ok"), Configured("mine.gguf", None, "cut off"))
    assert told(broken) == ("configured_model_broken", "error")
    assert broken.evidence == "cut off"
