"""YAML to frozen values, or every mistake in it at once.

A password never stands in the configuration, only the path of a file that holds it; text of the
configuration is quoted back as `edged.sections` allows.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from edged.configrenames import renewed
from edged.configrules import rules
from edged.errors import ConfigError
from edged.sections import Problem, Reader, is_secret, shown
from edged.settings import (
    Config,
    DownloadConfig,
    EngineConfig,
    FieldConfig,
    ModelConfig,
    MqttConfig,
    PanelConfig,
    PersonaConfig,
    ServingConfig,
    SessionsConfig,
    TelemetryConfig,
    ThermalConfig,
    TlsConfig,
    TurnConfig,
)
from edged.yamltree import YamlFault, read_tree

__all__ = [
    "Config",
    "DownloadConfig",
    "EngineConfig",
    "FieldConfig",
    "Loaded",
    "ModelConfig",
    "MqttConfig",
    "PanelConfig",
    "PersonaConfig",
    "Problem",
    "ServingConfig",
    "SessionsConfig",
    "TelemetryConfig",
    "ThermalConfig",
    "TlsConfig",
    "TurnConfig",
    "is_secret",
    "parse",
    "raise_problems",
    "read",
    "shown",
]


class Loaded(msgspec.Struct, frozen=True):
    """A configuration without mistakes.

    Attributes:
        config: What it says.
        notes: One line for each key or value of an older version, and as what it was read.
    """

    config: Config
    notes: tuple[str, ...] = ()


def parse(data: bytes, source: str) -> Config | list[Problem]:
    """The configuration in `data`, or every mistake in it.

    Args:
        data: The file's bytes, UTF-8 YAML of at most 128 KiB; empty means all defaults.
        source: What to call the file in a problem.
    """
    found = read(data, source)
    return found.config if isinstance(found, Loaded) else found


def read(data: bytes, source: str) -> Loaded | list[Problem]:
    """The same, with what is written as older versions had it."""
    try:
        tree = read_tree(data)
    except YamlFault as fault:
        return [Problem("", fault.line, fault.message, source)]
    today = renewed(tree, source)
    reader = Reader(source, today.problems)
    config = Config(**reader.section(today.tree, Config, ""))
    reader.check(rules(config))
    return reader.report() or Loaded(config, tuple(map(str, today.notes)))


def raise_problems(problems: list[Problem]) -> NoReturn:
    """Raise what `parse` returned.

    Raises:
        ConfigError: Always, with one line for each problem.
    """
    raise ConfigError([str(problem) for problem in problems])
