"""As much of Home Assistant as an automation blueprint needs: inputs, templates, triggers, actions.

Templates run in Jinja's sandbox, as there. What an automation publishes goes to a real broker.
"""

from __future__ import annotations

import json
from ast import literal_eval
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.rig.client import Record, TestClient


class Input(NamedTuple):
    """`!input name`, to be replaced by what the owner chose."""

    name: str


class _Loader(yaml.SafeLoader):
    """YAML with `!input`."""


def _input(loader: _Loader, node: yaml.ScalarNode) -> Input:
    return Input(str(loader.construct_scalar(node)))


_Loader.add_constructor("!input", _input)


class House:
    """The states of entities, and each action that is not of MQTT.

    Args:
        client: Publishes and hears.
        entities: States and attributes by entity id.
    """

    def __init__(self, client: TestClient, entities: Mapping[str, dict[str, Any]]) -> None:
        self.client = client
        self.entities = {name: dict(entity) for name, entity in entities.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.published: list[tuple[str, str]] = []
        self._jinja = ImmutableSandboxedEnvironment()
        self._jinja.filters["to_json"] = json.dumps
        self._jinja.globals.update(
            states=lambda entity: self.entities[entity]["state"],
            state_attr=lambda entity, name: self.entities[entity].get(name),
            now=lambda: datetime.now(UTC),  # noqa: TID251 - as Home Assistant's own
        )

    def render(self, value: Any, names: Mapping[str, Any]) -> Any:
        """Every template in a value; text that reads as a number or a list becomes one."""
        if isinstance(value, dict):
            return {key: self.render(item, names) for key, item in value.items()}
        if isinstance(value, list):
            return [self.render(item, names) for item in value]
        if not isinstance(value, str) or "{" not in value:
            return value
        return self._jinja.from_string(value).render(names).strip()

    def holds(self, condition: str, names: Mapping[str, Any]) -> bool:
        """Whether a template says `True`."""
        return bool(self.render(condition, names) == "True")

    def act(self, action: str, data: dict[str, Any]) -> None:
        """One action, its data rendered."""
        if action == "mqtt.publish":
            self.published.append((data["topic"], data["payload"]))
            self.client.publish(data["topic"], data["payload"], qos=data.get("qos", 0))
            return
        self.calls.append((action, data))
        if action == "input_text.set_value":
            self.entities[data["entity_id"]]["state"] = data["value"]
        elif action == "input_select.select_option":
            assert data["option"] in self.entities[data["entity_id"]]["options"]
            self.entities[data["entity_id"]]["state"] = data["option"]

    def said(self, action: str) -> list[dict[str, Any]]:
        """The data of each such action so far."""
        return [data for name, data in self.calls if name == action]


class Automation:
    """A blueprint with its inputs.

    Args:
        path: Of the blueprint.
        house: Where it runs.
        inputs: What the owner chose; the rest has defaults.
    """

    def __init__(self, path: Path, house: House, inputs: Mapping[str, Any]) -> None:
        # A subclass of the safe loader.
        raw = yaml.load(path.read_text(), _Loader)  # noqa: S506
        declared = raw.pop("blueprint")["input"]
        unknown = inputs.keys() - declared.keys()
        assert not unknown, f"no such input: {unknown}"
        chosen = {name: said["default"] for name, said in declared.items() if "default" in said}
        chosen |= inputs
        missing = declared.keys() - chosen.keys()
        assert not missing, f"without a default: {missing}"
        self._house = house
        self._plan = _filled(raw, chosen)
        self.triggers = {each["id"]: each for each in self._plan["triggers"]}
        self._early = self._plan.get("trigger_variables", {})
        topics = {
            key: house.render(each["topic"], self._early)
            for key, each in self.triggers.items()
            if each["trigger"] == "mqtt"
        }
        house.client.subscribe(*topics.values())
        self._topics = topics

    def fire(self, trigger: str, **found: Any) -> None:
        """Run it for one of its triggers."""
        names = {**self._early, "trigger": {"id": trigger, **found}}
        for name, value in self._plan.get("variables", {}).items():
            names[name] = native(self._house.render(value, names))
        self._run(self._plan["actions"], names)

    def hear(self, record: Record) -> None:
        """Run it for a message that one of its triggers listens to."""
        for key, topic in self._topics.items():
            if _matches(topic, record.topic):
                self.fire(key, topic=record.topic, payload_json=record.json(), platform="mqtt")

    def _run(self, actions: Iterable[dict[str, Any]], names: dict[str, Any]) -> None:
        for action in actions:
            if "variables" in action:
                for name, value in action["variables"].items():
                    names[name] = native(self._house.render(value, names))
            elif "choose" in action:
                self._choose(action, names)
            else:
                self._house.act(action["action"], self._house.render(action["data"], names))

    def _choose(self, action: dict[str, Any], names: dict[str, Any]) -> None:
        for option in action["choose"]:
            if self._house.holds(option["conditions"], names):
                self._run(option["sequence"], names)
                return
        self._run(action.get("default", ()), names)


def _filled(value: Any, chosen: Mapping[str, Any]) -> Any:
    if isinstance(value, Input):
        return chosen[value.name]
    if isinstance(value, dict):
        return {key: _filled(item, chosen) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, chosen) for item in value]
    return value


def native(value: Any) -> Any:
    """What Home Assistant makes of a rendered variable: a number, a truth or a list if it can."""
    if not isinstance(value, str):
        return value
    try:
        read = literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return value if isinstance(read, str) else read


def _matches(filter_: str, topic: str) -> bool:
    wanted, levels = filter_.split("/"), topic.split("/")
    same = len(wanted) == len(levels)
    return same and all(w in {"+", level} for w, level in zip(wanted, levels, strict=True))
