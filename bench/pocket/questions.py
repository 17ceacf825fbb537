"""Questions whose answer stands in the facts given, and questions whose answer does not."""

# ruff: noqa: E501, PLR2004 - a template is one line, and the weights of a mix are literals

import json
from collections.abc import Callable, Sequence
from random import Random

from bench.pocket.house import Fact, ask, draw_room, kind_of, tell
from bench.pocket.kinds import HOUSE_KINDS, PLACE_KINDS
from bench.pocket.spin import capital, listing, lower_first, maybe, spin

Pair = tuple[str, str]
Asker = Callable[[Random, Sequence[Fact]], Pair | None]

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _is_state(fact: Fact) -> bool:
    return bool(kind_of(fact).states)


def _with_kind(facts: Sequence[Fact], kind: str) -> list[Fact]:
    return [fact for fact in facts if fact.kind == kind]


def direct(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for one value."""
    fact = rng.choice(facts)
    return ask(rng, fact), tell(rng, fact) + _comment(rng, fact)


def _comment(rng: Random, fact: Fact) -> str:
    """Add, now and then, what a thoughtful house would add to a value."""
    if rng.random() > 0.4:
        return ""
    comment = next(
        (text for kinds, holds, text in _COMMENTS if fact.kind in kinds and holds(fact)), ""
    )
    return spin(rng, comment)


_COMMENTS: tuple[tuple[tuple[str, ...], Callable[[Fact], bool], str], ...] = (
    (("temperature",), lambda fact: fact.number < 18, " {That is rather cool.|You may want to turn on the heating.|A jumper would help.}"),
    (("temperature",), lambda fact: fact.number > 25, " {That is quite warm.|Closing the blinds would help.|A little fresh air would do good.}"),
    (("humidity",), lambda fact: fact.number > 65, " {That is damp, so please air the room.|Open a window for ten minutes.}"),
    (("air",), lambda fact: fact.number > 1200, " {That is stale, so please open a window.|Some fresh air would be good.}"),
    (("weather",), lambda fact: fact.value in {"rainy", "stormy"}, " {Take an umbrella.|Better close the windows.}"),
    (("battery", "car"), lambda fact: fact.number < 20, " {That is low, so it should be charged soon.|It needs charging.}"),
)  # fmt: skip


def polar(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask whether a switch is in a state."""
    states = [fact for fact in facts if _is_state(fact)]
    if not states:
        return None
    fact = rng.choice(states)
    asked = rng.choice(kind_of(fact).states)
    question = spin(rng, kind_of(fact).polar, place=fact.place, state=asked)
    verdict = "Yes" if asked == fact.value else "No"
    if rng.random() < 0.12:
        return question + spin(rng, " {Answer yes or no.|Yes or no?|One word, please.}"), verdict
    return question, f"{verdict}, {lower_first(tell(rng, fact))}"


def threshold(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask whether a temperature or humidity is above or below a limit."""
    known = [f for f in facts if f.kind in {"temperature", "humidity"}]
    if not known:
        return None
    fact = rng.choice(known)
    limit = int(fact.number) + rng.choice((-6, -4, -3, -2, 2, 3, 4, 6))
    above = rng.random() < 0.5
    unit = "degrees" if fact.kind == "temperature" else "%"
    question = spin(
        rng,
        "Is the [kind] in the [place] [word] [limit] [unit]?",
        kind=fact.kind, place=fact.place, word="above" if above else "below",
        limit=str(limit), unit=unit,
    )  # fmt: skip
    verdict = "Yes" if (fact.number > limit) == above else "No"
    side = "above" if fact.number > limit else "below"
    reason = f"it is {fact.value} {kind_of(fact).unit}, which is {side} {limit}."
    return question, f"{verdict}, {reason}"


def compare(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for the warmest, coldest or most humid room."""
    kind = rng.choice(("temperature", "humidity"))
    known = _with_kind(facts, kind)
    if len(known) < 2:
        return None
    words = (
        ("{warmest|hottest}", "{coldest|coolest}")
        if kind == "temperature"
        else ("most humid", "driest")
    )
    high = rng.random() < 0.5
    word = spin(rng, words[0] if high else words[1])
    best = (max if high else min)(known, key=lambda fact: fact.number)
    question = spin(
        rng, "{Which room is the [word]?|What is the [word] room?|Where is it [word]?}", word=word
    )
    answer = "{The [place] is the [word], {at|with} [value] [unit].|It is the [place], {at|with} [value] [unit].}"
    return question, spin(
        rng, answer, place=best.place, word=word, value=best.value, unit=kind_of(best).unit
    )


def count(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask how many switches of a kind are in a state; the answer lists before it counts."""
    kind = rng.choice(("window", "light", "heating", "blind", "door"))
    known = _with_kind(facts, kind)
    if not known:
        return None
    state = rng.choice(kind_of(known[0]).states)
    hits = [fact.place for fact in known if fact.value == state]
    noun = "heaters" if kind == "heating" else f"{kind}s"
    question = spin(
        rng,
        "{How many [noun] are [state]?|Which [noun] are [state]?|Is any of the [noun] [state]?"
        "|Count the [noun] that are [state].|Are there [noun] that are [state]?}",
        noun=noun, state=state,
    )  # fmt: skip
    return question, _count_answer(rng, noun, state, hits)


def _count_answer(rng: Random, noun: str, state: str, hits: Sequence[str]) -> str:
    if not hits:
        return spin(
            rng,
            "{None|No, none} of the [noun] {I know of|you told me about} is [state].",
            noun=noun,
            state=state,
        )
    where = listing([f"the {place}" for place in hits])
    text = "{[Where]: that makes [n].|[Where], so [n] of the [noun] are [state].}"
    if len(hits) == 1:
        text = "{Only one: [where].|Just one, [where].|One of the [noun] is [state]: [where].}"
    return spin(rng, text, where=where, n=_NUMBERS[min(len(hits), 10)], noun=noun, state=state)


def everything(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for all that is known about one room."""
    rooms = sorted({fact.place for fact in facts if fact.kind in PLACE_KINDS})
    if not rooms:
        return None
    room = rng.choice(rooms)
    question = spin(rng, "{Tell me about the [room].|How is the [room]?|What do you know about the [room]?|[Room]?"
                    "|Status of the [room], please.|What is going on in the [room]?}", room=room)  # fmt: skip
    return question, " ".join(tell(rng, fact) for fact in facts if fact.place == room)


def unknown(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for what was not told; the honest answer says so."""
    fact = _missing(rng, facts)
    if fact is None:
        return None
    what = (
        f"the {fact.kind} in the {fact.place}"
        if fact.place
        else f"the {_NAMES.get(fact.kind, fact.kind)}"
    )
    question = ask(rng, fact)
    if _is_state(fact) and rng.random() < 0.7:
        question = spin(
            rng, kind_of(fact).polar, place=fact.place, state=rng.choice(kind_of(fact).states)
        )
    return question, spin(
        rng,
        "{I have no reading for [what].|You have not told me about [what].|I do not know: nothing here says"
        " anything about [what].|I cannot tell, since I have no data about [what].}"
        "{| Tell me the value and I will use it.| Please send me the reading.}",
        what=what,
    )


_NAMES = {
    "outside": "temperature outside", "solar": "solar power", "energy": "energy used today",
    "home": "people at home", "washer": "washing machine", "vacuum": "robot vacuum",
    "tank": "water tank", "day": "day of the week",
}  # fmt: skip


def _missing(rng: Random, facts: Sequence[Fact]) -> Fact | None:
    known = {(fact.place, fact.kind) for fact in facts}
    if rng.random() < 0.3:
        fact = Fact("", rng.choice(sorted(HOUSE_KINDS)), "")
    else:
        fact = Fact(draw_room(rng), rng.choice(sorted(PLACE_KINDS)), "")
    return None if (fact.place, fact.kind) in known else fact


def extract(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for some facts as JSON."""
    fact = rng.choice(facts)
    number = not _is_state(fact) and kind_of(fact).unit
    value = json.loads(fact.value) if number else fact.value
    body = {"room": fact.place, fact.kind: value} if fact.place else {fact.kind: value}
    keys = listing([f'"{key}"' for key in body])
    question = spin(rng, "[question] {Answer|Reply} {as|in|with} JSON{| with the {key|keys} [keys]}.",
                    question=ask(rng, fact), keys=keys)  # fmt: skip
    return question, json.dumps(body, ensure_ascii=False)


def advise(rng: Random, facts: Sequence[Fact]) -> Pair | None:
    """Ask for advice that follows from one fact."""
    options = [_ADVICE[f.kind](rng, f) for f in facts if f.kind in _ADVICE]
    return rng.choice(options) if options else None


def _air_out(rng: Random, fact: Fact) -> Pair:
    damp = fact.number > 60 if fact.kind == "humidity" else fact.number > 1000
    question = spin(
        rng,
        "{Should I open the window in the [place]?|Do I need to air the [place]?}",
        place=fact.place,
    )
    good = "{Yes, please do.|Yes, that would help.|Yes, for ten minutes.} [told]"
    bad = "{No, there is no need.|No, it is fine.|Not now.} [told]"
    return question, spin(rng, good if damp else bad, told=tell(rng, fact))


def _heat(rng: Random, fact: Fact) -> Pair:
    cold = fact.number < 19
    question = spin(
        rng,
        "{Should I heat the [place]?|Is it too cold in the [place]?|Is the [place] too cold?}",
        place=fact.place,
    )
    good = "{Yes, a little heat would be good.|Yes, I would turn the heating on.|Yes, it is cool there.} [told]"
    bad = "{No, it is warm enough.|No, that is not needed.|No, it is comfortable.} [told]"
    return question, spin(rng, good if cold else bad, told=tell(rng, fact))


def _umbrella(rng: Random, fact: Fact) -> Pair:
    wet = fact.value in {"rainy", "stormy", "snowy"}
    question = spin(
        rng, "{Do I need an umbrella?|Should I take an umbrella?|Can I dry the laundry outside?}"
    )
    good = wet != question.startswith("Can")
    return question, spin(rng, "{Yes, {I think so|I would say so}|Yes}: [told]" if good else "{No, I do not think so|No}: [told]",
                          told=lower_first(tell(rng, fact)))  # fmt: skip


def _charge(rng: Random, fact: Fact) -> Pair:
    low = fact.number < 40
    question = spin(rng, "{Should I charge the [what]?|Is the [what] nearly empty?|Is the [what] low?}",
                    what="car" if fact.kind == "car" else "battery")  # fmt: skip
    return question, spin(
        rng,
        "{Yes, it is getting low.|Yes, soon.} [told]"
        if low
        else "{No, there is enough.|No, not yet.} [told]",
        told=tell(rng, fact),
    )


_ADVICE: dict[str, Callable[[Random, Fact], Pair]] = {
    "humidity": _air_out, "air": _air_out, "temperature": _heat, "weather": _umbrella,
    "battery": _charge, "car": _charge,
}  # fmt: skip
_ASKERS: tuple[tuple[Asker, int], ...] = (
    (direct, 30), (polar, 26), (threshold, 6), (compare, 10), (count, 9),
    (everything, 7), (unknown, 8), (extract, 6), (advise, 9),
)  # fmt: skip


def question(rng: Random, facts: Sequence[Fact]) -> Pair:
    """Draw one question and its answer from what the facts allow."""
    askers, weights = zip(*_ASKERS, strict=True)
    while True:
        pair = rng.choices(askers, weights)[0](rng, facts)
        if pair is not None:
            return casual(rng, pair[0]), capital(pair[1])


def casual(rng: Random, text: str) -> str:
    """Roughen a question as people type it: small letters, no mark, a polite start."""
    if rng.random() < 0.12:
        start = spin(
            rng, "{Hey, |Hi, |Please, |Quick question: |Tell me, |House, |Excuse me, |Okay, }"
        )
        text = start + lower_first(text)
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.1:
        text = text.rstrip("?.")
    return text + maybe(rng, 0.02, " Thanks!")
