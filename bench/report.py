"""What every bench has in common: figures against goals, a table, JSON and an exit code."""

from __future__ import annotations

import argparse
import operator
import os
import signal
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench.conditions import here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MET: Final = "met"
MISSED: Final = "missed"
UNJUDGED: Final = "-"
VERDICT_STYLES: Final = {MET: "green", MISSED: "bold red", UNJUDGED: "dim"}
_COMPARE: Final = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value.

    Attributes:
        name: What was measured.
        value: None if it could not be.
        unit: Empty for a ratio.
        goal: Such as "<= 10"; None if the value is only told.
        ok: False if the goal was missed or nothing was measured against it.
    """

    name: str
    value: float | None
    unit: str = ""
    goal: str | None = None
    ok: bool = True

    @property
    def verdict(self) -> str:
        """MET, MISSED or UNJUDGED."""
        if self.goal is None:
            return UNJUDGED
        return MET if self.ok else MISSED

    @property
    def shown(self) -> str:
        """The value as a table shows it."""
        return "not measured" if self.value is None else f"{tidy(self.value)} {self.unit}".strip()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the single rounds, to plot.

    Attributes:
        name: What the values are.
        unit: Of the values.
        values: In the order in which they were measured.
        each: What each of them is for.
        least: Where the plot's scale begins.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    each: str = "round"
    least: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a bench found.

    Attributes:
        figures: Told values and values against goals.
        conditions: What held for this bench, beside what `conditions.here` finds.
        notes: Sentences a reader needs to judge the figures.
        series: The single rounds behind the figures.
    """

    figures: tuple[Figure, ...]
    conditions: dict[str, str | float] = {}
    notes: tuple[str, ...] = ()
    series: tuple[Series, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every goal was met."""
        return bool(self.figures) and all(figure.ok for figure in self.figures)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a bench shall run.

    Attributes:
        full: Take the time that good numbers need instead of at most 5 minutes.
    """

    full: bool = False


def told(name: str, value: float | None, unit: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(name=name, value=value, unit=unit)


def judged(name: str, value: float | None, goal: str, unit: str = "") -> Figure:
    """A figure against a goal such as "<= 10", ">= 0.98" or "== 0"."""
    sign, limit = goal.split()
    ok = value is not None and bool(_COMPARE[sign](value, float(limit)))
    return Figure(name=name, value=value, unit=unit, goal=goal, ok=ok)


def median(values: Iterable[float]) -> float | None:
    """The middle value; None of nothing."""
    values = list(values)
    return statistics.median(values) if values else None


def tidy(value: float) -> str:
    """A number with as many digits as one reads."""
    if value == int(value) and abs(value) < 1e9:  # noqa: PLR2004 (longer ones read better in powers)
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 (three digits)


def run(
    name: str,
    measure: Callable[[Options], Result],
    argv: Sequence[str] | None = None,
) -> int:
    """Run a bench from the command line.

    Args:
        name: Of the bench.
        measure: Does the work; its docstring's first line is the title.
        argv: Arguments; None takes the process's own.

    Returns:
        0 if every goal was met, else 1.
    """
    title = (measure.__doc__ or name).splitlines()[0]
    parser = argparse.ArgumentParser(prog=f"bench.{name}", description=title)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--full", action="store_true", help="take the time good numbers need")
    parser.add_argument("--out", type=Path, help="also write all that was found, as JSON")
    options = parser.parse_args(argv)
    # Told to end, a bench must still end the broker, the daemon and what else it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    before = here()
    found = measure(Options(full=options.full))
    after = {"load at end": round(os.getloadavg()[0], 2)}
    conditions = {**before, **after, **found.conditions}
    result = msgspec.structs.replace(found, conditions=conditions)
    if options.out is not None:
        options.out.write_bytes(msgspec.json.encode(result))
    print(as_json(result)) if options.json else show(title, result, Console())
    return 0 if result.ok else 1


def as_json(result: Result) -> str:
    """The conditions and figures, for a program to read."""
    told_to_programs = {"conditions": result.conditions, "figures": result.figures}
    return msgspec.json.format(msgspec.json.encode(told_to_programs), indent=2).decode()


def show(title: str, result: Result, console: Console) -> None:
    """Print the figures, what held, and what to know."""
    table = Table(title=title, title_justify="left", caption=_line(result), caption_justify="left")
    table.add_column("name")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("verdict")
    for figure in result.figures:
        style = VERDICT_STYLES[figure.verdict]
        table.add_row(figure.name, figure.shown, figure.goal or "", figure.verdict, style=style)
    console.print(table)
    for note in result.notes:
        console.print(f"note: {note}", markup=False, highlight=False)


def _line(result: Result) -> str:
    return "; ".join(f"{name}: {value}" for name, value in result.conditions.items())
