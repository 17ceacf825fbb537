"""The little world: places, what is known about them, and how a prompt may say it."""

# ruff: noqa: PLR2004 - a template is one line, and the weights of a mix are literals

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench.pocket.kinds import DOOR_KIND, HOUSE_KINDS, PLACE_KINDS, Kind
from bench.pocket.spin import capital, spin

ROOMS = (
    "kitchen", "living room", "bedroom", "bathroom", "office", "hall", "nursery", "guest room",
    "cellar", "attic", "garage", "laundry room", "dining room", "study", "workshop", "pantry",
    "conservatory", "playroom", "library", "music room",
)  # fmt: skip
RARE_ROOMS = (
    "sauna", "greenhouse", "stable", "wine cellar", "boathouse", "gym", "winter garden", "loft",
    "utility room", "cloakroom", "porch", "studio", "balcony", "terrace", "granny flat", "den",
    "server room", "darkroom", "chapel", "barn", "summer kitchen", "corridor", "stairwell",
)  # fmt: skip
_MARKS = (
    "upper",
    "lower",
    "small",
    "large",
    "blue",
    "green",
    "red",
    "yellow",
    "front",
    "back",
    "old",
    "new",
)
_SYLLABLES = (
    "bar",
    "vel",
    "mo",
    "tri",
    "ka",
    "lun",
    "pes",
    "ro",
    "dan",
    "fi",
    "gor",
    "sul",
    "ne",
    "wix",
)
DOORS = ("front door", "back door", "garage door", "garden gate", "cellar door", "shed door")


@dataclass(frozen=True)
class Fact:
    """One known thing: a place (empty for the whole house), a kind and its value."""

    place: str
    kind: str
    value: str

    @property
    def number(self) -> float:
        """The value as a number; ValueError if it is a state."""
        return float(self.value)


def kind_of(fact: Fact) -> Kind:
    """Return the kind of a fact; KeyError if it is none of ours."""
    if fact.kind == "door":
        return DOOR_KIND
    return PLACE_KINDS.get(fact.kind) or HOUSE_KINDS[fact.kind]


def tell(rng: Random, fact: Fact) -> str:
    """Say a fact in one full sentence."""
    return spin(rng, kind_of(fact).tell, place=fact.place, value=fact.value)


def ask(rng: Random, fact: Fact) -> str:
    """Ask for the value of a fact."""
    return spin(rng, kind_of(fact).ask, place=fact.place)


def draw_room(rng: Random) -> str:
    """Draw a room: mostly a common one, at times a rare, a marked or a made-up one."""
    chance = rng.random()
    if chance < 0.75:
        return rng.choice(ROOMS)
    if chance < 0.82:
        return rng.choice(RARE_ROOMS)
    if chance < 0.95:
        return f"{rng.choice(_MARKS)} {rng.choice(('room', *ROOMS[:6]))}"
    return f"{''.join(rng.sample(_SYLLABLES, rng.choice((2, 3))))} room"


def draw_rooms(rng: Random, count: int) -> list[str]:
    """Draw `count` different rooms."""
    rooms: dict[str, None] = {}
    while len(rooms) < count:
        rooms[draw_room(rng)] = None
    return list(rooms)


def draw_facts(rng: Random, rooms: int, per_room: int, others: int) -> list[Fact]:
    """Draw facts about some rooms, at most `per_room` each, and `others` of the house."""
    facts: list[Fact] = []
    for room in draw_rooms(rng, rooms):
        kinds = rng.sample(sorted(PLACE_KINDS), min(per_room, len(PLACE_KINDS)))
        facts += [Fact(room, kind, PLACE_KINDS[kind].draw(rng)) for kind in kinds]
    kinds = rng.sample(sorted(HOUSE_KINDS), min(others, len(HOUSE_KINDS)))
    facts += [Fact("", kind, HOUSE_KINDS[kind].draw(rng)) for kind in kinds]
    doors = rng.sample(DOORS, rng.choice((0, 0, 1, 2)) if others else 0)
    facts += [Fact(door, "door", DOOR_KIND.draw(rng)) for door in doors]
    return facts


def describe(rng: Random, facts: Sequence[Fact]) -> str:
    """Write facts as a prompt may carry them: terse, sentences, a list, entities or JSON."""
    style = rng.choice((_terse, _terse, _sentences, _bullets, _entities, _json))
    return style(rng, facts)


def _terse(rng: Random, facts: Sequence[Fact]) -> str:
    """Rooms named once, as a person in a hurry would: "Kitchen 21.5 C, window open."."""
    groups: dict[str, list[str]] = {}
    for fact in facts:
        key = fact.place if fact.kind in PLACE_KINDS else f"{fact.place}/{fact.kind}"
        said = spin(rng, kind_of(fact).terse, place=fact.place, value=fact.value)
        seen = groups.setdefault(key, [])
        seen.append(said.removeprefix(f"{fact.place} ") if seen else said)
    return " ".join(capital(", ".join(group)) + "." for group in groups.values())


def _sentences(rng: Random, facts: Sequence[Fact]) -> str:
    return " ".join(tell(rng, fact) for fact in facts)


def _label(fact: Fact) -> str:
    if fact.kind == "door":
        return fact.place
    return " ".join(part for part in (fact.place, fact.kind) if part)


def _bullets(rng: Random, facts: Sequence[Fact]) -> str:
    dash = rng.choice(("- ", "* ", ""))
    lines = (f"{dash}{_label(f)}: {f.value} {kind_of(f).unit}".rstrip() for f in facts)
    return "\n".join(lines)


def _entities(rng: Random, facts: Sequence[Fact]) -> str:
    sign = rng.choice((": ", " = ", "="))
    return "\n".join(f"sensor.{_label(f).replace(' ', '_')}{sign}{f.value}" for f in facts)


def _json(rng: Random, facts: Sequence[Fact]) -> str:
    tree: dict[str, dict[str, str]] = {}
    for fact in facts:
        tree.setdefault(fact.place or "house", {})[fact.kind] = fact.value
    return json.dumps(tree, ensure_ascii=False, indent=rng.choice((None, None, 2)))
