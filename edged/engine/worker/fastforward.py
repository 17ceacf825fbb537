"""What a grammar leaves no choice about, so that it is written without asking the model.

Names of properties and the signs between values are more than half of many an answer in JSON.
What is known beforehand is decoded in one step with the token before it: four tokens take about as
long as one where each weight has to come from memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edged.engine.worker.native import llama
from edged.engine.worker.sampling import NO_TOKEN

if TYPE_CHECKING:
    from edged.engine.worker.model import Model

# Copying a grammar takes time with its size squared; those of a house have some hundred bytes.
MAX_GRAMMAR_BYTES: Final = 16 << 10
# Names are seldom longer, and each byte is asked for.
MAX_BYTES: Final = 96
# Inside of a text both of these may follow, and hardly anywhere else.
_LETTERS: Final = (b"e", b"t")


class FastForward:
    """Reads ahead in a grammar.

    Args:
        model: Its vocabulary.
        grammar: The text of the grammar.
    """

    def __init__(self, model: Model, grammar: str) -> None:
        self._model = model
        self._beginnings = model.beginnings
        self._candidates = model.candidates
        letters = [self._beginnings.alone.get(letter[0], NO_TOKEN) for letter in _LETTERS]
        usable = len(grammar) <= MAX_GRAMMAR_BYTES and self._beginnings.complete
        self._letters = letters if usable and NO_TOKEN not in letters else []

    def tokens(self, native: Any) -> list[int]:
        """The tokens that follow in any case.

        The last one that could be told is left to the model: it may be the beginning of another.

        Args:
            native: The grammar as far as it has been written.
        """
        if not self._letters or all(self._candidates.which(native, self._letters)):
            return []
        text = self._text(native)
        tokens = self._model.tokenize(text, special=False)[:-1] if text else []
        # Some vocabularies put a space in front of whatever they are given.
        written = b"".join(map(self._model.piece, tokens))
        return tokens if text.encode().startswith(written) else []

    def _text(self, native: Any) -> str:
        """As far as there is one way to go on, in whole characters."""
        ahead = llama.llama_sampler_clone(native)
        text = bytearray()
        try:
            while len(text) < MAX_BYTES:
                token, byte = self._beginnings.only(self._candidates, ahead)
                if token == NO_TOKEN:
                    break
                llama.llama_sampler_accept(ahead, token)
                text.append(byte)
        finally:
            llama.llama_sampler_free(ahead)
        return text.decode(errors="ignore")
