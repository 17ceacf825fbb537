"""Longer answers: summaries of the readings, the house described, and short stories."""

# ruff: noqa: E501, PLR2004 - a template is one line, and the weights of a mix are literals

from collections.abc import Sequence
from random import Random

from bench.pocket.house import Fact, draw_room, tell
from bench.pocket.kinds import PEOPLE
from bench.pocket.questions import Pair, casual
from bench.pocket.spin import capital, listing, spin

_GREETING = {
    "morning": "Good morning",
    "evening": "Good evening",
    "night": "Good night",
    "daily": "Hello",
}
_CLOSING = "{Have a nice day!|That is all for now.|Everything else is quiet.|Take care!|All in all, the house is well.|There is nothing else to report.|Enjoy the day!}"


def summary(rng: Random, facts: Sequence[Fact]) -> Pair:
    """Ask for a summary of the facts: state of the house first, then what needs a hand."""
    part = rng.choice(sorted(_GREETING))
    question = spin(
        rng,
        "{Write a [part] summary.|Give me a [part] summary.|Sum up the house for the [when].|Write the [part] report.|Summarise this for the [when].|[Part] summary, please.}",
        part=part,
        when="day" if part == "daily" else part,
    )
    order = sorted(facts, key=lambda fact: (bool(fact.place), fact.place))
    body = [tell(rng, fact) for fact in order]
    todo = [advice for fact in order if (advice := _todo(fact))]
    lines = [f"{_GREETING[part]}!", *body]
    if todo:
        lines.append(
            spin(
                rng,
                "{Please|Remember to|It would be good to|You may want to} [what].",
                what=listing(todo[:3]),
            )
        )
    lines.append(spin(rng, _CLOSING))
    return casual(rng, question), " ".join(lines)


def _todo(fact: Fact) -> str:
    match fact.kind, fact.value:
        case "window", "open":
            return f"close the window in the {fact.place}"
        case "door", "unlocked":
            return f"lock the {fact.place}"
        case "washer", "finished":
            return "empty the washing machine"
        case "vacuum", "stuck":
            return "free the robot vacuum"
        case (("battery" | "car" as what), value) if float(value) < 20:
            return f"charge the {what}"
    return ""


def brief(rng: Random, facts: Sequence[Fact]) -> Pair:
    """Ask for only what needs attention."""
    todo = [advice for fact in facts if (advice := _todo(fact))]
    question = spin(
        rng,
        "{Is everything all right?|Is there anything to do?|What needs my attention?|Anything I should know?|Can I go to bed?|Can we leave the house?}",
    )
    if not todo:
        return casual(rng, question), spin(
            rng,
            "{All is well|Everything looks fine|There is nothing to do}{|: no window is open and no door is unlocked|, as far as I can tell}.",
        )
    return casual(rng, question), spin(
        rng,
        "{Not quite: please|Almost. Please|One moment: please|First, please} [what].{| Then all is well.| The rest is fine.}",
        what=listing(todo),
    )


_NO_READINGS = "{I have no readings in this message, so here is a usual [part].|Without readings I can only tell how a usual [part] goes.|You sent no readings, so this is how it usually is.}"
_USUAL = {
    "morning": (
        "{The kitchen is the first room to wake up|The day begins in the kitchen}, {and the kettle starts to sing|where the kettle hums and the light is on}.",
        "{The bedroom is still cool|The bedroom is cool after the night}, {and its window is open for fresh air|so the heating may run for a while}.",
        "{The blinds go up|All blinds go up} {as soon as the sun reaches the garden|at seven}, {and the living room fills with light|and the house grows bright}.",
        "{The robot vacuum waits in the hall|In the hall the robot vacuum waits} until {everyone has left|the shoes are out of the way}.",
        "{Please remember your keys|Do not forget the umbrella|Take a warm coat}, {and close the kitchen window before you leave|and lock the front door}.",
    ),
    "evening": (
        "{The living room is the warmest room|The living room is warm and bright}, {and the lamp by the sofa is on|and the blinds are down}.",
        "{Dinner is over|The dishes are done}, {and the dishwasher runs in the kitchen|so the kitchen is dark and quiet}.",
        "{The solar panels rest|The panels on the roof sleep}, {and the battery carries the house|while the battery feeds the lights}.",
        "{The bedroom cools down|In the bedroom the heating goes down} {for the night|to 17 degrees}, {since cool air is good for sleep|as it does each evening}.",
        "{Before bed, lock the front door|Last of all, lock the back door} {and set the alarm|and turn off the hall light}.",
    ),
}


