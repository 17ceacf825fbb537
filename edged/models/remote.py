"""The header of a model file that is on a hub, without the file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from edged.errors import ModelError
from edged.models.cursor import MAX_HEADER_BYTES
from edged.models.fetching import Facts, FetchError, fail, other_source_may_help
from edged.models.gguf import BadHeader, Header, NeedMore, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edged.models.address import Source
    from edged.models.hub import Hub
    from edged.models.variants import Variant

# A vocabulary of 150,000 tokens with its merges takes 6 MiB, one of 32,000 below 1 MiB: one request
# for small models and two or three for large ones, each at least twice as far as the one before.
FIRST_BYTES = 2 << 20


class RemoteHeader(msgspec.Struct, frozen=True):
    """A header and what the server says of its file.

    Attributes:
        header: What the file says about itself.
        facts: Size, sha256 and state of the repository.
        read: Bytes that were downloaded for it.
    """

    header: Header
    facts: Facts
    read: int


async def remote_header(
    hub: Hub, variant: Variant, pace: Callable[[int], Awaitable[None]] | None = None
) -> RemoteHeader:
    """The header of a variant, from the first source that has it.

    Args:
        hub: An open one.
        variant: With a repo or an address.
        pace: Called with the bytes of each piece that came; waits before the next one is read.

    Raises:
        FetchError: No source gives it.
        ModelError: The header breaks a rule, so the file is not worth a download.
    """
    fault: FetchError | None = None
    for source in hub.sources(variant):
        try:
            return await _from(hub, source, variant.file, pace or _at_once)
        except FetchError as error:
            fault = fault or error
            if not other_source_may_help(error.code):
                break
    assert fault is not None  # noqa: S101 - there is a source, or `sources` had raised
    raise fault


async def _at_once(_: int) -> None:
    """No cap."""


async def _from(
    hub: Hub, source: Source, file: str, pace: Callable[[int], Awaitable[None]]
) -> RemoteHeader:
    data = bytearray()
    wanted = FIRST_BYTES
    facts: Facts | None = None
    while True:
        async with hub.open(source, len(data), wanted) as answer:
            if facts not in {None, answer.facts}:
                fail("changed", f"{source.host} has changed {file} meanwhile")
            facts = answer.facts
            if answer.start != len(data):  # the server knows no ranges
                data.clear()
            async for chunk in answer.chunks(min(wanted, facts.bytes) - len(data)):
                data += chunk
                await pace(len(chunk))
        # up to 32 MiB take up to 0.2 s, too long for a loop that answers others
        found = await asyncio.to_thread(read, data, facts.bytes)
        if isinstance(found, Header):
            return RemoteHeader(found, facts, len(data))
        wanted = _next(found, len(data), file)


def _next(found: BadHeader | NeedMore, have: int, file: str) -> int:
    if isinstance(found, BadHeader):
        message = f"{file}: {found.reason}"
        raise ModelError(message)
    return max(found.bytes, min(2 * have, MAX_HEADER_BYTES))
