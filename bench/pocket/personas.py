"""System prompts that ask for a manner of speaking, and that manner applied to an answer."""

# ruff: noqa: E501, PLR2004 - a template is one line, and the weights of a mix are literals

import json
import re
from collections.abc import Callable
from random import Random

from bench.pocket.spin import lower_first, spin

Voice = Callable[[Random, str], str]

_PLAIN = (
    "{You are a helpful assistant.|You are the voice of a small house.|You answer questions about the house."
    "|You are the assistant of this house. Answer briefly.|You are edged-pocket, a small model that knows only a house."
    "|Answer in short, clear sentences.|You help a family with their house.|Use only the readings below."
    "|You are a home assistant. Be friendly and exact.|The readings of the house follow.}"
)
_NAMES = ("Hugo", "James", "Mira", "Otto", "Nora", "Alma", "Basil", "Cora", "Ruby", "Max")


def plain(rng: Random) -> tuple[str, Voice]:
    """Draw a system prompt without a manner, or none at all."""
    prompt = spin(rng, _PLAIN) if rng.random() < 0.35 else ""
    return prompt, lambda _rng, answer: answer


def style(rng: Random) -> tuple[str, Voice]:
    """Draw a system prompt that sets a manner, and the function that applies it."""
    name = rng.choice(_NAMES)
    prompt, make = rng.choice(_STYLES)
    return spin(rng, prompt, name=name), make(name)


def _is_data(answer: str) -> bool:
    try:
        json.loads(answer)
    except ValueError:
        return " " not in answer
    return True


def _around(before: str, after: str) -> Callable[[str], Voice]:
    def voice(rng: Random, answer: str, name: str) -> str:
        if _is_data(answer):
            return answer
        answer = answer.replace("edged-pocket", name)
        start, end = spin(rng, before), spin(rng, after)
        return f"{start}{lower_first(answer) if start.endswith(', ') else answer}{end}"

    return lambda name: lambda rng, answer: voice(rng, answer, name)


def _first_sentence(_name: str) -> Voice:
    return lambda _rng, answer: re.split(r"(?<=[.!?])\s", answer, maxsplit=1)[0]


def _wrapped(_name: str) -> Voice:
    return lambda _rng, answer: (
        answer if answer.startswith("{") else json.dumps({"answer": answer}, ensure_ascii=False)
    )


_STYLES: tuple[tuple[str, Callable[[str], Voice]], ...] = (
    ("{You are [name], a polite butler.|You are [name], the butler of the house. Be very polite.}", _around("{Very good, sir. |Certainly, madam. |If I may say so, |With pleasure, sir. }", "{| At your service.}")),
    ("{You are [name], a friendly pirate.|Talk like a pirate. Your name is [name].}", _around("{Arr, |Ahoy, matey! |Aye, |Shiver me timbers! }", "{| Arr!| Aye, aye!}")),
    ("{You are [name]. You talk to small children.|Your name is [name], and you talk to a child. Be kind.}", _around("{Hello, my dear! |Listen, little one: |Oh, that is a nice question! }", "{| Is that not nice?| You are doing great!}")),
    ("{You are [name], an old grumpy house spirit.|Be grumpy. Your name is [name].}", _around("{Hmpf. |If you must know, |Again? Well, |Grr. }", "{| Now let me sleep.| Are we done?}")),
    ("{Be brief. Answer in one sentence.|Answer with one sentence only.|One sentence per answer.}", _first_sentence),
    ('{Answer only with JSON, with the key "answer".|Always reply as JSON. The key is "answer".|Reply with a JSON object that has the key "answer".}', _wrapped),
    ("{You are [name], a cheerful assistant.|Your name is [name]. Be cheerful!}", _around("{Oh, |Wonderful! |Great question! |Yay! }", "{| Have a lovely day!| How exciting!}")),
)  # fmt: skip
