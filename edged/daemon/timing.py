"""Times what serves: reading and decoding at an empty context, then decoding behind a long one."""

from __future__ import annotations

from statistics import median_high
from typing import TYPE_CHECKING, NamedTuple

from edged.daemon.model import kind_loaded
from edged.engine import frames
from edged.models.figures import Measurement
from edged.models.tuning import curve, rate

if TYPE_CHECKING:
    from edged.daemon.model import Model
    from edged.engine.supervisor import Supervisor

KEY = frames.MEASURE + "serving"
PP, TG, REPEAT = 512, 128, 3  # llama-bench's own pp512 and tg128
# Where types of cache differ and where answers of a house with a long system prompt are written.
DEPTH, DEEP_TG = 2048, 32
TRIES = 8  # what failed so often waits for the next look; interruptions by requests do not count


class Tokens(NamedTuple):
    """How many are timed in a context.

    Attributes:
        pp: Read.
        tg: Decoded.
        depth: In the context before others are decoded.
        deep_tg: Decoded there.
    """

    pp: int
    tg: int
    depth: int
    deep_tg: int


class Timing:
    """A measurement of what serves, in two errands of the child; what the first finds is kept.

    Args:
        engine: Of the child.

    Attributes:
        busy: The child is at it.
        tries: That failed since the child came up or the last look.
    """

    def __init__(self, engine: Supervisor) -> None:
        self._engine = engine
        self._shallow: frames.Measured | None = None
        self.busy = False
        self.tries = 0

    @property
    def given_up(self) -> bool:
        """Whether it failed too often."""
        return self.tries >= TRIES

    @property
    def halfway(self) -> bool:
        """Whether decoding behind a long context is yet to be timed."""
        return self._shallow is not None

    def renew(self) -> None:
        """Another child, or the same one that is to be timed from the beginning."""
        self._shallow, self.busy, self.tries = None, False, 0

    def begin(self, model: Model) -> None:
        """Have the next part timed."""
        self.busy = True
        tokens = tokens_of(model)
        ask = frames.Measure(key=KEY, pp=tokens.pp, tg=tokens.tg, repeat=REPEAT)
        if self.halfway:
            ask = frames.Measure(key=KEY, depth=tokens.depth, tg=tokens.deep_tg, repeat=REPEAT)
        self._engine.measure(ask)

    def failed(self, code: str) -> None:
        """The child could not, or a request came."""
        self.busy = False
        self.tries += code != "interrupted"

    def take(
        self, frame: frames.Measured, model: Model, board: str, wall: float
    ) -> Measurement | None:
        """What is known now, without depths at first; None if the child timed nothing.

        Args:
            frame: Times of one part.
            model: What was timed.
            board: Fingerprint of board and engine.
            wall: Seconds since 1970.
        """
        self.busy = False
        shallow = self._shallow
        if not frame.tg_ms or not (shallow or frame.pp_ms):
            self.tries += 1
            return None
        self._shallow = frame if shallow is None else None
        deep = None if shallow is None else frame
        return _measurement(shallow or frame, deep, model, board, wall)


def tokens_of(model: Model) -> Tokens:
    """How many tokens are timed in the context that a model is given."""
    room = model.view.context
    deep_tg = max(1, min(DEEP_TG, room // 2))
    return Tokens(min(PP, room), min(TG, room), max(1, min(DEPTH, room - deep_tg)), deep_tg)


def _measurement(
    frame: frames.Measured, deep: frames.Measured | None, model: Model, board: str, wall: float
) -> Measurement:
    """Times as rates: the median, and the standard error of the decode rate."""
    tokens = tokens_of(model)
    decode = rate(tokens.tg, frame.tg_ms)
    # The first reading pays for what is made once.
    readings = [tokens.pp / ms * 1e3 for ms in frame.pp_ms[1:] or frame.pp_ms]
    depths = () if deep is None else ((tokens.depth, rate(tokens.deep_tg, deep.tg_ms).tps),)
    return Measurement(
        digest=model.fingerprint.digest,
        board=board,
        tps=decode.tps,
        error=decode.error,
        pp=median_high(readings),
        depths=curve(decode.tps, depths),
        threads=model.load.threads,
        threads_batch=model.load.threads_batch,
        repack=model.load.repack,
        kv_type=kind_loaded(model.load),
        context=model.view.context,
        wall=wall,
    )
