"""Tokens by their first byte, so that a grammar need not look at all of a vocabulary."""

from __future__ import annotations

from itertools import chain, compress
from typing import TYPE_CHECKING, Any

from edged.engine.worker.sampling import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.engine.worker.candidates import Candidates
    from edged.engine.worker.model import Model

_ASCII = range(0x20, 0x7F)
# Inside of a text nearly all of them may follow, between the words of JSON a handful.
_TEXT = 64


class Beginnings:
    """Made once for a model: a second for 152,000 tokens on a Pi, and some MB.

    A grammar that does not take a byte takes no token that begins with it. Vocabularies have a
    token for nearly each byte alone; of a byte without one nobody knows before its tokens are
    tried. What begins with a control character is in no JSON of ours.

    Args:
        model: Whose vocabulary it is.

    Attributes:
        alone: The token of each byte that has one of its own.
        complete: Whether each byte that a token begins with has one.
    """

    def __init__(self, model: Model) -> None:
        tokens: dict[int, list[int]] = {}
        alone: dict[int, int] = {}
        for token in range(model.n_vocab):
            piece = model.piece(token)
            if piece and piece[0] >= _ASCII.start:
                tokens.setdefault(piece[0], []).append(token)
                if len(piece) == 1:
                    alone.setdefault(piece[0], token)
        self.alone = alone
        self.complete = tokens.keys() == alone.keys()
        self._each = [*alone.values(), *model.ends]
        self._bytes = list(alone)
        unknown = (tokens[byte] for byte in tokens.keys() - alone.keys())
        self._always = [*chain.from_iterable(unknown), *model.ends]
        self._ascii = _Group({byte: alone[byte] for byte in alone if byte in _ASCII}, tokens)
        self._others = _Group({byte: alone[byte] for byte in alone if byte not in _ASCII}, tokens)

    def possible(self, candidates: Candidates, grammar: Any, *, ascii_only: bool) -> Sequence[int]:
        """All tokens that a grammar may take next, and some that it does not.

        Args:
            candidates: To ask with; they are others afterwards.
            grammar: To be asked.
            ascii_only: All that it spells is ASCII: what is not can only be in the middle of a
                text, or of a character.
        """
        found = self._ascii.possible(candidates, grammar)
        if not ascii_only or not found or len(found) > _TEXT:
            found += self._others.possible(candidates, grammar)
        return [*self._always, *chain.from_iterable(found)]

    def only(self, candidates: Candidates, grammar: Any) -> tuple[int, int]:
        """The byte that comes next whatever is written, with its token; NO_TOKEN if there is none.

        Args:
            candidates: To ask with; they are others afterwards.
            grammar: To be asked.
        """
        found = candidates.which(grammar, self._each)
        place = found.index(True) if found.count(True) == 1 else len(found)
        # What ends an answer stands behind the bytes.
        if place >= len(self._bytes):
            return NO_TOKEN, 0
        return self._each[place], self._bytes[place]


class _Group:
    """Some bytes that have a token of their own, and all tokens that begin with each of them."""

    def __init__(self, alone: dict[int, int], tokens: dict[int, list[int]]) -> None:
        self._alone = list(alone.values())
        self._tokens = [tokens[byte] for byte in alone]

    def possible(self, candidates: Candidates, grammar: Any) -> list[list[int]]:
        """The tokens of each byte that the grammar takes."""
        return list(compress(self._tokens, candidates.which(grammar, self._alone)))
