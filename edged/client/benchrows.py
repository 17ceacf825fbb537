"""What the page of a measurement shows of a choice, and of what the figures hold for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edged.client.benchpage import Row
from edged.models.headerfacts import BITS, parameters

if TYPE_CHECKING:
    from edged.models.candidates import Choice, Verdict
    from edged.models.facts import DeviceFacts
    from edged.models.figures import Measurement
    from edged.models.gguf import Header
    from edged.models.tuning import Plan

MOST_TYPES = 3  # of a mix that are told
_GIB = 1 << 30


def rows_of(choice: Choice) -> tuple[Row, ...]:
    """Every candidate, in the order of the catalogue."""
    return tuple(_row(verdict, choice) for verdict in choice.verdicts)


def _row(verdict: Verdict, choice: Choice) -> Row:
    candidate, speed = verdict.candidate, verdict.speed
    variant, need = candidate.variant, candidate.need
    measured = next((each.tps for each in verdict.speeds if each.source == "measured"), None)
    return Row(
        name=variant.id,
        family=candidate.family.name,
        kind=variant.kind,
        quality=None if variant.quality is None else variant.quality.percent,
        need=None if need is None else need.total,
        tps=None if speed is None else speed.tps,
        source="" if speed is None else speed.source,
        measured=measured,
        predicted=None if candidate.prediction is None else candidate.prediction.tps,
        fits=None if need is None else need.total <= choice.budget.have,
        chosen=variant.id == choice.chosen,
        reason=verdict.reason,
    )


def own_row(name: str, family: str, found: Measurement) -> Row:
    """The measured file, where the choice knows nothing of it."""
    return Row(
        name=name,
        family=family,
        tps=found.tps,
        source="measured",
        measured=found.tps,
        reason="measured here; it is not among the files to choose from",
    )


def board_words(facts: DeviceFacts) -> str:
    """The board in a line."""
    name = facts.board or facts.cpu or facts.architecture
    cores = "1 core" if facts.cores == 1 else f"{facts.cores} cores"
    return f"{name}, {cores}, {facts.ram_bytes / _GIB:.1f} GiB of memory"


def mix_words(header: Header) -> str:
    """How a file is quantised: bits per weight, and the types that most of its bytes have."""
    sizes: Counter[str] = Counter()
    for tensor in header.tensors:
        sizes[tensor.type] += tensor.nbytes
    total = header.tensor_bytes
    shares = ", ".join(f"{kind} {size / total:.0%}" for kind, size in sizes.most_common(MOST_TYPES))
    return f"{total * BITS / parameters(header):.2f} bits per weight: {shares}"


def conditions(  # noqa: PLR0913 - all that a figure holds for
    found: Measurement, plan: Plan, header: Header, facts: DeviceFacts, *, load: float, when: str
) -> tuple[tuple[str, str], ...]:
    """Names and values of all that the figures hold for; a speed without them is no figure.

    Args:
        found: The figures.
        plan: By which they were measured.
        header: Of the file.
        facts: Of the board.
        load: Mean number of others that wanted to compute in the minute before.
        when: The date.
    """
    cooler = {None: "unknown", True: "with a fan", False: "without a fan"}[facts.cooler]
    told = [
        ("decode", f"tg{plan.tg}, median of {plan.repeat}, +- {found.error:.2f} tok/s"),
        ("prefill", f"pp{plan.pp}, median of {plan.repeat}, +- {found.pp_error:.2f} tok/s"),
        ("context depths", ", ".join(str(depth.tokens) for depth in found.depths)),
        ("context", f"{found.context} tokens, {found.kv_type}"),
        ("threads", f"{found.threads} of decode, {found.threads_batch} of prefill"),
        ("repack", "on" if found.repack else "off"),
        ("quantised", mix_words(header)),
        ("cooling", cooler),
        ("temperature", _span(found)),
        ("clock", "unknown" if found.khz is None else f"{found.khz / 1e3:.0f} MHz at the end"),
        ("governor", facts.governor or "unknown"),
        ("load before", f"{load:.2f}"),
        ("engine", found.build or "unknown"),
        ("kernel", facts.kernel or "unknown"),
        ("firmware", facts.firmware or "unknown"),
        ("measured", when),
    ]
    return tuple(told)


def _span(found: Measurement) -> str:
    if found.began_c is None or found.temp_c is None:
        return "unknown"
    hot = ", too hot to be trusted" if found.hot else ""
    return f"{found.began_c:.0f} C at the start, {found.temp_c:.0f} C at the end{hot}"
