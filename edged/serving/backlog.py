"""Who is next: by priority, and inside a priority each client in turn."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from itertools import chain, islice
from typing import TYPE_CHECKING

from msgspec import Struct

from edged.serving.request import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edged.serving.request import Request

# Below so many, deadlines of those long gone are not worth a clean-up.
SLACK = 32


class Entry(Struct, frozen=True, kw_only=True, eq=False):
    """One waiting request.

    Attributes:
        request: What waits.
        since: When it was pushed, in seconds of the caller's clock.
        deadline: When it must have started; None: whenever.
        front: It goes before all others (it ran before and was interrupted).
    """

    request: Request
    since: float
    deadline: float | None
    front: bool


class Backlog:
    """The waiting requests.

    Attributes:
        changes: Counts every push and every removal.

    Its size is bounded by `admission.admit`, the only gate; rows that were accepted
    before a restart are let in whatever the limit says now.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._front: deque[Entry] = deque()
        self._lanes: dict[Priority, OrderedDict[str, deque[Entry]]] = {
            priority: OrderedDict() for priority in Priority
        }
        self._deadlines: list[tuple[float, int, Entry]] = []
        self._pushes = 0
        self._of_client: dict[str, int] = {}
        self.changes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def of_client(self, client: str) -> int:
        """How many requests of this client are waiting."""
        return self._of_client.get(client, 0)

    def oldest_since(self) -> float | None:
        """When the one that waits longest was pushed."""
        return min((entry.since for entry in self._entries.values()), default=None)

    def next_deadline(self) -> float | None:
        """The earliest moment at which somebody may expire."""
        while self._deadlines and not self._waits(self._deadlines[0][2]):
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def push(
        self, request: Request, now: float, deadline: float | None = None, *, front: bool = False
    ) -> None:
        """Let a request wait until `deadline`; its key must not be waiting already."""
        entry = Entry(request=request, since=now, deadline=deadline, front=front)
        self._entries[request.key] = entry
        self.changes += 1
        self._of_client[request.client] = self.of_client(request.client) + 1
        if front:
            self._front.append(entry)
        else:
            self._lanes[request.priority].setdefault(request.client, deque()).append(entry)
        if deadline is not None:
            self._watch(entry, deadline)

    def pop(
        self,
        now: float,
        fits: Callable[[Request], bool] = lambda _: True,
        eligible: Callable[[Request], bool] = lambda _: True,
    ) -> Entry | None:
        """Take the next one that may still start; call `expire` first to hear of the others.

        Args:
            now: Seconds of the caller's clock.
            fits: Whether one may start now. If the first in the order does not fit, all others
                wait behind it, except the urgent.
            eligible: Whether one may start at all for now; who may not is overtaken by all.
        """
        order, urgent = (
            (entry for entry in _timely(entries, now) if eligible(entry.request))
            for entries in (self._order(), self._urgent())
        )
        for entry in chain(islice(order, 1), urgent):
            if fits(entry.request):
                self._take(entry)
                self._next_turn(entry)
                return entry
        return None

    def expire(self, now: float) -> list[Entry]:
        """Take out all whose deadline is in the past, the earliest deadline first."""
        late = []
        while self._deadlines and self._deadlines[0][0] < now:
            entry = heapq.heappop(self._deadlines)[2]
            if self._waits(entry):
                self._take(entry)
                late.append(entry)
        return late

    def remove(self, key: str) -> Entry | None:
        """Take this one out, if it is waiting."""
        entry = self._entries.get(key)
        if entry is not None:
            self._take(entry)
        return entry

    def position(self, key: str) -> int | None:
        """How many starts until it has started, if none is pushed or removed: 1 is next.

        Who waits for an earlier one of its session may be overtaken, and have more before it.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.front:
            return self._front.index(entry) + 1
        priority, client = entry.request.priority, entry.request.client
        return self._before(priority) + _turn(self._lanes[priority], client, entry) + 1

    def next_place(self, request: Request) -> int:
        """The position that a newcomer would have."""
        lane = self._lanes[request.priority]
        rounds = len(lane.get(request.client, ()))
        ahead = len(lane) if not rounds else _ahead(lane, request.client, rounds)
        return self._before(request.priority) + ahead + 1

    def order(self, limit: int) -> list[Entry]:
        """The next ones, at most `limit`, in the order in which `pop` would give them."""
        return [entry for _, entry in zip(range(limit), self._order(), strict=False)]

    def entries(self) -> list[Entry]:
        """All that wait, oldest push first."""
        return list(self._entries.values())

    def _before(self, priority: Priority) -> int:
        """How many go before all of this priority."""
        return len(self._front) + sum(
            len(queue)
            for above, lane in self._lanes.items()
            if above < priority
            for queue in lane.values()
        )

    def _order(self) -> Iterator[Entry]:
        yield from self._front
        for lane in self._lanes.values():
            # Most callers want one: the first round is given before anything is built.
            yield from (queue[0] for queue in lane.values())
            turns = [islice(queue, 1, None) for queue in lane.values()]
            while turns:
                still = []
                for turn in turns:
                    entry = next(turn, None)
                    if entry is not None:
                        yield entry
                        still.append(turn)
                turns = still

    def _urgent(self) -> Iterator[Entry]:
        for entry in self._front:
            if entry.request.priority is Priority.URGENT:
                yield entry
        for queue in self._lanes[Priority.URGENT].values():
            yield from queue

    def _take(self, entry: Entry) -> None:
        client = entry.request.client
        del self._entries[entry.request.key]
        self.changes += 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]
        if entry.front:
            self._front.remove(entry)
            return
        lane = self._lanes[entry.request.priority]
        _drop(lane[client], entry)
        if not lane[client]:
            del lane[client]

    def _next_turn(self, served: Entry) -> None:
        lane = self._lanes[served.request.priority]
        if not served.front and served.request.client in lane:
            lane.move_to_end(served.request.client)

    def _watch(self, entry: Entry, deadline: float) -> None:
        if len(self._deadlines) > SLACK + 2 * len(self._entries):
            # Those that started or were removed left their deadlines, and with them their prompts.
            self._deadlines = [d for d in self._deadlines if self._waits(d[2])]
            heapq.heapify(self._deadlines)
        self._pushes += 1
        heapq.heappush(self._deadlines, (deadline, self._pushes, entry))

    def _waits(self, entry: Entry) -> bool:
        return self._entries.get(entry.request.key) is entry


def _timely(entries: Iterable[Entry], now: float) -> Iterator[Entry]:
    return (entry for entry in entries if entry.deadline is None or entry.deadline >= now)


def _drop(queue: deque[Entry], entry: Entry) -> None:
    """Take one out; those at the ends, who go most often, without a search."""
    if queue[0] is entry:
        queue.popleft()
    elif queue[-1] is entry:
        queue.pop()
    else:
        queue.remove(entry)


def _turn(lane: OrderedDict[str, deque[Entry]], client: str, entry: Entry) -> int:
    """How many of this lane go first, when each client has one turn in each round."""
    queue = lane[client]
    rounds = len(queue) - 1 if queue[-1] is entry else queue.index(entry)
    if not rounds and next(reversed(lane)) == client:
        return len(lane) - 1
    return _ahead(lane, client, rounds)


def _ahead(lane: OrderedDict[str, deque[Entry]], client: str, rounds: int) -> int:
    """How many go first of a lane, if a client who is in it has had so many turns."""
    # Loops in C: beside a hundred clients one in Python took as long as all else about a newcomer.
    sizes = list(map(len, lane.values()))
    before = sizes[: list(lane).index(client)]
    fewer = [size for size in sizes if size < rounds]
    return sum(fewer) + rounds * (len(sizes) - len(fewer)) + sum(map(rounds.__lt__, before))
