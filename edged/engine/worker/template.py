"""Chat messages to a prompt in pieces, some of which may hold control tokens and some never.

The template comes with the model file, so it is a program of a stranger: it runs sandboxed, in the
caller's bounds of time and memory. The contents come from the wire: whatever they hold stays text.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edged.engine.frames import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

Role: TypeAlias = Literal["system", "user", "assistant"]
_Turns: TypeAlias = tuple[tuple[Role, bool], ...]  # whose each is, and whether it has any content
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Templates in the field are under 20 KiB; Jinja compiles them to some ten times that in code.
MAX_TEMPLATE_CHARS = 1 << 17
# Contents and template text together; an answer needs room in a context of at most 131072 tokens.
MAX_PROMPT_CHARS = 1 << 20
# "x" * 10**10 and 10 ** 10 ** 10 are single native calls that no signal interrupts.
_MAX_REPEAT = 1 << 16
_MAX_POWER_BITS = 4096
# What a template writes around contents depends on whose turns they are. To run it takes 0.4 ms on
# a desktop, and a house asks for the same turns again and again.
_REMEMBERED = 16
_REMEMBERED_CHARS = 1 << 16


class Piece(NamedTuple):
    """A part of the prompt; control tokens are recognised in it only if it is `special`."""

    text: str
    special: bool


class BadTemplateError(Exception):
    """The template cannot be compiled, or does not render these messages."""


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "%" and not numbers:
            _refuse("string formatting with %")
        if operator == "*" and not numbers:
            times = left if isinstance(left, int) else right
            size = len(right if isinstance(left, int) else left)
            if times * size > _MAX_REPEAT:
                _refuse("a repetition beyond its bound")
        if operator in {"*", "**"} and numbers and _bits(left, operator, right) > _MAX_POWER_BITS:
            _refuse("a number beyond its bound")
        return super().call_binop(context, operator, left, right)


def _bits(left: float, operator: str, right: float) -> float:
    size = int(abs(left)).bit_length()
    return size * abs(right) if operator == "**" else size + int(abs(right)).bit_length()


def _refuse(message: str) -> None:
    raise BadTemplateError(message)


def _tojson(value: Any, indent: int | None = None) -> str:
    # Jinja's own filter escapes for HTML; templates are written for Hugging Face's, which does not.
    return json.dumps(value, ensure_ascii=False, indent=indent)


class Template:
    """A compiled chat template.

    Args:
        source: Jinja as in `tokenizer.chat_template`.
        bos: The text of the begin-of-text token, for templates that write it.
        eos: Likewise end-of-text.
        markers: The texts that the tokeniser turns into control tokens in a special piece.
        stubborn: Those that it recognises in plain pieces as well.
        bounds: Bounds of time and memory that hold while the template runs.

    Raises:
        BadTemplateError: It does not compile.
    """

    def __init__(  # noqa: PLR0913 - of a model file, and its caller
        self,
        source: str,
        bos: str,
        eos: str,
        markers: Iterable[str] = (),
        stubborn: Iterable[str] = (),
        *,
        bounds: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if len(source) > MAX_TEMPLATE_CHARS:
            message = f"{len(source)} characters; at most {MAX_TEMPLATE_CHARS} are read"
            raise BadTemplateError(message)
        sandbox = _Sandbox(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        sandbox.filters["tojson"] = _tojson
        # Hugging Face's tags around an assistant's turn mean nothing when generating.
        source = source.replace("{% generation %}", "").replace("{% endgeneration %}", "")
        self._compiled = _guard(lambda: sandbox.from_string(source))
        self._globals = {
            "bos_token": bos,
            "eos_token": eos,
            "add_generation_prompt": True,
            "raise_exception": _refuse,
        }
        self._stubborn = _longest_first(stubborn)
        self._markers = _longest_first([*markers, *self._stubborn])
        self._bounds = bounds
        self._known: dict[_Turns, tuple[str, ...] | None] = {}

    def render(self, messages: Sequence[Message], nonce: str) -> list[Piece]:
        """The prompt for `messages`; `nonce` is alphanumeric and unknown to who wrote them.

        Raises:
            BadTemplateError: The template refuses them, also with the system text moved into the
                first user message, or the prompt would exceed MAX_PROMPT_CHARS.
        """
        try:
            pieces = self._pieces(messages, nonce)
        except BadTemplateError:
            folded = fold_system(messages)
            if folded is None:
                raise
            pieces = self._pieces(folded, nonce)
        return [Piece(text, special) for text, special in pieces if text]

    def _pieces(self, messages: Sequence[Message], nonce: str) -> list[Piece]:
        around = self._around(tuple((m.role, bool(m.content)) for m in messages), nonce)
        if around is None:
            # A template that looks into the content or moves it around: give it the text.
            return [Piece(self._render(self._broken(messages)), special=True)]
        contents = [break_up(m.content, self._stubborn) for m in messages if m.content]
        pieces: list[Piece] = []
        for before, content in zip(around, contents, strict=False):
            pieces += [Piece(before, special=True), Piece(content, special=False)]
        return [*pieces, Piece(around[-1], special=True)]

    def _around(self, turns: _Turns, nonce: str) -> tuple[str, ...] | None:
        """As `_written`, which is asked once for the same turns."""
        if turns not in self._known:
            around = self._written(turns, nonce)
            if sum(map(len, around or ())) > _REMEMBERED_CHARS:
                return around
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[turns] = around
        return self._known[turns]

    def _written(self, turns: _Turns, nonce: str) -> tuple[str, ...] | None:
        """Render with a private word in each content's place, then cut at those words.

        Returns:
            What comes before each content, and behind the last one; None where that cannot be said.
        """
        words = [f"c{nonce}n{index}e" for index in range(len(turns))]
        placed = [
            Message(role=role, content=word if some else "")
            for (role, some), word in zip(turns, words, strict=True)
        ]
        rest = self._render(placed)
        around: list[str] = []
        for (_, some), word in zip(turns, words, strict=True):
            if some:
                before, found, rest = rest.partition(word)
                if not found or nonce in before:
                    return None
                around.append(before)
        return None if nonce in rest else (*around, rest)

    def _render(self, messages: Sequence[Message]) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        with self._bounds():
            text: str = _guard(lambda: self._compiled.render(messages=turns, **self._globals))
        if len(text) > MAX_PROMPT_CHARS:
            message = f"a prompt of {len(text)} characters; at most {MAX_PROMPT_CHARS} are read"
            raise BadTemplateError(message)
        return text

    def _broken(self, messages: Sequence[Message]) -> list[Message]:
        return [Message(role=m.role, content=break_up(m.content, self._markers)) for m in messages]


def break_up(text: str, markers: Sequence[str]) -> str:
    """`text` with a space in every occurrence of a marker, the longest markers first."""
    for marker in markers:
        if len(marker) > 1:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
    return text


def _longest_first(markers: Iterable[str]) -> list[str]:
    # White space may be a token of its own, but it is no marker.
    return sorted({marker for marker in markers if marker.strip()}, key=len, reverse=True)


def fold_system(messages: Sequence[Message]) -> list[Message] | None:
    """Move system texts into the first user message; None where that changes nothing.

    Several families (Gemma, early Mistral) know no system role and their templates say so.
    """
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    others = [m for m in messages if m.role != "system"]
    first = next((index for index, m in enumerate(others) if m.role == "user"), None)
    if first is None or len(others) == len(messages):
        return None
    others[first] = Message(role="user", content=f"{system}\n\n{others[first].content}")
    return others


def _guard(call: Callable[[], Any]) -> Any:
    """Whatever a stranger's template raises is one error, but for the caller's own bounds."""
    try:
        return call()
    except (BadTemplateError, MemoryError):
        raise
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise BadTemplateError(f"{type(error).__name__}: {error}"[:500]) from None
