"""A verdict for each model that a bench tried, from cases that each name theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from bench.report import Result, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.report import Figure


class Case(Protocol):
    """What was measured with one model."""

    @property
    def model(self) -> str:
        """Its name."""


C = TypeVar("C", bound=Case)


def by_model(  # noqa: PLR0913 - a page has as many parts
    cases: Sequence[C],
    figures: Callable[[str, Sequence[C]], Iterable[Figure]],
    *,
    curve: str,
    value: Callable[[C], float],
    conditions: dict[str, str | float],
    notes: tuple[str, ...] = (),
) -> Result:
    """Judge each model by its own cases.

    Args:
        cases: Of all models, in the order in which they were measured.
        figures: Of one model and its cases.
        curve: What `value` is, for the plot.
        value: Of one case, without a unit.
        conditions: What held.
        notes: What a reader must know.
    """
    models = dict.fromkeys(case.model for case in cases)
    groups = {model: [case for case in cases if case.model == model] for model in models}
    return Result(
        figures=tuple(figure for name, group in groups.items() for figure in figures(name, group)),
        conditions=conditions,
        notes=notes,
        series=tuple(
            Series(name=f"{name}: {curve}", unit="", values=tuple(map(value, group)))
            for name, group in groups.items()
        ),
    )
