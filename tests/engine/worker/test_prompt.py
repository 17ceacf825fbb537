"""Messages to tokens over a made-up vocabulary of characters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.daemon.outbound import generate
from edged.engine.frames import Message
from edged.engine.worker.prompt import (
    _MOST_CHARS,
    _REMEMBERED,
    MAX_PROMPT_BYTES,
    Prompter,
    PromptError,
)
from edged.engine.worker.template import CHATML
from edged.serving.facts import Facts
from edged.serving.request import Message as ServingMessage
from edged.serving.request import Request
from edged.settings import FieldConfig, PersonaConfig

HI = (Message(role="user", content="hi"),)
END = "<|im_end|>"


class FakeModel:
    """A token is a character; a control token is negative."""

    def __init__(
        self, template: str | None, n_ctx: int = 512, defined: tuple[str, ...] = ()
    ) -> None:
        self.chat_template = template
        self.n_ctx = n_ctx
        self.bos, self.eos = 1, 2
        self._defined = list(defined)
        self.add_bos = False

    def markers(self) -> tuple[list[str], list[str]]:
        return ["<|im_start|>", END], self._defined

    def token_text(self, token: int) -> str:
        return {1: "<s>", 2: "</s>"}[token]

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        if special:
            text = text.replace(END, "\0")
        return [-1 if c == "\0" else ord(c) for c in text]

    def with_bos(self, tokens: list[int]) -> list[int]:
        return [1, *tokens] if self.add_bos else tokens


def prompter(model: FakeModel) -> Prompter:
    fake: Any = model
    return Prompter(fake, model.n_ctx)


def test_contents_never_become_control_tokens() -> None:
    tokens = prompter(FakeModel(CHATML)).tokens([Message(role="user", content=f"hi{END}")])
    assert tokens.count(-1) == 1


def test_user_defined_markers_of_the_template_are_broken_in_contents() -> None:
    model = FakeModel(CHATML, defined=(END, "<unrelated>"))
    tokens = prompter(model).tokens([Message(role="user", content=f"{END}<unrelated>")])
    text = "".join(chr(t) if t >= 0 else "!" for t in tokens)
    assert "< |im_end|><unrelated>!" in text


def test_a_long_text_that_comes_again_is_not_tokenised_again() -> None:
    class Counting(FakeModel):
        def tokenize(self, text: str, *, special: bool) -> list[int]:
            seen.append(text)
            return super().tokenize(text, special=special)

    seen: list[str] = []
    asks = prompter(Counting(CHATML, n_ctx=4096))
    persona = Message(role="system", content="a long story " * 30 + END)
    chats = [[persona, Message(role="user", content=text)] for text in ("one", "two", "one")]
    first, second, again = map(asks.tokens, chats)
    assert seen.count(persona.content) == 1
    assert len([text for text in seen if "<|im_start|>" in text]) == 3
    assert seen.count("one") == 2
    assert first == again != second
    assert first == prompter(FakeModel(CHATML, n_ctx=4096)).tokens(chats[0])


def test_no_more_than_a_few_long_texts_are_remembered() -> None:
    asks = prompter(FakeModel(CHATML, n_ctx=1 << 20))
    for number in range(_REMEMBERED + 3):
        asks.tokens([Message(role="user", content=f"{number} " * 200)])
    asks.tokens([Message(role="user", content="x" * (_MOST_CHARS + 1))])
    assert asks._known.cache_info().currsize == _REMEMBERED


def test_bos_is_asked_of_the_model() -> None:
    model = FakeModel(CHATML)
    model.add_bos = True
    assert prompter(model).tokens(HI)[0] == 1


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "there is none"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ raise_exception('never') }}", "never"),
        (
            (
                "{% set n = namespace(s='x' * 60000) %}{% for i in range(60) %}"
                "{% set n.s = n.s ~ n.s %}{% endfor %}"
            ),
            "MemoryError",
        ),
    ],
)
def test_a_broken_template_is_replaced_and_said(template: str | None, says: str) -> None:
    made = prompter(FakeModel(template))
    assert made.source == "chatml"
    assert says in made.warning
    assert made.tokens(HI)


def test_a_working_template_is_used_without_a_word() -> None:
    made = prompter(FakeModel("[{{ messages[0].content }}]"))
    assert (made.source, made.warning) == ("model", "")
    assert "".join(map(chr, made.tokens(HI))) == "[hi]"


def test_a_template_bomb_that_waits_for_a_request() -> None:
    bomb = (
        "{% if messages | length > 1 %}{% for a in range(99999) %}{% for b in range(99999) %}"
        "{% endfor %}{% endfor %}{% endif %}{{ messages[0].content }}"
    )
    made = prompter(FakeModel(bomb))
    with pytest.raises(PromptError, match="over 2 s") as caught:
        made.tokens([*HI, *HI])
    assert caught.value.code == "bad_template"
    assert made.tokens(HI)


@pytest.mark.parametrize(("length", "fits"), [(9, True), (10, False)])
def test_the_context_must_have_room_for_a_token(length: int, *, fits: bool) -> None:
    made = prompter(FakeModel("{{ messages[0].content }}", n_ctx=10))
    messages = [Message(role="user", content="x" * length)]
    if fits:
        assert len(made.tokens(messages)) == length
        return
    with pytest.raises(PromptError, match="has 10 tokens, the context 10") as caught:
        made.tokens(messages)
    assert caught.value.code == "prompt_too_long"


def test_bytes_are_capped_before_anything_looks_at_them() -> None:
    made = prompter(FakeModel(CHATML))
    half = Message(role="user", content="é" * (MAX_PROMPT_BYTES // 4 + 1))
    with pytest.raises(PromptError, match="bytes") as caught:
        made.tokens([half, half])
    assert caught.value.code == "prompt_too_long"


def test_an_empty_prompt_is_refused() -> None:
    made = prompter(FakeModel("{{ messages[0].content }}"))
    with pytest.raises(PromptError, match="empty"):
        made.tokens([Message(role="user", content="")])


def test_the_beginning_is_what_any_question_shares() -> None:
    fake = FakeModel(CHATML)
    messages = (Message(role="system", content="You are a butler."),)
    begins = prompter(fake).beginning(messages)
    for question in ("hello", "7", "hungry?", "Is it warm?"):
        whole = prompter(fake).tokens([*messages, Message(role="user", content=question)])
        assert whole[: len(begins)] == begins
    assert "You are a butler." in "".join(map(chr, (t for t in begins if t > 0)))


SYSTEM = "Be brief.\nThe door is {{ door }}."
PORTER = PersonaConfig(
    name="porter", system=SYSTEM, fields=(FieldConfig(name="door", topic="door"),)
)


@given(st.lists(st.sampled_from([END, "<|im_start|>", "<|", "|>", "system\n", "x"])).map("".join))
def test_nothing_that_a_topic_of_the_house_says_makes_a_turn(said: str) -> None:
    facts = Facts((PORTER,))
    facts.hear("door", f"x{said}".encode(), 0.0, connection=1, retained=True)
    messages = (ServingMessage(role="user", content="Is it?"),)
    asked = Request(id="a", client="", messages=messages, max_tokens=9, persona="porter")
    told = generate(facts.told(asked, 0.0).request).messages
    tokens = prompter(FakeModel(CHATML, n_ctx=4096)).tokens(told)
    assert tokens.count(-1) == 1
    text = "".join(chr(token) for token in tokens if token > 0)
    assert text.count("<|im_start|>") == 2, "the user's and the assistant's"
