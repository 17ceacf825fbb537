"""Which prefixes the child is to know and what to do next for that; decides, and does nothing.

Personas are wanted always; system prompts that requests use again and again (marks) as long as
there are few. What is wanted is restored from a file if there is one, else read, and then saved.
There is one errand at a time, so that each answer has one question and a death one suspect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from edged.engine.frames import ERRAND
from edged.engine.marks import MIN_CHARS, MIN_USES, Uses, digest
from edged.engine.orders import Delete, GivenUp, Known, Learn, Order, Restore, Save, Unlearn
from edged.engine.prefix import Persona, Prefix
from edged.engine.shelf import worth
from edged.engine.statefile import Header, Identity, is_akin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.engine.frames import Messages
    from edged.engine.shelf import Found

MAX_MARKS = 8  # a house has few programs that ask; each takes memory and disk
DISK_RETRY_S = 1800.0  # each try costs the child a copy of the state
# A mark may be 50 MB, and whoever may ask can make a new one with three requests: for the card's
# sake at most one of them is written in this time.
MARK_SAVE_S = 3600.0
FORGOTTEN = "the owner had it forgotten"

Errand: TypeAlias = Literal["restore", "learn", "save"]
Orders: TypeAlias = list[Order]


class Prefixes:
    """The state; every method returns what is to be done, and is told what came of it.

    Args:
        personas: Those of the configuration, in its order.
    """

    def __init__(self, personas: Iterable[Persona]) -> None:
        self._personas = [Prefix(f"{ERRAND}{p.name}", p.name, p.messages) for p in personas]
        self._texts = {prefix.messages[0].content for prefix in self._personas}
        self._marks: dict[str, Prefix] = {}
        self._doomed: set[str] = set()
        self._uses = Uses()
        self._files: dict[str, Found] = {}
        self._identity: Identity | None = None
        self._up = False
        self._hand: tuple[Prefix, Errand] | None = None
        self._disk_at = 0.0
        self._mark_at = 0.0

    # The child's lives.

    def found(self, files: Iterable[Found]) -> None:
        """These are on disk; said once, before the child is up."""
        self._files = {found.file: found for found in files}

    def up(self, identity: Identity | None, now: float) -> Orders:
        """The child answers.

        Args:
            identity: Of the child; None if nothing is to be had from disk or put there.
            now: Monotonic seconds, as everywhere.
        """
        self._up, self._hand, self._identity = True, None, identity
        for prefix in self._all():
            prefix.renew()
        orders = [] if identity is None else [*self._clear(identity), *self._adopt(identity)]
        return [*orders, *self._next(now)]

    def died(self, *, blamed: bool) -> Orders:
        """The child is gone.

        Args:
            blamed: Whether it was, as far as one can know, busy with the errand in hand.
        """
        self._up = False
        hand, self._hand = self._hand, None
        if hand is None or not blamed:
            return []
        prefix, errand = hand
        orders: Orders = []
        if errand == "restore":
            prefix.trusted = True  # it was verified before the child got it
            orders += self._delete(prefix, "the engine died of it")
        if prefix.killed():
            orders.append(GivenUp(name=prefix.name, reason="the engine died of it twice"))
        return orders

    # Answers.

    def learned(self, key: str, tokens: int, state_bytes: int, ms: float, now: float) -> Orders:
        """The child knows it."""
        hand = self._answered(key, "restore", "learn")
        if hand is None:
            return []
        prefix, errand = hand
        prefix.known(tokens, state_bytes)
        source: Literal["disk", "read"] = "disk" if errand == "restore" else "read"
        known = Known(name=prefix.name, tokens=tokens, source=source, ms=ms)
        return [known, *self._next(now)]

    def failed(self, key: str, code: str, now: float) -> Orders:
        """The child could not do it."""
        hand = self._answered(key, "restore", "learn", "save")
        if hand is None:
            return []
        if code == "engine_unavailable":
            self._up = False
            return []
        prefix, errand = hand
        orders: Orders = []
        if errand == "restore":
            orders += self._not_restored(prefix, code, now)
        elif errand == "save":
            prefix.settled = True
        elif prefix.failed(now) or code == "prompt_too_long":
            prefix.step = "lost"
            orders.append(GivenUp(name=prefix.name, reason=code))
        return [*orders, *self._next(now)]

    def refused(self, key: str, now: float) -> Orders:
        """The file was not what we wrote, and is deleted."""
        hand = self._answered(key, "restore")
        if hand is None:
            return []
        prefix, _ = hand
        self._delete(prefix, "")
        if not prefix.trusted:
            del self._marks[key]
        return self._next(now)

    def stored(
        self, key: str, kept: Found | None, gone: Iterable[str], now: float, *, fault: bool = False
    ) -> Orders:
        """The disk has it, or not.

        Args:
            key: Of the errand.
            kept: The file; None without a fault means that others are worth more.
            gone: Files that had to go for it.
            now: Monotonic seconds.
            fault: The disk refused.
        """
        for file in gone:
            self._files.pop(file, None)
        if kept is not None:
            self._files[kept.file] = kept
        hand = self._answered(key, "save")
        if hand is None:
            return []
        prefix, _ = hand
        if fault:
            self._disk_at = now + DISK_RETRY_S
        elif kept is None:
            prefix.settled = True
        elif prefix.name is None:
            self._mark_at = now + MARK_SAVE_S
        return self._next(now)

    # Uses and time.

    def used(self, messages: Messages, now: float) -> Orders:
        """A request begins with these messages."""
        first = messages[0]
        if first.role != "system" or len(first.content) < MIN_CHARS or first.content in self._texts:
            return []
        key = _key(messages)
        uses = self._uses.count(first.content)
        if key in self._marks:
            self._marks[key].uses += 1
            self._marks[key].trusted = True
            return self._next(now)
        if uses < MIN_USES:
            return []
        mark = Prefix(key, None, (first,))
        mark.uses = uses
        return [*self._place(mark), *self._next(now)]

    def tick(self, now: float) -> Orders:
        """Time has passed."""
        return self._next(now)

    def forget(self, now: float) -> Orders:
        """Let go of all that was marked by its use, in the child and on the disk.

        Personas stay, for their texts are in the configuration.
        """
        self._uses = Uses()
        self._doomed = set(self._marks)
        known = {prefix.messages for prefix in self._all()}
        orders: Orders = []
        for found in list(self._files.values()):
            if found.header.messages not in known:
                orders += self._drop(found, FORGOTTEN)
        return [*orders, *self._next(now)]

    # What is next.

    def _all(self) -> list[Prefix]:
        marks = sorted(self._marks.values(), key=lambda mark: -mark.value)
        return [*self._personas, *marks]

    def _next(self, now: float) -> Orders:
        gone = self._bury()
        if not self._up or self._hand is not None:
            return gone
        prefixes = self._all()
        # What has a file takes a moment; what is to be read waits for an idle hour.
        for choose in (self._restore, self._learn_or_save):
            for prefix in prefixes:
                order = choose(prefix, now)
                if order is not None:
                    return [*gone, order]
        return gone

    def _bury(self) -> Orders:
        """Drop the marks that are to be forgotten; one that is in hand when its errand is over."""
        orders: Orders = []
        for key in sorted(self._doomed):
            if self._hand is not None and self._hand[0].key == key:
                continue
            self._doomed.remove(key)
            mark = self._marks.pop(key, None)
            if mark is not None:
                orders.append(Unlearn(key=key))
                files = list(self._files.values())
                for found in (each for each in files if each.header.messages == mark.messages):
                    orders += self._drop(found, FORGOTTEN)
        return orders

    def _restore(self, prefix: Prefix, now: float) -> Order | None:
        if prefix.step != "wanted" or prefix.unfiled or now < prefix.not_before:
            return None
        found = self._file(prefix)
        if found is None:
            return None
        self._hand = (prefix, "restore")
        return Restore(key=prefix.key, messages=prefix.messages, file=found.file)

    def _learn_or_save(self, prefix: Prefix, now: float) -> Order | None:
        if prefix.step == "known":
            return self._save(prefix, now)
        if prefix.step != "wanted" or not prefix.trusted or now < prefix.not_before:
            return None
        self._hand = (prefix, "learn")
        return Learn(key=prefix.key, messages=prefix.messages)

    def _save(self, prefix: Prefix, now: float) -> Order | None:
        wait_until = max(self._disk_at, self._mark_at if prefix.name is None else 0.0)
        if self._identity is None or prefix.settled or not prefix.state_bytes or now < wait_until:
            return None
        if self._file(prefix) is not None:
            prefix.settled = True
            return None
        self._hand = (prefix, "save")
        header = Header(
            identity=self._identity,
            name=prefix.name,
            messages=prefix.messages,
            tokens=prefix.tokens,
            state_bytes=prefix.state_bytes,
            uses=prefix.uses,
        )
        return Save(key=prefix.key, header=header)

    def _answered(self, key: str, *errands: Errand) -> tuple[Prefix, Errand] | None:
        """What this is the answer to; the errand is over."""
        hand = self._hand
        if hand is None or hand[0].key != key or hand[1] not in errands:
            return None
        self._hand = None
        return hand

    def _not_restored(self, prefix: Prefix, code: str, now: float) -> Orders:
        prefix.trusted = True
        if code == "bad_state":
            return self._delete(prefix, "the engine refuses it")
        if prefix.failed(now):
            prefix.unfiled, prefix.failures = True, 0
        return []

    # Files.

    def _file(self, prefix: Prefix) -> Found | None:
        wanted = (self._identity, prefix.messages)
        files = self._files.values()
        return next((f for f in files if (f.header.identity, f.header.messages) == wanted), None)

    def _delete(self, prefix: Prefix, reason: str) -> Orders:
        found = self._file(prefix)
        return [] if found is None else self._drop(found, reason)

    def _drop(self, found: Found, reason: str) -> Orders:
        del self._files[found.file]
        return [Delete(file=found.file, reason=reason)]

    def _clear(self, identity: Identity) -> Orders:
        """Files that nobody will ask for go; those of other settings may be asked for again."""
        wanted = {prefix.messages for prefix in self._personas}
        orders: Orders = []
        for found in list(self._files.values()):
            if not is_akin(found.header.identity, identity):
                orders += self._drop(found, "of another model or engine")
            elif found.header.name is not None and found.header.messages not in wanted:
                orders += self._drop(found, "its persona is not configured so any more")
        return orders

    # Marks.

    def _adopt(self, identity: Identity) -> Orders:
        """What was marked in an earlier life of the daemon is marked again."""
        files = sorted(self._files.values(), key=lambda found: worth(found.header), reverse=True)
        taken = {prefix.messages for prefix in self._all()}
        orders: Orders = []
        for found in files:
            header = found.header
            if header.identity != identity or header.messages in taken:
                continue
            if len(self._marks) >= MAX_MARKS:
                orders += self._drop(found, "others are used more")
                continue
            mark = Prefix(_key(header.messages), None, header.messages)
            mark.trusted, mark.uses, mark.tokens = False, header.uses, header.tokens
            self._marks[mark.key] = mark
        return orders

    def _place(self, mark: Prefix) -> Orders:
        """Take a mark in; where there are enough it must be worth more than another one."""
        orders: Orders = []
        if len(self._marks) >= MAX_MARKS:
            held = None if self._hand is None else self._hand[0]
            least = min(
                (other for other in self._marks.values() if other is not held),
                key=lambda other: other.value,
            )
            if least.value >= mark.value:
                return []
            del self._marks[least.key]
            orders = [Unlearn(key=least.key), *self._delete(least, "others are used more")]
        self._marks[mark.key] = mark
        return orders


def _key(messages: Messages) -> str:
    # No persona's name has a tilde.
    return f"{ERRAND}~{digest(messages[0].content)}"
