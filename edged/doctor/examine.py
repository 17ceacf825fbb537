"""All checks, in the order in which a person would look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor import board, heat, history, house, memory, slowness, storage, supply
from edged.doctor.processor import processor

if TYPE_CHECKING:
    from edged.doctor.facts import Facts
    from edged.doctor.finding import Finding


def examine(facts: Facts) -> list[Finding]:
    """What every check came to; a cause comes before what it causes."""
    device, senses, kernel = facts.device, facts.senses, facts.kernel
    return [
        supply.supply(senses),
        heat.cooler(device, senses),
        heat.temperature(device, senses),
        heat.throttling(senses),
        processor(device, facts.backend),
        board.numa(device, kernel),
        board.firmware(device),
        board.governor(device),
        board.swap(device, kernel),
        storage.storage(device, facts.speed, facts.load_timeout_s),
        memory.memory(device, facts.choice, facts.configured),
        *storage.models(facts.files),
        house.configuration(facts.notes),
        house.broker(facts.broker),
        *house.fields(facts.broker),
        house.clock(facts.synchronised),
        *house.unit(facts.unit),
        history.rate(facts.rates, facts.choice.target),
        *slowness.causes(facts),
    ]