def usual(rng: Random) -> Pair:
    """Ask for a summary without readings; the answer says so and tells the usual."""
    part = rng.choice(sorted(_USUAL))
    question = spin(
        rng,
        "{Write a [part] summary.|Give me a [part] summary.|Write a short [part] report.|[Part] summary, please.|How is the house this [part]?|What is a usual [part] like?}",
        part=part,
    )
    lines = [_GREETING[part] + "!", spin(rng, _NO_READINGS, part=part)]
    lines += [spin(rng, line) for line in _USUAL[part]]
    lines.append(
        spin(
            rng,
            "{Send me the readings, and I will be exact.|With readings I could say more.|Enjoy the [part]!}",
            part=part,
        )
    )
    return casual(rng, question), " ".join(lines)


_ABOUT = {
    "kitchen": "The kitchen {lies|is} on the ground floor, {with a window to the garden|next to the garden door}. {It has an old stove, a fridge that hums and a table for four|There is a round table, a kettle and a fridge that never sleeps}. {It is the busiest room of the house|Most mornings begin here}.",
    "living room": "The living room {is the largest room|has the most sun}, {with a sofa and a wide window|with a soft sofa by the window}. {In the evening a single lamp is on|The lamp by the sofa is on every evening}, {and the blinds go down when it gets dark|and the cat sleeps beside it}.",
    "bedroom": "The bedroom is {upstairs|under the roof}, {where it is quiet|and it is quiet there}. {It is kept cool, at about 17 degrees|At night it stays at about 17 degrees}, {and its window is open for a while each morning|because cool air is good for sleep}.",
    "bathroom": "The bathroom is {small but warm|the smallest room}. {A sensor watches the humidity|After each shower the humidity rises}, {and the fan runs until the air is dry|so the window is opened for ten minutes}.",
    "office": "The office {looks out on the street|is a quiet room with a desk}. {A lamp stands on the desk|There is a desk, a chair and a shelf of books}, {and the heating runs only on working days|and the air is checked so that nobody gets sleepy}.",
    "hall": "The hall {joins all the rooms|is where everyone comes and goes}. {A sensor by the door turns the light on|The light goes on when somebody comes in}, {and the robot vacuum lives under the bench|and the coats hang beside the front door}.",
}
_ABOUT_START = (
    "{This is a little house with six rooms|It is a small house with six rooms and a garden|The house is small: six rooms, a cellar and a garden}.",
    "{Let me show you around|Let us walk through it|Here is what I know}.",
)
_ABOUT_END = "{Solar panels on the roof make power by day, and a battery keeps some for the night.|In the garden there is a shed, a water tank and an old apple tree.|Below lies the cellar, where the washing machine stands.|Everything reports to one small computer, and that is where I live.}"


def about(rng: Random) -> Pair:
    """Ask what the house, or one of its rooms, is like when no readings are given."""
    if rng.random() < 0.5:
        room = rng.choice(sorted(_ABOUT))
        question = spin(
            rng,
            "{Describe the [room].|What is the [room] like?|Tell me about the [room].|Show me the [room].|What is in the [room]?}",
            room=room,
        )
        return casual(rng, question), spin(rng, _ABOUT[room])
    question = spin(
        rng,
        "{Tell me about the house.|Describe the house.|What is the house like?|Show me around.|Tell me something about this house.|Where do we live?|Describe your home.}",
    )
    rooms = [room for room in _ABOUT if rng.random() < 0.7]
    lines = [spin(rng, _ABOUT_START[0]), spin(rng, _ABOUT_START[1])]
    lines += [spin(rng, _ABOUT[room]) for room in rooms]
    return casual(rng, question), " ".join([*lines, spin(rng, _ABOUT_END)])


