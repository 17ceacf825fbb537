"""A vocabulary for made-up models: every byte, then words nobody says, then ChatML's marks."""

from __future__ import annotations

from typing import Final

import msgspec

NORMAL: Final = 1  # llama.cpp's token attributes as GGUF stores them
CONTROL: Final = 3
END_OF_TEXT: Final = "<|endoftext|>"
TURN_START: Final = "<|im_start|>"
TURN_END: Final = "<|im_end|>"
SPECIALS: Final = (END_OF_TEXT, TURN_START, TURN_END)
SPACE: Final = "Ġ"  # how GPT-2's byte alphabet writes a space
BYTES: Final = 256
# llama.cpp refuses a vocabulary of this kind without merges; these few join to tokens below.
MERGES: Final = ("t h", "h e", "i n", "e r", "a n", "o n", "r e", "a t")
SMALLEST: Final = BYTES + len(MERGES) + len(SPECIALS)
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD_LETTERS: Final = 4


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What a GGUF file says about its tokens.

    Attributes:
        tokens: Each token's text in GPT-2's byte alphabet.
        kinds: NORMAL or CONTROL for each token.
        end_of_text: Token id.
        turn_end: Token id; ends an answer.
    """

    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    end_of_text: int
    turn_end: int

    @property
    def specials(self) -> range:
        """Ids of the control tokens, the last ones."""
        return range(len(self.tokens) - len(SPECIALS), len(self.tokens))


def make(size: int) -> Vocabulary:
    """Make a vocabulary of `size` tokens, at least SMALLEST.

    Raises:
        ValueError: The size leaves no room for every byte and mark.
    """
    if size < SMALLEST:
        message = f"a vocabulary needs at least {SMALLEST} tokens, not {size}"
        raise ValueError(message)
    merged = [merge.replace(" ", "") for merge in MERGES]
    words = [_word(number) for number in range(size - SMALLEST)]
    tokens = (*byte_alphabet(), *merged, *words, *SPECIALS)
    normal = size - len(SPECIALS)
    return Vocabulary(
        tokens=tokens,
        kinds=(NORMAL,) * normal + (CONTROL,) * len(SPECIALS),
        end_of_text=tokens.index(END_OF_TEXT),
        turn_end=tokens.index(TURN_END),
    )


def byte_alphabet() -> list[str]:
    """The character GPT-2's tokenizer writes for each byte, in byte order."""
    shown = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(BYTES, 2 * BYTES))
    return [chr(byte if byte in shown else next(hidden)) for byte in range(BYTES)]


def _word(number: int) -> str:
    letters = []
    for _ in range(_WORD_LETTERS):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return SPACE + "".join(letters)
