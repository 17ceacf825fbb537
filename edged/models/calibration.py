"""How fast a board computes each type of weights: what calibrating it found."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from edged.models.blocks import SIZES
from edged.models.figures import KvType  # noqa: TC001 - msgspec resolves it

VERSION = 4  # raise it when trials or their meaning change, so that old figures are not taken
MAX_RATES = 1024  # 20 types, two uses, repacked or not, some numbers of threads
MAX_BYTES = 1 << 20  # of the file
Seconds = Annotated[float, Meta(ge=0, le=1e3)]
Threads = Annotated[int, Meta(ge=1, le=64)]
Use = Literal["dense", "experts"]


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds of a token.

    Attributes:
        decode: One after the other.
        prefill: Of a batch, its time shared out.
    """

    decode: Seconds
    prefill: Seconds


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What weights of a type cost.

    Attributes:
        kind: The type.
        use: In a matrix that every token passes, or in experts that some tokens choose.
        repacked: Whether they are rearranged for the CPU.
        threads: So many compute.
        byte: Of each byte of weights that the token passes.
    """

    kind: Annotated[str, Meta(max_length=16)]
    use: Use
    repacked: bool
    threads: Threads
    byte: Cost


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token costs besides its weights.

    Attributes:
        threads: So many compute.
        token: Once.
        block: Of each block: barriers, whatever its width.
        number: Of each number that a matrix gives: its row, norms, positions, quantising.
        head: Of each query head of a block.
        experts: Of each block with experts, besides: choosing among them.
        routed: Of each number that a chosen expert gives.
    """

    threads: Threads
    token: Cost
    block: Cost
    number: Cost
    head: Cost
    experts: Cost
    routed: Cost


class Slope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What attention costs.

    Attributes:
        kv_type: Of the cached keys and values.
        threads: So many compute.
        number: Of each number of a query head's key and value, for each token of context.
    """

    kv_type: KvType
    threads: Threads
    number: Cost


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        board: `DeviceFacts.fingerprint` of the board and engine.
        version: VERSION when it was made.
        rates: Of each type that was tried.
        bases: For each number of threads.
        slopes: Of attention.
        spread: Relative scatter of repeated measurements, 0 to 1.
        seconds: That it took.
        wall: Seconds since 1970.
    """

    board: Annotated[str, Meta(max_length=64)]
    version: int = VERSION
    rates: Annotated[tuple[Rate, ...], Meta(max_length=MAX_RATES)]
    bases: Annotated[tuple[Base, ...], Meta(max_length=64, min_length=1)]
    slopes: Annotated[tuple[Slope, ...], Meta(max_length=128)] = ()
    spread: Annotated[float, Meta(ge=0, le=1)] = 0.0
    seconds: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    wall: Annotated[float, Meta(ge=0, le=1e12)] = 0.0


class Known(NamedTuple):
    """The cost of a byte, and whether it was measured for that very type."""

    byte: Cost
    exact: bool


def threads_of(calibration: Calibration) -> tuple[int, ...]:
    """The numbers of threads it was made with, ascending."""
    return tuple(sorted({base.threads for base in calibration.bases}))


def base_of(calibration: Calibration, threads: int) -> Base:
    """For the number of threads that comes next to the one asked for."""
    return min(calibration.bases, key=lambda base: abs(base.threads - threads))


def rate_of(
    calibration: Calibration, kind: str, use: Use, threads: int, *, repacked: bool
) -> Known:
    """What a byte of a type costs.

    A type that was not tried is taken for the one with the next number of bits; a use or an
    arrangement that was not, for the other one.

    Args:
        calibration: Of this board.
        kind: Name of a ggml type.
        use: Of the weights.
        threads: The next number that was tried counts.
        repacked: Whether the weights are rearranged.
    """
    count = base_of(calibration, threads).threads
    here = [rate for rate in calibration.rates if rate.threads == count]
    if not here:
        return Known(Cost(0.0, 0.0), exact=False)
    best = min(
        here,
        key=lambda rate: (
            abs(_bits(rate.kind) - _bits(kind)) if rate.kind != kind else -1.0,
            rate.use != use,
            rate.repacked != repacked,
        ),
    )
    exact = (best.kind, best.use) == (kind, use)
    if best.kind == kind:
        return Known(best.byte, exact)
    # A byte of wider weights holds fewer of them: what is alike is the cost of a weight.
    ratio = _bits(best.kind) / _bits(kind)
    return Known(Cost(best.byte.decode * ratio, best.byte.prefill * ratio), exact=False)


def slope_of(calibration: Calibration, kv_type: str, threads: int) -> Cost:
    """What attention costs of a number; nothing if it was not tried."""
    found = [slope for slope in calibration.slopes if slope.kv_type == kv_type]
    found = found or list(calibration.slopes)
    if not found:
        return Cost(0.0, 0.0)
    return min(found, key=lambda slope: abs(slope.threads - threads)).number


def decode(data: bytes, board: str) -> Calibration | None:
    """A calibration from its file, or None if it is another board's, older, or no such thing."""
    try:
        found = msgspec.json.decode(data, type=Calibration)
    except msgspec.DecodeError:
        return None
    return found if (found.board, found.version) == (board, VERSION) else None


def encode(calibration: Calibration) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(calibration), indent=1)


def _bits(kind: str) -> float:
    block, size = SIZES[kind]
    return 8 * size / block
