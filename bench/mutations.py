"""Headers of GGUF files, changed by chance in the ways that have broken readers of them.

Invariant: whatever the bytes and the claimed size of the file, `edged.models.gguf.read` returns a
Header, a BadHeader or a NeedMore that keeps its promises; it raises nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from edged.models.cursor import MAX_HEADER_BYTES
from edged.models.gguf import BadHeader, NeedMore, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Outcome = Literal["header", "bad", "more"]
# Around the edges of every width, where sums and products wrap.
NUMBERS: Final = tuple(
    sorted(
        {0, 1, 2, 3, 4, 8, 9, 13, 31, 32, 33, 255, 256, 512, 513, 4096, 16_384, 1 << 20}
        | {(1 << power) + step for power in (16, 31, 32, 53, 61, 63, 64) for step in (-32, -1, 0)}
    )
)
MOST_CHANGES: Final = 4
LONGEST_PIECE: Final = 64
_MOST_U64: Final = (1 << 64) - 1


class Input(NamedTuple):
    """What the reader is given.

    Attributes:
        data: First bytes of a file.
        size: What the file is said to have.
    """

    data: bytes
    size: int


def mutate(random: Random, seeds: Sequence[Input]) -> Input:
    """One changed header.

    Args:
        random: Decides all; the same state gives the same input.
        seeds: Headers of sound files, at least one.
    """
    seed = random.choice(seeds)
    data = bytearray(seed.data)
    others = [each.data for each in seeds]
    for _ in range(random.randint(1, MOST_CHANGES)):
        random.choice(CHANGES)(random, data, others)
    return Input(bytes(data), _size(random, len(data), seed.size))


def judge(given: Input) -> Outcome:
    """Read it.

    Raises:
        AssertionError: An answer breaks its promise.
        Exception: The reader raised it: a mistake of the reader.
    """
    found = read(given.data, given.size)
    if isinstance(found, BadHeader):
        _promise(
            found.reason.isprintable() and bool(found.reason), "a reason is one printable line"
        )
        return "bad"
    if isinstance(found, NeedMore):
        least = min(len(given.data), given.size)
        most = min(given.size, MAX_HEADER_BYTES)
        _promise(least < found.bytes <= most, "more is wanted than there is")
        return "more"
    last = found.tensors[-1]
    end = found.data_offset + last.offset + last.nbytes
    _promise(end <= given.size, "a tensor ends behind the file")
    _promise(len(found.tensors) == len({tensor.name for tensor in found.tensors}), "a name twice")
    _promise(found.data_offset <= MAX_HEADER_BYTES + (1 << 20), "the header is too long")
    return "header"


def _promise(kept: bool, what: str) -> None:  # noqa: FBT001 - a condition
    if not kept:
        raise AssertionError(what)


def _size(random: Random, now: int, whole: int) -> int:
    """Mostly the truth; else a file that is cut, still growing, or a lie."""
    return random.choice(
        (whole, whole, whole, now, now + random.randint(0, 1 << 20), 1 << 40, now // 2, -1)
    )


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _number(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A number of an edge, over four or eight bytes anywhere, or over a count at the start."""
    form, width = random.choice((("<I", 4), ("<Q", 8)))
    value = random.choice(NUMBERS) & (_MOST_U64 >> (64 - 8 * width))
    place = random.choice((4, 8, 16, random.randrange(len(data) + 1)))
    data[place : place + width] = struct.pack(form, value)


def _length(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A small number over what looks like a length: seven bytes of zero behind one that is not."""
    place = data.find(bytes(7), random.randrange(len(data) + 1))
    if place > 0:
        data[place - 1 : place + 7] = struct.pack("<Q", random.choice(NUMBERS) & _MOST_U64)


def _kind(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Another value or tensor type over what looks like one."""
    place = data.find(bytes(3), random.randrange(len(data) + 1))
    if place > 0:
        data[place - 1] = random.randrange(45)


def _remove(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = random.randrange(len(data) + 1)
    del data[place : place + random.randint(1, LONGEST_PIECE)]


def _insert(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = random.randrange(len(data) + 1)
    data[place:place] = random.randbytes(random.randint(1, LONGEST_PIECE))


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = random.randrange(len(data) + 1)
    data[place:place] = data[place : place + random.randint(1, LONGEST_PIECE)]


def _move(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place, target = random.randrange(len(data) + 1), random.randrange(len(data) + 1)
    piece = data[place : place + random.randint(1, LONGEST_PIECE)]
    data[target : target + len(piece)] = piece


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[random.randrange(len(data) + 1) :]


def _splice(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The end of another file behind the beginning of this one."""
    other = random.choice(seeds)
    place = random.randrange(len(data) + 1)
    data[place:] = other[min(place, len(other)) :]


CHANGES: Final[tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...]] = (
    _flip,
    _byte,
    _number,
    _number,
    _length,
    _kind,
    _remove,
    _insert,
    _repeat,
    _move,
    _cut,
    _splice,
)
