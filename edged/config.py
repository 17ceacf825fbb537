"""YAML to frozen values, or every mistake in it at once.

A password never stands in the configuration, only the path of a file that holds it; text of the
configuration is quoted back as `edged.sections` allows.
"""

from __future__ import annotations

from edged.configrules import rules
from edged.errors import ConfigError
from edged.sections import Problem, Reader, is_secret, shown
from edged.settings import (
    Config,
    DownloadConfig,
    EngineConfig,
    ModelConfig,
    MqttConfig,
    PanelConfig,
    PersonaConfig,
    ServingConfig,
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
    "ModelConfig",
    "MqttConfig",
    "PanelConfig",
    "PersonaConfig",
    "Problem",
    "ServingConfig",
    "TelemetryConfig",
    "ThermalConfig",
    "TlsConfig",
    "TurnConfig",
    "is_secret",
    "parse",
    "raise_problems",
    "shown",
]


def parse(data: bytes, source: str) -> Config | list[Problem]:
    """The configuration in `data`, or every mistake in it.

    Args:
        data: The file's bytes, UTF-8 YAML of at most 128 KiB; empty means all defaults.
        source: What to call the file in a problem.
    """
    try:
        tree = read_tree(data)
    except YamlFault as fault:
        return [Problem("", fault.line, fault.message, source)]
    reader = Reader(source)
    config = Config(**reader.section(tree, Config, ""))
    reader.check(rules(config))
    return reader.report() or config


def raise_problems(problems: list[Problem]) -> None:
    """Raise what `parse` returned.

    Raises:
        ConfigError: Always, with one line for each problem.
    """
    raise ConfigError([str(problem) for problem in problems])
