from __future__ import annotations

from msgspec.structs import replace

from edged.doctor.processor import processor
from tests.doctor.judging import PC, PI_5, told

PI_4 = replace(PI_5, cpu="Cortex-A72", cpu_features=("asimd",))


def test_a_processor_with_dot_products_is_well() -> None:
    found = processor(replace(PI_4, cpu="Cortex-A76", cpu_features=("asimd", "asimddp")), None)
    assert told(found) == ("processor", "ok")
    assert found.evidence == "Cortex-A76: asimd asimddp"


def test_one_without_is_told_and_the_library_with_it() -> None:
    found = processor(PI_4, "libggml-cpu-armv8.0_1.so")
    assert told(found) == ("slow_processor", "advice")
    assert "asimddp" in found.text
    assert found.evidence == "Cortex-A72: asimd; the engine computes with libggml-cpu-armv8.0_1.so"


def test_an_old_pc_is_told_too() -> None:
    old = replace(PC, cpu_features=("avx",))
    assert told(processor(old, None)) == ("slow_processor", "advice")


def test_where_nothing_is_known() -> None:
    assert told(processor(PI_5, None)) == ("processor", "skipped")
    strange = replace(PI_4, architecture="riscv64")
    assert told(processor(strange, None)) == ("processor", "skipped")
