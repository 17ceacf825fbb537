"""Expected speed of a file known only by its header, on a board that was calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edged.models.calibration import Cost, base_of, rate_of, slope_of, threads_of
from edged.models.figures import Prediction, kind_of
from edged.models.repacking import EMBEDDING, OUTPUT, is_repacked, repackable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.models.calibration import Calibration, Use
    from edged.models.fit import Setup
    from edged.models.gguf import Header

# Full-depth models that no calibration saw were off by 6 to 14 % on average and 13 to 19 % at worst
# (two cores of virtual machines): the band is wider than that, and more where a calibration
# scattered or a type was not tried.
BAND = 0.20
UNTRIED_BAND = 0.40  # types of one size differ up to twofold
BATCH = 512  # prompt tokens of `pp`
RECURRENT_BAND = 0.15  # scans of states are not tried
MOST_BAND = 0.9  # so that the lower end stays above zero
_SLOWEST_S = 1e-9  # a token that takes no time is no infinite speed


class Part(NamedTuple):
    """Weights that a token passes.

    Attributes:
        kind: Their type.
        use: Of them.
        repacked: Whether they are rearranged.
        nbytes: That one token passes.
        numbers: That they give.
        last: Only the last token of a prompt does.
    """

    kind: str
    use: Use
    repacked: bool
    nbytes: float
    numbers: int
    last: bool = False


def predict(header: Header, calibration: Calibration, setup: Setup) -> Prediction:
    """The speed that a file should reach.

    Decode and prefill each take the number of threads with which they are fastest, at most
    `setup.threads`.

    Args:
        header: Of the file; no byte of its weights is needed.
        calibration: Of this board and engine.
        setup: Decides on cache type and rearranging, and on the CPU's features.
    """
    passed = list(parts(header, setup))
    tried = [count for count in threads_of(calibration) if count <= setup.threads]
    counts = tried or list(threads_of(calibration)[:1])
    costs = {count: _cost(header, calibration, passed, count) for count in counts}
    threads = min(counts, key=lambda count: costs[count].decode)
    batch = min(counts, key=lambda count: costs[count].prefill)
    numbers = attended(header)
    kind = kind_of(setup.kv_type, flash=setup.flash_attention)
    slope = slope_of(calibration, kind, threads).decode * numbers
    # Half of a prompt stands before the middle one of its tokens.
    reading = slope_of(calibration, kind, batch).prefill * numbers * BATCH / 2
    tps = 1 / max(_SLOWEST_S, costs[threads].decode)
    band = _band(header, calibration, passed, threads)
    return Prediction(
        tps=tps,
        low=tps * (1 - band),
        high=tps * (1 + band),
        pp=1 / max(_SLOWEST_S, costs[batch].prefill + reading),
        slope=slope,
        threads=threads,
        threads_batch=batch,
        repack=setup.repack,
    )


def parts(header: Header, setup: Setup) -> Iterator[Part]:
    """What a token passes of each tensor: of experts the used ones, of the embedding one row.

    Of a prompt only the last token passes the output and the last block's feed-forward: llama.cpp
    computes no row there that nobody asks for.
    """
    model = header.geometry
    share = model.expert_used_count / model.expert_count if model.expert_count else 1.0
    named = {tensor.name for tensor in header.tensors}
    end = (OUTPUT, f"blk.{model.block_count - 1}.ffn_")
    for tensor in header.tensors:
        repacked = setup.repack and is_repacked(tensor, setup.features)
        numbers = tensor.dims[1] if len(tensor.dims) > 1 else 0
        last = tensor.name.startswith(end)
        if tensor.name == EMBEDDING:
            if OUTPUT not in named:  # the embedding is the output too, in a copy of its own
                again = setup.repack and repackable(tensor.type, tensor.dims[1], setup.features)
                yield Part(tensor.type, "dense", again, tensor.nbytes, 0, last=True)
        elif "_exps" in tensor.name:
            passed, used = tensor.nbytes * share, numbers * model.expert_used_count
            yield Part(tensor.type, "experts", repacked, passed, used, last)
        elif len(tensor.dims) > 1:
            inner = 0 if tensor.name == OUTPUT or "_inp." in tensor.name else numbers
            yield Part(tensor.type, "dense", repacked, tensor.nbytes, inner, last)


def attended(header: Header) -> int:
    """Numbers of keys and values that a decoded token reads for each token of context.

    Each query head reads them: heads that share them find them in the cache, but compute anew.
    """
    return _heads(header) * (header.geometry.key_length + header.geometry.value_length)


def _heads(header: Header) -> int:
    """Query heads of all blocks that have attention."""
    model = header.geometry
    pairs = zip(model.head_counts, model.head_counts_kv, strict=True)
    return sum(heads for heads, cached in pairs if cached)


def _cost(header: Header, calibration: Calibration, passed: list[Part], threads: int) -> Cost:
    base = base_of(calibration, threads)
    chosen = sum(tensor.name.endswith("ffn_down_exps.weight") for tensor in header.tensors)
    costs = [
        (base.token, 1.0, 1.0),
        (base.block, header.geometry.block_count, header.geometry.block_count),
        (base.head, _heads(header), _heads(header)),
        (base.experts, chosen, max(0, chosen - 1)),
    ]
    for part in passed:
        byte = rate_of(calibration, part.kind, part.use, threads, repacked=part.repacked).byte
        number = base.routed if part.use == "experts" else base.number
        # One token of a batch passes it as if it were decoded.
        if part.last:
            byte, number = (Cost(each.decode, each.decode / BATCH) for each in (byte, number))
        costs += [(byte, part.nbytes, part.nbytes), (number, part.numbers, part.numbers)]
    return Cost(
        sum(cost.decode * amount for cost, amount, _ in costs),
        sum(cost.prefill * amount for cost, _, amount in costs),
    )


def _band(header: Header, calibration: Calibration, passed: list[Part], threads: int) -> float:
    """Half of the relative width: by how much of the time types were taken that were not tried."""
    total = untried = 0.0
    for part in passed:
        known = rate_of(calibration, part.kind, part.use, threads, repacked=part.repacked)
        total += part.nbytes * known.byte.decode
        untried += 0.0 if known.exact else part.nbytes * known.byte.decode
    share = untried / total if total else 1.0
    recurrent = RECURRENT_BAND if header.geometry.state_width else 0.0
    return min(MOST_BAND, BAND + calibration.spread + share * UNTRIED_BAND + recurrent)
