"""Checks of memory: whether the model and the house have room beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from edged.doctor.facts import Configured
    from edged.models.candidates import Choice
    from edged.models.facts import DeviceFacts

GIB = 1 << 30


def memory(device: DeviceFacts, choice: Choice, configured: Configured | None = None) -> Finding:
    """Whether what serves has room with the reserve for the house untouched.

    Args:
        device: The board.
        choice: What would be chosen.
        configured: The file that is loaded instead.
    """
    if not device.ram_bytes:
        return skipped("memory", "the kernel does not tell how much there is")
    budget = choice.budget
    have = f"{_gib(budget.have)} to be had of {_gib(device.ram_bytes)}, {_gib(budget.reserve)} kept"
    if configured is not None:
        return _configured(configured, budget.have, have)
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
    evidence = _evidence(name, need, verdict.candidate.cache.why, have)
    if choice.status == "degraded":
        return Finding(
            code="degraded",
            severity="advice",
            text="no model that has room here is known to meet the target",
            evidence=f"{evidence}; {verdict.reason}",
            advice="lower engine.target_tps, or see edged explain for what holds the others back",
        )
    return ok("memory", "the model and the house have room", evidence)


def _configured(file: Configured, budget: int, have: str) -> Finding:
    if file.need is None:
        return Finding(
            code="configured_model_broken",
            severity="error",
            text="the configured file cannot be used as a model",
            evidence=file.reason,
            advice="set model.path to a GGUF file, or leave it out and let edged choose",
        )
    evidence = _evidence(file.name, file.need, file.cache, have)
    if file.need > budget:
        return Finding(
            code="configured_model_too_large",
            severity="error",
            text="the configured model has no room beside the reserve for the house",
            evidence=evidence,
            advice="take a smaller one, or leave model.path out and let edged choose",
        )
    return ok("memory", "the configured model and the house have room", evidence)


def _evidence(name: str, need: int, cache: str, have: str) -> str:
    """What it needs and what there is; and why keys and values are kept as they are."""
    return "; ".join(part for part in (f"{name} needs {_gib(need)}", cache, have) if part)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
