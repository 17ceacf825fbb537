"""A vocabulary for made-up models: every byte, then words nobody says, then ChatML's marks."""

from __future__ import annotations

from itertools import product
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
SPOKEN_LETTERS: Final = 3  # 18,278 words: a prompt as various as random tokens are


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What a GGUF file says about its tokens.

    Attributes:
        tokens: Each token's text in GPT-2's byte alphabet.
        kinds: NORMAL or CONTROL for each token.
        merges: Pairs of texts that llama.cpp joins to one token, the most urgent first.
        end_of_text: Token id.
        turn_end: Token id; ends an answer.
    """

    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    end_of_text: int
    turn_end: int

    @property
    def specials(self) -> range:
        """Ids of the control tokens, the last ones."""
        return range(len(self.tokens) - len(SPECIALS), len(self.tokens))


def make(size: int) -> Vocabulary:
    """Make a vocabulary of `size` tokens, at least SMALLEST.

    Where there is room for all of them, each word of up to SPOKEN_LETTERS letters after a space
    is a token of a text; the longer words that fill the rest are in no text.

    Raises:
        ValueError: The size leaves no room for every byte and mark.
    """
    if size < SMALLEST:
        message = f"a vocabulary needs at least {SMALLEST} tokens, not {size}"
        raise ValueError(message)
    room = size - SMALLEST
    spoken = [SPACE + word for count in range(1, SPOKEN_LETTERS + 1) for word in spelt(count)]
    if len(spoken) > room:
        spoken = []
    # Shorter words come first, so that a long one is joined from its beginning on.
    merges = (*(f"{word[:-1]} {word[-1]}" for word in spoken), *MERGES)
    merged = [merge.replace(" ", "") for merge in MERGES]
    filling = [_word(number) for number in range(room - len(spoken))]
    tokens = (*byte_alphabet(), *merged, *spoken, *filling, *SPECIALS)
    normal = size - len(SPECIALS)
    return Vocabulary(
        tokens=tokens,
        kinds=(NORMAL,) * normal + (CONTROL,) * len(SPECIALS),
        merges=merges,
        end_of_text=tokens.index(END_OF_TEXT),
        turn_end=tokens.index(TURN_END),
    )


def spelt(letters: int) -> list[str]:
    """All words of so many letters."""
    return ["".join(word) for word in product(_LETTERS, repeat=letters)]


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