_HEROES = (
    "old kettle", "little lamp", "robot vacuum", "grey cat", "small mouse", "wooden clock", "shy thermostat", "brave toaster", "rusty key", "green chair", "tall fridge",
    "tiny sensor", "wise owl", "blue teapot", "sleepy dog", "broken radio", "proud mirror", "paper boat", "red umbrella", "silver spoon", "young spider", "warm blanket",
)  # fmt: skip
_TRAITS = "{{liked|loved} {quiet mornings|long evenings|the sound of rain|the smell of bread|warm light|old songs}|was {afraid|not fond} of {the dark|thunder|loud noises|the cold|being alone}|wanted to see {the garden|the sea|the snow|the stars|the attic}|dreamed of {a long journey|a new friend|a quiet night|a great adventure}}"
_EVENTS = (
    ("the power went out", "everything was dark", "lit a small candle", "found the fuse and pushed it back"),
    ("a window blew open", "the cold came in", "pushed it shut", "asked the wind to be gentle"),
    ("water dripped from the ceiling", "the floor was wet", "called for help", "put a bowl under the drops"),
    ("a strange noise came from the wall", "nobody dared to move", "went to look", "knocked back three times"),
    ("snow fell without end", "the door would not open", "waited for the sun", "melted a path with warm air"),
    ("a key was lost", "nobody could come in", "searched under every chair", "followed the cat to the sofa"),
    ("a bird flew in", "it could not find the way out", "opened the window wide", "turned off the light and waited"),
    ("the clock stopped", "nobody knew the time", "counted the minutes aloud", "looked at the sun instead"),
    ("the heating fell silent", "it grew colder and colder", "woke the thermostat", "shared its last bit of warmth"),
    ("guests came early", "nothing was ready", "made tea for everyone", "told them a long story"),
)  # fmt: skip
_NIGHTS = ("quiet", "cold", "long", "stormy", "dark", "windy", "foggy", "grey", "strange", "still")
_FRIENDS = "{the [other]|its friend, the [other],|a passing [other]}"
_STORY = (
    "{Once there was|Once upon a time there was|Long ago there lived|In a little house there lived} a [hero] in the [place]. {The [hero]|It} [trait].",
    "{One [weather] {evening|morning|night}|On a [weather] {day|night}}, [event], and [trouble]. {Nobody knew what to do.|The whole house held its breath.|Everyone was worried.}",
    '{At first|For a while} the [hero] {only waited|did not know what to do|was too shy to speak}. {Then|But then|At last} [friend] {came by and said|came down the stairs and said|whispered|answered|smiled and said}: {"We can do this together."|"Do not be afraid."|"I will help you."|"Let us try."}',
    "{So|And so} the [hero] [deed], {and the [other] helped|while the [other] held the light|and it worked}. {Soon|A little later|Before long} {all was well again|the [place] was safe and warm|everyone could laugh again}.",
    "{Since that {day|night}|From then on} the two {were friends|were the best of friends|kept watch together}, {and the [place] was never lonely again|and in the [place] you can still hear them talk|and nobody in the house was afraid any more}.{| The end.}",
)  # fmt: skip


def story(rng: Random) -> Pair:
    """Ask for a short story set in a room or about somebody."""
    hero, other = rng.sample(_HEROES, 2)
    place = draw_room(rng)
    event, trouble, *deeds = rng.choice(_EVENTS)
    about_place = rng.random() < 0.6
    question = spin(rng, "{Tell me a {short|} story about the [what].|Write a {short|little} story about the [what].|A {bedtime|} story about the [what], please.|Do you know a story about the [what]?}",
                    what=place if about_place else hero)  # fmt: skip
    if rng.random() < 0.15:
        question = spin(
            rng,
            "{Tell me a story.|Write a short story.|A bedtime story, please.|Tell me a short story.}",
        )
    fields = {
        "hero": hero,
        "other": other,
        "place": place,
        "event": event,
        "trouble": trouble,
        "deed": rng.choice(deeds),
        "weather": rng.choice(_NIGHTS),
    }
    fields |= {"trait": spin(rng, _TRAITS), "friend": spin(rng, _FRIENDS, other=other)}
    text = " ".join(spin(rng, line, **fields) for line in _STORY)
    return casual(rng, " ".join(question.split())), text


def diary(rng: Random) -> Pair:
    """Give some events with times and ask what happened when."""
    rows = sorted(
        {
            f"{rng.randrange(5, 24):02d}:{rng.randrange(60):02d}": spin(
                rng, _HAPPENED, who=rng.choice(PEOPLE), room=draw_room(rng)
            )
            for _ in range(rng.randrange(3, 7))
        }.items()
    )
    log = "\n".join(f"{at} {what}" for at, what in rows)
    at, what = rng.choice(rows)
    if rng.random() < 0.5:
        return f"{log}\n" + spin(
            rng, "{When was it that [what]?|At what time was this: [what]?}", what=what
        ), spin(rng, "{It was at [at] that [what].|At [at].}", at=at, what=what)
    if rng.random() < 0.5:
        return f"{log}\n" + spin(rng, "What happened at [at]?", at=at), spin(
            rng, "At [at], [what].", at=at, what=what
        )
    told = capital(", then ".join(f"{what} at {at}" for at, what in rows)) + "."
    return f"{log}\n" + spin(
        rng, "{What happened today?|Sum up the day.|Tell me about the day.|Make sentences of this.}"
    ), told


_HAPPENED = "{[who] came home|[who] left the house|the light in the [room] went on|the light in the [room] went off|the window in the [room] was opened|the window in the [room] was closed|the door bell rang|the washing machine finished|a parcel arrived|it began to rain|the rain stopped|the heating in the [room] started|someone moved in the [room]}"
