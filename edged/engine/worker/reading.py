"""A prompt on its way into the context: what is known of it is taken over, the rest is read."""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING

from edged.engine.worker.radix import common

if TYPE_CHECKING:
    from collections.abc import Sequence as Tokens

    from edged.engine.frames import Generate
    from edged.engine.worker.batch import Batch
    from edged.engine.worker.model import Model
    from edged.engine.worker.prefixes import Prefixes

# Waiting for another to read the same is worth it from about so many tokens on: a step.
MIN_FOLLOW = 32
# Errands yield to every run.
BACKGROUND = 3
NOWHERE = -1
_MAX_PIECE = 32  # characters of a token in a debug line


class Reading:
    """The part of a run, or of an errand, that reads.

    Args:
        key: Of the run or errand.
        prompt: At least one token, and fewer than a run has room for.
        priority: A lower number goes first.
        stops: Lengths at which recurrent state is to be kept, ascending.
        held: Tokens at the end of the prompt that are read in another way.

    Attributes:
        sequence: Its sequence in the context; NOWHERE before `begin`.
        position: Tokens that the context holds of it.
        cached: Tokens that it had not to read.
        began_at: When it took its sequence, in monotonic seconds.
        cancelled: Somebody asked for its end.
        row: Its row with logits in the present step.
        ends_at: When it must have ended, in monotonic seconds; inf: some time.
        broke: The token that was known where another one came; NOWHERE: none was.
    """

    def __init__(
        self, key: str, prompt: list[int], priority: int, stops: Tokens[int] = (), held: int = 0
    ) -> None:
        self.key = key
        self.prompt = prompt
        self.priority = priority
        self.sequence = NOWHERE
        self.position = 0
        self.cached = 0
        self.began_at = 0.0
        self.cancelled = False
        self.row = 0
        self.ends_at = inf
        self.broke = NOWHERE
        self._stops = list(stops)
        self._end = len(prompt) - held
        self._leader: Reading | None = None
        self._target = 0

    @property
    def rank(self) -> tuple[int, float]:
        """A lower one goes first: by priority, then who must end sooner."""
        return self.priority, self.ends_at

    @property
    def follows(self) -> int:
        """Tokens that it will take over from another who reads them."""
        return self._target

    @property
    def begun(self) -> bool:
        """Whether it has a sequence."""
        return self.sequence != NOWHERE

    @property
    def reading(self) -> bool:
        """Whether some of the prompt is unread."""
        return self.position < self._end

    @property
    def left(self) -> int:
        """Tokens to read until the end or the next stop."""
        stop = next((stop for stop in self._stops if stop > self.position), self._end)
        return stop - self.position

    @property
    def at_stop(self) -> bool:
        """Whether this is a place whose state is to be kept."""
        return self.position in self._stops

    def follow(self, leader: Reading, shared: int) -> None:
        """Begin only when `leader` has read the `shared` tokens that both begin with."""
        self._leader, self._target = leader, shared

    def shares(self, prompt: Tokens[int], *, partial: bool) -> int:
        """Tokens of this prompt that one who begins like it will be able to take over."""
        length = common(self.prompt, prompt[:-1])
        if partial:
            return length
        return max((stop for stop in self._stops if stop <= length), default=0)

    def waits(self, active: Tokens[Reading]) -> bool:
        """Whether its leader, if that one computes at all, has yet to read what both share."""
        leader = self._leader
        return leader is not None and leader in active and leader.position < self._target

    def begin(self, prefixes: Prefixes, now: float) -> bool:
        """Take a sequence and what is known of the prompt; False if all sequences run."""
        lease = prefixes.open(self.prompt, now)
        if lease is None:
            return False
        self._leader = None
        self.began_at = now
        self.sequence = lease.sequence
        self.position = self.cached = lease.cached
        self.broke = lease.broke if self.left > 1 else NOWHERE
        return True

    def restart(self, prefixes: Prefixes) -> None:
        """Give up what it has read; it may begin again with what others know."""
        prefixes.abandon(self.sequence)
        self.sequence = NOWHERE
        self.position = 0

    def place(self, batch: Batch, count: int) -> None:
        """Put the next `count` unread tokens into the step."""
        end = self.position + count
        tokens = self.prompt[self.position : end]
        last = end == len(self.prompt)
        self.row = batch.extend(tokens, self.position, self.sequence, logits=last)

    def read(self, count: int, prefixes: Prefixes, now: float) -> None:
        """So many more tokens stand in the context; others may share in them."""
        end = self.position + count
        prefixes.read(self.sequence, self.prompt[self.position : end])
        self.position = end
        prefixes.share(self.sequence)
        if self.at_stop:
            prefixes.checkpoint(self.sequence, now)

    def say_break(self, model: Model) -> None:
        """Write a line on stderr about the token that ended what was known, if one did.

        Best at the end: whoever reads it wakes on a core that a beginning answer needs.
        """
        if self.broke == NOWHERE:
            return
        new, old = (
            model.piece(token).decode("utf-8", "replace")[:_MAX_PIECE]
            for token in (self.prompt[self.cached], self.broke)
        )
        sys.stderr.write(
            f"{self.cached} of {len(self.prompt)} prompt tokens are cached; "
            f"then comes {new!r} where {old!r} was\n"
        )


def due_at(request: Generate, received_at: float) -> float:
    """When a request must have ended, in monotonic seconds."""
    return inf if request.within_s is None else received_at + request.within_s


def leader_of(
    prompt: Tokens[int], readers: Tokens[Reading], known: int, *, partial: bool
) -> tuple[Reading, int] | None:
    """The one that reads most of what `prompt` begins with, if that is worth waiting for.

    Args:
        prompt: Of who might wait.
        readers: Those who read now.
        known: Tokens of the prompt that the context holds already.
        partial: Whether anything shorter than a whole state can be shared.

    Returns:
        The leader, and the tokens to wait for.
    """
    best: tuple[Reading, int] | None = None
    for reader in readers:
        shared = reader.shares(prompt, partial=partial)
        if shared >= max(known, reader.position) + MIN_FOLLOW and (not best or shared > best[1]):
            best = reader, shared
    return best
