"""Checks of memory: whether the model and the house have room beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from edged.models.candidates import Choice
    from edged.models.facts import DeviceFacts

GIB = 1 << 30


def memory(device: DeviceFacts, choice: Choice) -> Finding:
    """Whether what serves has room with the reserve for the house untouched."""
    if not device.ram_bytes:
        return skipped("memory", "the kernel does not tell how much there is")
    budget = choice.budget
    have = f"{_gib(budget.have)} to be had of {_gib(device.ram_bytes)}, {_gib(budget.reserve)} kept"
    verdict = choice.verdict(choice.chosen)
    if verdict is None or verdict.candidate.need is None:
        return Finding(
            code="no_model_fits",
            severity="error",
            text="no model has room in memory",
            evidence=have,
            advice="end what else takes memory, or lower model.context; edged explain tells needs",
        )
    need = verdict.candidate.need.total
    name = verdict.candidate.variant.id
    evidence = f"{name} needs {_gib(need)}; {have}"
    if choice.status == "degraded":
        return Finding(
            code="degraded",
            severity="advice",
            text="no model that has room here meets the target",
            evidence=f"{evidence}; {verdict.reason}",
            advice="lower engine.target_tps, or see edged explain for what holds the others back",
        )
    return ok("memory", "the model and the house have room", evidence)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
