"""What `edged/<node>/selection` says, as the demo needs it (pure: decoded JSON in)."""

from __future__ import annotations

import math
from typing import Any

# Beyond what a file does, by more than a rate differs when it is read twice.
BEYOND = 1.1


def candidate(selection: dict[str, Any], name: object) -> dict[str, Any]:
    """What is told of a variant; empty if nothing is."""
    return next((each for each in _candidates(selection) if each.get("id") == name), {})


def speed(told: dict[str, Any], source: str | None = None) -> float | None:
    """tok/s of a candidate: the one to go by, or the one of that source."""
    listed = told.get("speeds")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and source in {None, each.get("source")}:
            tps = each.get("tps")
            return tps if isinstance(tps, int | float) else None
    return None


def is_about(selection: dict[str, Any], target: float, family: str) -> bool:
    """Whether a file of the family was chosen for that target."""
    chosen = candidate(selection, selection.get("chosen"))
    return selection.get("target_tps") == target and chosen.get("family") == family


def settled(selection: dict[str, Any], target: float, family: str) -> bool:
    """Whether such a file serves already, and was measured here."""
    return (
        is_about(selection, target, family)
        and selection.get("serves") == selection.get("chosen")
        and speed(candidate(selection, selection.get("chosen")), "measured") is not None
    )


def next_target(selection: dict[str, Any]) -> float | None:
    """Tokens per second just beyond what serves; None if no other file here may reach them."""
    chosen = candidate(selection, selection.get("chosen"))
    measured = speed(chosen, "measured")
    if measured is None:
        return None
    target = float(math.ceil(round(measured * BEYOND, 3)))
    listed = (each for each in _candidates(selection) if each is not chosen)
    others = (speed(each) for each in listed if _may_serve(each, chosen))
    return target if any(tps is not None and tps >= target for tps in others) else None


def reason(selection: dict[str, Any], name: object) -> str:
    """Why a variant was kept or dropped, in the daemon's words."""
    return f"{name}: {candidate(selection, name).get('reason', 'nothing is said of it')}"


def _candidates(selection: dict[str, Any]) -> list[dict[str, Any]]:
    told = selection.get("candidates")
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _may_serve(told: dict[str, Any], chosen: dict[str, Any]) -> bool:
    return bool(told.get("on_disk")) and told.get("family") == chosen.get("family")
