"""The accepted requests without a reply, found by whatever somebody may name them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.serving.running import Job


class Jobs:
    """Finds each in the same time, however many there are.

    A broker may bring thousands once more after a reconnect, and whoever cancels names no client.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._by_id: dict[str, dict[str, Job]] = {}
        self._by_delivery: dict[str, dict[str, Job]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether one has this key."""
        return key in self._jobs

    def __getitem__(self, key: str) -> Job:
        """The one with this key; KeyError if there is none."""
        return self._jobs[key]

    def __iter__(self) -> Iterator[Job]:
        """All, the longest there first."""
        return iter(self._jobs.values())

    def add(self, job: Job) -> None:
        """Take one in; it may be there already, as one that ran and is to wait again."""
        self._jobs[job.request.key] = job
        for book, name in self._books(job):
            book.setdefault(name, {})[job.request.key] = job

    def remove(self, job: Job) -> None:
        """Let go of one; KeyError if it is not there."""
        key = job.request.key
        del self._jobs[key]
        for book, name in self._books(job):
            del book[name][key]
            if not book[name]:
                del book[name]

    def named(self, id_: str) -> list[Job]:
        """Those of this id, whoever asked; the longest there first."""
        return list(self._by_id.get(id_, {}).values())

    def delivered(self, fingerprint: str) -> bool:
        """Whether one came by this delivery."""
        return fingerprint in self._by_delivery

    def _books(self, job: Job) -> Iterator[tuple[dict[str, dict[str, Job]], str]]:
        yield self._by_id, job.request.id
        if job.fingerprint is not None:
            yield self._by_delivery, job.fingerprint
