"""A request's messages to tokens, whatever the model file's template makes of them."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from edged.engine.frames import Message
from edged.engine.worker.deadline import DeadlineError, bounded
from edged.engine.worker.radix import common
from edged.engine.worker.template import CHATML, BadTemplateError, Template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from edged.engine.worker.model import Model

# Honest templates render in a millisecond on a desktop; a Pi is some ten times slower.
_TEMPLATE_S = 2.0
# Room for the compiler and a prompt of the largest size, not for a bomb.
_TEMPLATE_BYTES = 256 << 20
# CVE-2025-52566: keep text that reaches the native tokeniser far below any 32-bit count.
MAX_PROMPT_BYTES = 512 << 10
_PROBE = (Message(role="user", content="hello"),)
# Two users' turns that have not even their first byte in common.
_OPENINGS = ("hello", "7")

# A text of a thousand tokens takes a millisecond, and that of a persona is in all prompts to it; so
# is what the template writes, in which all special tokens are looked for.
_LONG_CHARS, _MOST_CHARS = 256, 64 << 10
_REMEMBERED = 16

# The codes of PromptError.
PROMPT_TOO_LONG = "prompt_too_long"
BAD_TEMPLATE = "bad_template"


class PromptError(Exception):
    """This request cannot become tokens; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Prompter:
    """Applies the model's chat template, or ChatML where the model has none that works.

    Args:
        model: Names the template and the special tokens, and tokenises.
        limit: Tokens that a prompt must be shorter than.
    """

    def __init__(self, model: Model, limit: int) -> None:
        self._model = model
        self._limit = limit
        self._known = lru_cache(_REMEMBERED)(model.tokenize)
        control, defined = model.markers()
        source = model.chat_template
        self.source: Literal["model", "chatml"] = "model"
        self.warning = ""
        try:
            if source is None:
                raise BadTemplateError("there is none")  # noqa: EM101, TRY003, TRY301
            self._template = self._compile(source, control, defined)
        except (BadTemplateError, DeadlineError, MemoryError) as error:
            self.source = "chatml"
            self.warning = f"chat template: {_say(error)}; ChatML is used"[:500]
            self._template = self._compile(CHATML, control, defined)

    def _compile(self, source: str, control: list[str], defined: list[str]) -> Template:
        """Compile and try on a short chat, under bounds."""
        model = self._model
        # What a user-defined token means is written in the template, if it means anything.
        stubborn = [text for text in defined if text in source]
        bos, eos = model.token_text(model.bos), model.token_text(model.eos)
        with _bounds():
            template = Template(source, bos, eos, control, stubborn, bounds=_bounds)
        template.render(_PROBE, secrets.token_hex(8))
        return template

    def beginning(self, messages: Sequence[Message]) -> list[int]:
        """What every prompt begins with whose chat begins with these messages.

        Raises:
            PromptError: As in `tokens`.
        """
        first, second = (
            self.tokens([*messages, Message(role="user", content=text)]) for text in _OPENINGS
        )
        return first[: common(first, second)]

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The prompt.

        Raises:
            PromptError: With the code prompt_too_long or bad_template.
        """
        size = sum(len(message.content.encode()) for message in messages)
        if size > MAX_PROMPT_BYTES:
            message = f"the prompt has {size} bytes, at most {MAX_PROMPT_BYTES} are read"
            raise PromptError(PROMPT_TOO_LONG, message)
        try:
            pieces = self._template.render(messages, secrets.token_hex(8))
        except (BadTemplateError, DeadlineError, MemoryError) as error:
            message = f"the model's chat template: {_say(error)}"[:500]
            raise PromptError(BAD_TEMPLATE, message) from None
        tokens: list[int] = []
        for text, special in pieces:
            tokens += self._tokenized(text, special=special)
        tokens = self._model.with_bos(tokens)
        if len(tokens) >= self._limit:
            message = f"the prompt has {len(tokens)} tokens, the context {self._limit}"
            raise PromptError(PROMPT_TOO_LONG, message)
        if not tokens:
            raise PromptError(BAD_TEMPLATE, "the model's chat template made an empty prompt")
        return tokens

    def _tokenized(self, text: str, *, special: bool) -> Sequence[int]:
        if len(text) <= _MOST_CHARS and (special or len(text) >= _LONG_CHARS):
            return self._known(text, special=special)
        return self._model.tokenize(text, special=special)


def _bounds() -> AbstractContextManager[None]:
    return bounded(_TEMPLATE_S, _TEMPLATE_BYTES)


def _say(error: Exception) -> str:
    return str(error) or type(error).__name__
