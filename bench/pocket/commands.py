"""Orders and their confirmations, in words or as JSON, and messages to sort."""

# ruff: noqa: E501, PLR2004 - a template is one line, and the weights of a mix are literals

import json
from collections.abc import Sequence
from random import Random

from bench.pocket.house import Fact, draw_room
from bench.pocket.kinds import PEOPLE
from bench.pocket.questions import Pair, casual
from bench.pocket.spin import spin

_OKAY = "{Okay|Done|Sure|All right|Certainly|Of course|Right away|With pleasure|Gladly}"
_ORDERS = {
    ("light", "on"): "{Turn on the light in the [room].|Switch on the [room] light.|Lights on in the [room].|It is dark in the [room].|Make it bright in the [room].}",
    ("light", "off"): "{Turn off the light in the [room].|Switch off the [room] light.|Lights off in the [room].|Make it dark in the [room].}",
    ("heating", "on"): "{Turn on the heating in the [room].|Heat the [room].|It is cold in the [room], please heat it.}",
    ("heating", "off"): "{Turn off the heating in the [room].|Stop heating the [room].|It is too hot in the [room], stop the heating.}",
    ("blind", "up"): "{Raise the blind in the [room].|Open the [room] blind.|Let some sun into the [room].}",
    ("blind", "down"): "{Lower the blind in the [room].|Close the [room] blind.|Keep the sun out of the [room].}",
    ("window", "open"): "{Open the window in the [room].|Open the [room] window.|Let some fresh air into the [room].}",
    ("window", "closed"): "{Close the window in the [room].|Shut the [room] window.}",
}  # fmt: skip
_AS_JSON = "{Answer as JSON.|Reply with JSON only.|JSON please.|Give me the JSON command.}"


def order(rng: Random, rooms: Sequence[str] = ()) -> tuple[Pair, Fact]:
    """Draw an order, its confirmation and the fact that holds afterwards."""
    device, state = rng.choice(sorted(_ORDERS))
    room = rng.choice(rooms) if rooms else draw_room(rng)
    text = casual(rng, spin(rng, _ORDERS[device, state], room=room))
    fact = Fact(room, device, state)
    if rng.random() < 0.25:
        return (f"{text} {spin(rng, _AS_JSON)}", _as_json(device, state, room)), fact
    done = (
        _OKAY
        + "{, |: }{the [room] [device] is {now|} [state]|the [device] in the [room] is {now|} [state]}.{|| Anything else?| Just say if you want it back.}"
    )
    return (text, " ".join(spin(rng, done, room=room, device=device, state=state).split())), fact


def _as_json(device: str, state: str, room: str) -> str:
    body = {"action": "set", "device": device, "room": room, "state": state}
    return json.dumps(body)


def setting(rng: Random) -> Pair:
    """Draw an order with a number: a temperature, a brightness or a timer."""
    return rng.choice((_target, _dim, _timer, _remind))(rng)


def _target(rng: Random) -> Pair:
    room, degrees = draw_room(rng), str(rng.randrange(15, 26))
    text = spin(
        rng,
        "{Set the [room] to [n] degrees.|Make the [room] [n] degrees.|[Room] to [n], please.|I want [n] degrees in the [room].}",
        room=room,
        n=degrees,
    )
    if rng.random() < 0.3:
        body = {"action": "set_temperature", "room": room, "temperature": int(degrees)}
        return f"{text} {spin(rng, _AS_JSON)}", json.dumps(body)
    done = (
        _OKAY
        + ", {I set the [room] to [n] °C|the target for the [room] is [n] °C now}.{| It may take {a while|half an hour|some time} to get there.}"
    )
    return casual(rng, text), spin(rng, done, room=room, n=degrees)


def _dim(rng: Random) -> Pair:
    room, percent = draw_room(rng), str(rng.randrange(10, 100, 5))
    text = spin(
        rng,
        "{Dim the [room] light to [n] %.|Set the light in the [room] to [n] percent.|[Room] light at [n] %.}",
        room=room,
        n=percent,
    )
    if rng.random() < 0.3:
        body = {"action": "set_brightness", "room": room, "brightness": int(percent)}
        return f"{text} {spin(rng, _AS_JSON)}", json.dumps(body)
    return casual(rng, text), spin(
        rng, _OKAY + ", the light in the [room] is {dimmed to|at} [n] %.", room=room, n=percent
    )


def _timer(rng: Random) -> Pair:
    minutes = str(rng.randrange(2, 60))
    what = spin(rng, "{pasta|eggs|tea|pizza|bread|laundry|cake|rice|potatoes|soup}")
    text = spin(
        rng,
        "{Set a timer for [n] minutes.|Timer [n] minutes for the [what].|Wake me in [n] minutes.|Remind me of the [what] in [n] minutes.}",
        n=minutes,
        what=what,
    )
    subject = f" for the {what}" if what in text else ""
    return casual(rng, text), spin(
        rng,
        _OKAY + ", {the timer[subject] runs for [n] minutes|I set a timer[subject]: [n] minutes}.",
        n=minutes,
        subject=subject,
    )


def _remind(rng: Random) -> Pair:
    who, hour = (
        rng.choice(PEOPLE),
        f"{rng.randrange(6, 23):02d}:{rng.choice(('00', '15', '30', '45'))}",
    )
    what = spin(
        rng,
        "{water the plants|feed the cat|take out the bins|call the plumber|close the windows|lock the back door|empty the dishwasher|charge the car|bring in the post}",
    )
    text = spin(
        rng,
        "{Remind [who] to [what] at [hour].|At [hour], tell [who] to [what].}",
        who=who,
        what=what,
        hour=hour,
    )
    return casual(rng, text), spin(
        rng,
        _OKAY
        + ", {I will remind [who] to [what] at [hour]|at [hour] I will tell [who] to [what]}.",
        who=who,
        what=what,
        hour=hour,
    )


_MESSAGES = {
    "urgent": "{There is water on the floor of the [room]!|Smoke in the [room]!|The alarm went off in the [room].|The smoke detector in the [room] is beeping!|Someone broke the window of the [room].|I smell gas in the [room].|The freezer in the [room] has stopped.|A pipe burst in the [room].}",
    "normal": "{The washing machine is finished.|[Who] is home.|The door bell rang.|The window in the [room] has been open for an hour.|Dinner is ready.|The car is charged.|A parcel is at the door.|It is getting warm in the [room].|The post is here.}",
    "background": "{The lamp in the [room] has a new version.|The daily report is ready.|The robot vacuum cleaned the [room].|The energy report of last week is here.|The backup is done.|The sensor in the [room] has a battery of 80 %.|The clock in the [room] was set.}",
}  # fmt: skip


def sort_message(rng: Random) -> Pair:
    """Draw a message from the house and how urgent it is."""
    label = rng.choice(sorted(_MESSAGES))
    message = spin(rng, _MESSAGES[label], room=draw_room(rng), who=rng.choice(PEOPLE))
    ask = "{How urgent is this message: [m]|Is this urgent, normal or background? [m]|Classify as urgent, normal or background: [m]|[m] How urgent is that?|Choose one of urgent, normal, background: [m]}"
    text = spin(rng, ask, m=message)
    return text, rng.choice((label, label, label.capitalize() + "."))
