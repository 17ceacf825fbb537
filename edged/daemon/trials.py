"""Whether the child has its model as it is best loaded, or as it is yet to be timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.daemon.model import kind_loaded

if TYPE_CHECKING:
    from collections.abc import Collection

    from edged.daemon.model import Model
    from edged.daemon.outlook import View


def on_trial(view: View, model: Model) -> bool:
    """Whether the child has the model in the way that is to be tried."""
    trial = view.trial
    return trial is not None and _file(trial, model) and not _otherwise(trial, model)


def astray(view: View, model: Model) -> bool:
    """Whether it has it so for the sake of the trial alone."""
    return on_trial(view, model) and unlike(view, model)


def to_try(view: View, model: Model, tried: Collection[tuple[str, bool, str]]) -> bool:
    """Whether what serves is worth loading in another way to time it, which was not tried yet."""
    trial = view.trial
    return _otherwise(trial, model) and trial is not None and way(trial) not in tried


def unlike(view: View, model: Model) -> bool:
    """Whether what serves is loaded in another way than the best one."""
    return _otherwise(view.model, model)


def _otherwise(wanted: Model | None, model: Model) -> bool:
    """Whether the child has this model, loaded in another way than wanted."""
    return wanted is not None and _file(wanted, model) and way(wanted) != way(model)


def way(model: Model) -> tuple[str, bool, str]:
    """What is loaded, and how: all that is timed and that takes a load to change."""
    return model.view.name, model.load.repack, kind_loaded(model.load)


def _file(wanted: Model, model: Model) -> bool:
    return wanted.view.name == model.view.name
