from __future__ import annotations

import pytest

from edged.models.figures import KINDS, NO_FLASH, KvType, kind_of, stored_as


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_llama_cpps_two_settings_and_back(kind: KvType) -> None:
    assert kind_of(stored_as(kind), flash=kind != NO_FLASH) == kind


def test_q8_0_is_read_by_flash_attention_alone() -> None:
    assert kind_of("q8_0", flash=False) == "q8_0"
