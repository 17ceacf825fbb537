"""State and info as tables for a terminal (pure: values in, rich objects out)."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

UNKNOWN = "-"
COLOURS = {"ready": "green", "busy": "cyan", "paused": "yellow", "failed": "red"}


def number(value: Any, unit: str, digits: int = 1) -> str:
    """A number with its unit, or a dash where it is not known."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return UNKNOWN
    return f"{value:.{digits}f} {unit}".rstrip()


def duration(seconds: Any) -> str:
    """Seconds as `2 d 3 h`, `4 h 5 min`, `6 min 7 s` or `8 s`."""
    if not isinstance(seconds, int | float):
        return UNKNOWN
    left, parts = int(seconds), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def rows(availability: str, state: dict[str, Any], info: dict[str, Any]) -> list[tuple[str, str]]:
    """What `edged status` shows, label and value."""
    model = info.get("model") or {}
    size = model.get("bytes")
    megabytes = f", {size / 1e6:.0f} MB" if isinstance(size, int) else ""
    requests = state.get("requests") or {}
    counted = ", ".join(f"{name} {count}" for name, count in requests.items())
    return [
        ("availability", availability),
        ("status", str(state.get("status", UNKNOWN))),
        ("model", f"{model.get('name', UNKNOWN)} ({model.get('architecture', '?')}{megabytes})"),
        ("context", number(model.get("context"), "tokens", 0)),
        ("decode now", number(state.get("tps"), "tok/s")),
        ("decode, last minute", number(state.get("tps_1m"), "tok/s")),
        ("decode, 15 minutes", number(state.get("tps_15m"), "tok/s")),
        ("prefill", number(state.get("pp_tps"), "tok/s")),
        ("first token", number(state.get("ttft_ms"), "ms", 0)),
        ("temperature", number(state.get("temp_c"), "C")),
        ("slowed by", _slowed(state)),
        ("running / waiting", f"{state.get('running', 0)} / {state.get('waiting', 0)}"),
        ("answered", counted or "nothing yet"),
        ("tokens written", number(state.get("completion_tokens"), "", 0)),
        ("up", duration(state.get("uptime_s"))),
        ("version", str(info.get("version", UNKNOWN))),
    ]


def _slowed(state: dict[str, Any]) -> str:
    """What slows it, and to what."""
    word = state.get("throttle")
    if word in {None, "none"}:
        return "nothing" if word else UNKNOWN
    possible, held = state.get("possible_tps"), state.get("pace_tps")
    to = "" if held is None else f", each answer to {number(held, 'tok/s')}"
    of = "" if possible is None else f", {number(possible, 'tok/s')} would be possible"
    return f"{word}{to}{of}"


def table(node: str, availability: str, state: dict[str, Any], info: dict[str, Any]) -> Table:
    """The rows of `rows` and the problems as one rich table."""
    grid = Table(title=f"edged on {node}", show_header=False, title_justify="left")
    grid.add_column(style="dim")
    grid.add_column()
    for label, value in rows(availability, state, info):
        grid.add_row(label, Text(value, style=COLOURS.get(value, "")))
    for problem in state.get("problems") or []:
        text = f"{problem.get('code')}: {problem.get('text')}"
        grid.add_row(Text(str(problem.get("severity")), style="red"), Text(text))
    return grid
