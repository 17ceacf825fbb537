"""The kinds of fact about a house: how each is drawn, said and asked for."""

# ruff: noqa: E501 - a template is one line, and the weights of a mix are literals

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.pocket.spin import listing

PEOPLE = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "Jonas", "Karin",
    "Leo", "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEATHER = ("sunny", "cloudy", "rainy", "foggy", "windy", "snowy", "stormy", "clear", "overcast")


@dataclass(frozen=True)
class Kind:
    """A kind of fact: how to draw it, say it, ask for it; `states` if it is a switch."""

    draw: Callable[[Random], str]
    tell: str
    terse: str
    ask: str
    unit: str = ""
    states: tuple[str, ...] = ()
    polar: str = ""


def _number(low: int, high: int, step: int = 1) -> Callable[[Random], str]:
    return lambda rng: str(rng.randrange(low, high, step))


def _decimal(low: float, high: float) -> Callable[[Random], str]:
    return lambda rng: f"{rng.uniform(low, high):.1f}"


def _state(*states: str) -> Callable[[Random], str]:
    return lambda rng: rng.choice(states)


def clock(rng: Random) -> str:
    """Draw a time of day such as "06:45"."""
    return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}"


def people(rng: Random) -> str:
    """Draw one to three names, joined as English does."""
    return listing(rng.sample(PEOPLE, rng.choice((1, 1, 2, 2, 3))))


PLACE_KINDS: dict[str, Kind] = {
    "temperature": Kind(
        _decimal(14, 29),
        "{{It is|Right now it is|At the moment it is} [value] {°C|degrees} in the [place]."
        "|The [place] is at [value] °C.|The temperature in the [place] is [value] {°C|degrees}."
        "|The thermometer in the [place] {shows|reads|says} [value] °C.}",
        "[place] [value] {C|°C|degrees}",
        "{{How warm is it|What is the temperature|How cold is it|What temperature is it} in the"
        " [place]?|[Place] temperature?|What does the thermometer in the [place] say?"
        "|How many degrees are there in the [place]?}",
        unit="°C",
    ),
    "humidity": Kind(
        _number(30, 85),
        "{The humidity in the [place] is [value] %.|The air in the [place] is at [value] % humidity."
        "|The [place] has a humidity of [value] %.}",
        "[place] humidity [value] %",
        "{How humid is it in the [place]?|What is the humidity in the [place]?|Humidity [place]?"
        "|How damp is the air in the [place]?}",
        unit="%",
    ),
    "window": Kind(
        _state("open", "closed"),
        "{The [place] window is [value].|The window in the [place] is [value].}",
        "[place] window [value]",
        "{What is the state of the [place] window?|What about the window in the [place]?}",
        states=("open", "closed"),
        polar="{Is the [place] window [state]?|Is the window in the [place] [state]?"
        "|Is the window [state] in the [place]?|Did someone leave the [place] window [state]?}",
    ),
    "light": Kind(
        _state("on", "off"),
        "{The [place] light is [value].|The light in the [place] is [value].}",
        "[place] light [value]",
        "{What is the light in the [place] doing?|What is the state of the [place] light?}",
        states=("on", "off"),
        polar="{Is the [place] light [state]?|Is the light in the [place] [state]?"
        "|Is the lamp [state] in the [place]?}",
    ),
    "heating": Kind(
        _state("on", "off"),
        "{The heating in the [place] is [value].|The [place] heating is [value].}",
        "[place] heating [value]",
        "{What is the heating in the [place] doing?|What about the [place] heating?}",
        states=("on", "off"),
        polar="{Is the heating in the [place] [state]?|Is the [place] heating [state]?}",
    ),
    "blind": Kind(
        _state("up", "down"),
        "{The blind in the [place] is [value].|The [place] blind is [value].}",
        "[place] blind [value]",
        "{Where is the blind in the [place]?|What about the [place] blind?}",
        states=("up", "down"),
        polar="{Is the blind in the [place] [state]?|Is the [place] blind [state]?}",
    ),
    "air": Kind(
        _number(420, 1900, 10),
        "{The air in the [place] has [value] ppm of carbon dioxide."
        "|The CO2 in the [place] is at [value] ppm.}",
        "[place] CO2 [value] ppm",
        "{How is the air in the [place]?|How much CO2 is in the [place]?|[Place] CO2?}",
        unit="ppm",
    ),
}

