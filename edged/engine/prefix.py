"""One prefix that the child is to know, and how it stands with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from edged.engine.frames import Messages

MAX_DEATHS = 2  # once may be chance
RETRY_S = 60.0  # room in the child comes and goes with its runs
MAX_FAILURES = 3
_CHARS_PER_TOKEN = 4  # of English, to value what is not read yet


class Persona(msgspec.Struct, frozen=True):
    """A prefix that is configured."""

    name: str
    messages: Messages


class Prefix:
    """What is known of one prefix.

    Args:
        key: Of its errands.
        name: The persona's; None of one that is marked by its use.
        messages: What is to be read.

    Attributes:
        step: `lost` is given up for this life of the child, `given_up` for good.
        trusted: Its text is not only from a file that nobody has verified yet.
        settled: It shall not be saved.
        unfiled: It is to be read though there is a file.
        uses: By requests.
        tokens: Its length, once it is known.
        state_bytes: What saving it takes.
        deaths: Of the child with this in hand.
        failures: In a row.
        not_before: Monotonic seconds of the next try.
    """

    def __init__(self, key: str, name: str | None, messages: Messages) -> None:
        self.key = key
        self.name = name
        self.messages = messages
        self.step: Literal["wanted", "known", "lost", "given_up"] = "wanted"
        self.trusted = True
        self.settled = False
        self.unfiled = False
        self.uses = 1
        self.tokens = 0
        self.state_bytes = 0
        self.deaths = 0
        self.failures = 0
        self.not_before = 0.0

    @property
    def value(self) -> int:
        """Tokens that need not be read again because of it."""
        return (self.tokens or len(self.messages[0].content) // _CHARS_PER_TOKEN) * self.uses

    def renew(self) -> None:
        """The child begins a new life."""
        if self.step != "given_up":
            self.step = "wanted"
        self.unfiled = False
        self.failures, self.not_before = 0, 0.0

    def known(self, tokens: int, state_bytes: int) -> None:
        """The child knows it."""
        self.step, self.trusted = "known", True
        self.tokens, self.state_bytes = tokens, state_bytes
        self.failures = 0

    def failed(self, now: float) -> bool:
        """Wait before the next try; True if there were enough."""
        self.failures += 1
        self.not_before = now + RETRY_S
        return self.failures >= MAX_FAILURES

    def killed(self) -> bool:
        """The child died with it in hand; True if that is not to be tried again."""
        self.deaths += 1
        if self.deaths >= MAX_DEATHS:
            self.step = "given_up"
        return self.step == "given_up"
