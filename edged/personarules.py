"""The rules of personas and their fields."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, TypeAlias

from edged.personatext import NAME, is_torn, names, parts
from edged.settings import field_topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.settings import Config, FieldConfig, PersonaConfig, TurnConfig

# Each is a filter of one SUBSCRIBE, and a payload that is kept.
MAX_TOPICS = 128
# Some 2,000 tokens, which a Pi 5 reads for three minutes, again with every prompt.
MAX_SNAPSHOT_CHARS = 8192
MAX_STEPS = 8  # of a path; payloads of a house have two or three levels

_NAME = re.compile(NAME)
_SURROGATE = re.compile("[\ud800-\udfff]")

Broken: TypeAlias = tuple[tuple[str, ...], str]


def rules(config: Config) -> Iterator[Broken]:
    """Each rule that the personas of `config` break; as in `edged.configrules`."""
    house = None if config.discovery.mode == "off" else f"{config.discovery.prefix}/status"
    places: dict[str, int] = {}
    for index, persona in enumerate(config.personas):
        where = f"personas[{index}]"
        yield from _name(persona.name, index, places, where)
        yield from _fields(persona.fields, where, house)
        yield from _system(persona, where)
        for number, turn in enumerate(persona.turns):
            yield from _turn(turn, f"{where}.turns[{number}]", where)
    count = len(field_topics(config.personas))
    if count > MAX_TOPICS:
        yield ("personas",), f"their fields have {count} topics, at most {MAX_TOPICS} are read"


def _name(name: str, index: int, places: dict[str, int], *above: str) -> Iterator[Broken]:
    """A name among others of its kind."""
    keys = (f"{above[0]}.name", *above)
    first = places.setdefault(name, index)
    if not _NAME.fullmatch(name):
        yield keys, "must be 1 to 32 of the characters a-z 0-9 _ -"
    elif first != index:
        yield keys, f"is the name of item {first} too"


def _prose(where: str, key: str, text: str, *above: str) -> Iterator[Broken]:
    keys = (f"{where}.{key}", where, *above)
    if not text or text.isspace():
        yield keys, "must hold some text"
    elif _SURROGATE.search(text):
        yield keys, "must hold no half of a surrogate pair"


def _turn(turn: TurnConfig, where: str, above: str) -> Iterator[Broken]:
    for key in ("user", "assistant"):
        text = getattr(turn, key)
        yield from _prose(where, key, text, above)
        if "{{" in text:
            yield (f"{where}.{key}",), "must hold no {{, for fields are filled in system alone"


def _system(persona: PersonaConfig, where: str) -> Iterator[Broken]:
    yield from _prose(where, "system", persona.system)
    keys = (f"{where}.system", where)
    lead, snapshot = parts(persona.system)
    if snapshot and not lead:
        yield (
            keys,
            "must begin with a line without {{, for what stands before the fields is read once",
        )
    if is_torn(snapshot):
        yield keys, "holds a {{ that opens no field, which is {{ name }}"
    yield from _references(names(snapshot), [field.name for field in persona.fields], where)
    most = _most_chars(persona, snapshot)
    if most > MAX_SNAPSHOT_CHARS:
        reason = f"its fields may make {most} characters of it, and at most {MAX_SNAPSHOT_CHARS}"
        yield keys, f"{reason} are read with each prompt: lower their max_chars"


def _references(asked: Sequence[str], known: Sequence[str], where: str) -> Iterator[Broken]:
    """What the text asks for against the fields there are."""
    if "" in known:  # a field without a name is told already, and may be the one
        return
    strange = [name for name in dict.fromkeys(asked) if name not in known]
    for name in strange:
        message = f"{{{{ {name} }}}} is none of its fields; {_advice(name, known)}"
        yield (f"{where}.system", where), message
    for index, name in enumerate(known):
        if name not in asked and not strange:  # else it is the same slip, told already
            place = f"{where}.fields[{index}]"
            yield (f"{place}.name", place, where), f"no {{{{ {name} }}}} in system asks for it"


def _advice(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"


def _most_chars(persona: PersonaConfig, snapshot: str) -> int:
    """The most characters that the snapshot can have when it is filled."""
    sizes = {
        field.name: max(field.max_chars + 1 + len(field.unit), len(field.default))
        for field in persona.fields
    }
    return len(snapshot) + sum(sizes.get(name, 0) for name in names(snapshot))


def _fields(fields: Sequence[FieldConfig], above: str, house: str | None) -> Iterator[Broken]:
    places: dict[str, int] = {}
    for index, field in enumerate(fields):
        where = f"{above}.fields[{index}]"
        yield from _name(field.name, index, places, where, above)
        yield from _field(field, where, above, house)


def _field(field: FieldConfig, where: str, above: str, house: str | None) -> Iterator[Broken]:
    fault = _topic_fault(field.topic, house)
    if fault is not None:
        yield (f"{where}.topic", where, above), fault
    steps = [] if field.path is None else field.path.split(".")
    if "" in steps or len(steps) > MAX_STEPS or not (field.path or "").isprintable():
        yield (
            (f"{where}.path", where, above),
            f"must be keys or places of a list with a dot between, at most {MAX_STEPS}",
        )
    if not field.unit.isprintable():
        yield (f"{where}.unit", where, above), "must be printable text"
    if _SURROGATE.search(field.default):
        yield (f"{where}.default", where, above), "must hold no half of a surrogate pair"


def _topic_fault(topic: str, house: str | None) -> str | None:
    """Why no field may be read there: it is no single topic, or has a meaning to us already."""
    levels = topic.split("/")
    faults = {
        "must be a topic": not topic,
        "must be printable text": not topic.isprintable(),
        "must be one topic, without + or #": "+" in topic or "#" in topic,
        "must not start with $": topic.startswith("$"),
        "must not be in edged/, where answers would become questions": levels[0] == "edged",
        "is where Home Assistant says that it has started": topic == house,
    }
    return next((fault for fault, found in faults.items() if found), None)