DOOR_KIND = Kind(
    _state("locked", "unlocked"),
    "{The [place] is [value].|The lock says that the [place] is [value].}",
    "[place] [value]",
    "{What is the state of the [place]?|What about the [place]?}",
    states=("locked", "unlocked"),
    polar="{Is the [place] [state]?|Did I leave the [place] [state]?}",
)

HOUSE_KINDS: dict[str, Kind] = {
    "outside": Kind(
        _decimal(-9, 34),
        "{It is [value] °C outside.|Outside it is [value] {°C|degrees}."
        "|The outdoor sensor shows [value] °C.}",
        "outside [value] {C|°C|degrees}",
        "{How cold is it outside?|How warm is it outside?|What is the temperature outside?"
        "|Outdoor temperature?}",
        unit="°C",
    ),
    "weather": Kind(
        _state(*WEATHER),
        "{The weather is [value].|It is [value] {today|outside|right now}.}",
        "weather [value]",
        "{How is the weather?|What is the weather like?|Weather?|What does the sky look like?}",
    ),
    "power": Kind(
        _number(120, 4900, 10),
        "{The house {is using|uses|draws} [value] W.|The power meter shows [value] W.}",
        "{power|house uses|consumption} [value] W",
        "{How much power are we using?|What does the house draw?|Power now?}",
        unit="W",
    ),
    "solar": Kind(
        _number(0, 5200, 50),
        "{The {solar panels|panels on the roof} make [value] W.|Solar power is at [value] W.}",
        "solar [value] W",
        "{How much solar power is there?|What do the panels make?|How is the solar doing?}",
        unit="W",
    ),
    "battery": Kind(
        _number(3, 101),
        "{The {house|home} battery is at [value] %.|The battery holds [value] %.}",
        "battery [value] %",
        "{How full is the battery?|What is the battery level?|Battery?}",
        unit="%",
    ),
    "energy": Kind(
        _decimal(1, 29),
        "{We have used [value] kWh today.|Today the house has used [value] kWh.}",
        "energy today [value] kWh",
        "{How much energy did we use today?|How many kWh today?|Energy today?}",
        unit="kWh",
    ),
    "alarm": Kind(
        _state("armed", "disarmed"),
        "{The alarm is [value].|Right now the alarm is [value].}",
        "alarm [value]",
        "{What is the alarm doing?|What is the state of the alarm?}",
        states=("armed", "disarmed"),
        polar="{Is the alarm [state]?|Is the alarm system [state]?}",
    ),
    "time": Kind(clock, "{It is [value].|The clock says [value].}", "time [value]", "{What time is it?|What is the time?|Time?}"),
    "day": Kind(_state(*DAYS), "{Today is [value].|It is [value].}", "day [value]", "{What day is it?|Which day is today?}"),
    "home": Kind(people, "{At home: [value].|At home now: [value].}", "at home [value]", "{Who is at home?|Who is in the house?|Is anyone home?}"),
    "washer": Kind(
        _state("running", "finished", "off", "paused"),
        "{The washing machine is [value].|Right now the washing machine is [value].}",
        "washing machine [value]",
        "{How is the washing machine?|What is the washing machine doing?|What about the laundry?}",
    ),
    "vacuum": Kind(
        _state("cleaning", "docked", "stuck", "charging", "paused"),
        "{The robot vacuum is [value].|Our robot vacuum is [value].}",
        "robot vacuum [value]",
        "{Where is the robot vacuum?|What is the vacuum doing?|How is the robot?}",
    ),
    "car": Kind(
        _number(5, 101),
        "{The car is charged to [value] %.|The car battery is at [value] %.}",
        "car [value] %",
        "{How full is the car?|What is the charge of the car?|Is the car charged?}",
        unit="%",
    ),
    "tank": Kind(
        _number(4, 100),
        "{The {rain|water} tank is [value] % full.|There is [value] % left in the water tank.}",
        "water tank [value] %",
        "{How full is the water tank?|How much water is in the tank?}",
        unit="%",
    ),
    "wind": Kind(
        _number(0, 95),
        "{The wind blows at [value] km/h.|The wind speed is [value] km/h.}",
        "wind [value] km/h",
        "{How strong is the wind?|What is the wind speed?|Is it windy?}",
        unit="km/h",
    ),
}  # fmt: skip
