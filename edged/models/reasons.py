"""Why a candidate was kept or dropped, each rule with its numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edged.models import speeds
from edged.models.fit import GIB, MIB, Budget, Fit
from edged.models.ranks import rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.models.candidates import Candidate, Rule
    from edged.models.speeds import Speed
    from edged.models.variants import Variant

GB = 10**9
# Of the disk, besides the file: a ledger and a journal that cannot be written hurt more than a
# smaller model.
DISK_RESERVE = 512 * MIB
_LIMITS = {"memory": "memory", "cgroup": "the control group's limit", "cap": "model.memory_mib"}


class Terms(NamedTuple):
    """What a choice is held to.

    Attributes:
        budget: Memory that there is.
        target: tok/s; 0 is met by all.
        board: As catalogues call it, see `speeds.board_kind`.
        context: Tokens for which memory was reckoned.
        free_bytes: Room to fetch a file; None is unknown and not asked.
    """

    budget: Budget
    target: float
    board: str | None = None
    context: int = 2048
    free_bytes: int | None = None


class Weighed(NamedTuple):
    """A candidate with what was found about it.

    Attributes:
        candidate: Who.
        speeds: All that is known, what to go by first to last.
        speed: To go by; None is unknown.
        meets: Whether that is the target.
        rank: See `edged.models.ranks`.
        dropped: Why it may not serve, whatever its speed.
    """

    candidate: Candidate
    speeds: tuple[Speed, ...]
    speed: Speed | None
    meets: bool
    rank: tuple[float, float]
    dropped: tuple[Rule, str] | None

    @property
    def id(self) -> str:
        """Of its variant."""
        return self.candidate.variant.id

    @property
    def family(self) -> str:
        """The id of its family."""
        return self.candidate.family.id

    @property
    def tps(self) -> float:
        """tok/s; 0 if unknown."""
        return 0.0 if self.speed is None else self.speed.tps


def weigh(
    candidate: Candidate, terms: Terms, timed: Sequence[tuple[Variant, Speed]] = ()
) -> Weighed:
    """What there is to say of one candidate, before it is compared.

    Args:
        candidate: Who.
        terms: What it is held to.
        timed: Files that were measured here, and how fast they were.
    """
    measured = speeds.measured(candidate.measurements)
    family = candidate.family.id
    siblings = [each for each in timed if each[0].family == family]
    found = (
        measured,
        speeds.predicted(candidate.prediction),
        speeds.scaled(candidate.variant, siblings) if measured is None else None,
        speeds.published(candidate.variant, candidate.family, terms.board),
    )
    known = tuple(each for each in found if each is not None)
    speed = speeds.best(known, terms.target)
    return Weighed(
        candidate=candidate,
        speeds=known,
        speed=speed,
        meets=terms.target <= 0 or (speed is not None and speed.meets(terms.target)),
        rank=rank(candidate.variant, candidate.family),
        dropped=_unfit(candidate) or _too_large(candidate, terms),
    )


def _unfit(candidate: Candidate) -> tuple[Rule, str] | None:
    if candidate.quarantined is not None:
        return "quarantined", f"quarantined: {candidate.quarantined}"
    if candidate.family.fallback:
        return "fallback", "serves when nothing else can"
    if candidate.variant.kind == "IQ":
        return "kind", "i-quants are made for GPUs; a CPU unpacks them through tables, slowly"
    if candidate.need is None:
        return "memory", "nobody says how large it is"
    return None


def _too_large(candidate: Candidate, terms: Terms) -> tuple[Rule, str] | None:
    need, have = candidate.need, terms.budget
    if need is not None and not Fit(need=need, budget=have).ok:
        return "memory", f"needs {gib(need.total)}, and {leaves(have)}"
    size, free = candidate.variant.bytes or 0, terms.free_bytes
    if not candidate.on_disk and free is not None and size + DISK_RESERVE > free:
        return "disk", f"takes {size / GB:.1f} GB of disk, and {free / GB:.1f} GB are free"
    return None


def compare(one: Weighed, chosen: Weighed, target: float) -> tuple[Rule, str]:
    """Why one that may serve is the chosen one, or is not."""
    if one is chosen:
        return "chosen", _praise(one, target)
    if one.meets and one.family != chosen.family:
        return "order", f"{chosen.id} is of a family that comes before"
    if one.meets:
        return "quality", _worse(one, chosen)
    if one.speed is None:
        return "unknown", "nobody knows its speed on this board"
    return "slow", f"{rate(one.speed)}, and {target:g} are wanted"


def rate(speed: Speed) -> str:
    """A speed as a reason tells it."""
    hot = ", hot" if speed.hot else ""
    return f"{speed.tps:.2f} tok/s ({speed.source}{hot})"


def gib(size: int) -> str:
    """Bytes as people compare them."""
    return f"{size / GIB:.1f} GiB"


def leaves(budget: Budget) -> str:
    """What there is of memory, and which limit says so."""
    reserve = f" after {gib(budget.reserve)} for the house" if budget.reserve else ""
    return f"{_LIMITS.get(budget.limit, budget.limit)} leaves {gib(budget.have)}{reserve}"


def _praise(one: Weighed, target: float) -> str:
    if one.speed is None:
        return "it fits, and nobody knows how fast it is"
    if not one.meets:
        return f"{rate(one.speed)}: none meets {target:g}, and this is the fastest that fits"
    return f"{rate(one.speed)} meets {target:g}, and no better file of its family does"


def _worse(one: Weighed, chosen: Weighed) -> str:
    ours, best = one.candidate.variant, chosen.candidate.variant
    if ours.quality is not None and best.quality is not None:
        return f"{ours.quality.percent:g} % is under the {best.quality.percent:g} % of {best.id}"
    bits = f"{one.rank[1]:.2f} bits per weight against {chosen.rank[1]:.2f}"
    return f"lower quality than {best.id}, inferred from {bits}"
