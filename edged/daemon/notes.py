"""What happened, for the journal, the meter and the list of problems; never a prompt or answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.engine.backend import lack
from edged.errors import StorageError
from edged.models import progress
from edged.serving.request import KEY_SEPARATOR
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields
from edged.telemetry.meter import Outcome
from edged.thermal.sensor import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edged.engine.events import EngineDied, EngineUp
    from edged.engine.orders import GivenUp, Known
    from edged.health import Health
    from edged.mqtt.packet import Disconnected
    from edged.serving.effects import Finished, Noted
    from edged.telemetry.journal import Journal
    from edged.telemetry.meter import Meter
    from edged.telemetry.state import HeatView
    from edged.thermal.sensor import NoReading

REQUEST_KINDS = {"rejected": kinds.REQUEST_REJECTED, "failed": kinds.REQUEST_FAILED}
THROTTLE_KINDS = {
    "none": kinds.COOL,
    "paced": kinds.PACED,
    "soft": kinds.FIRMWARE_THROTTLES,
    "capped": kinds.FIRMWARE_THROTTLES,
    "undervoltage": kinds.UNDERVOLTAGE,
}
FIRMWARE_PROBLEMS = {"undervoltage", "firmware_throttles"}
# By the codes of edged.mqtt.failure; all others are a broker that cannot be reached.
BROKER_PROBLEMS = {
    "tls_certificate": "broker_untrusted",
    "tls_not_yet_valid": "broker_untrusted",
    "bad_credentials": "broker_refused",
    "not_authorised": "broker_refused",
    "banned": "broker_refused",
    "client_id_rejected": "broker_refused",
    "refused": "broker_refused",
}


class Notes:
    """Turns events of every room into journal lines, counts and problems.

    Args:
        journal: Where lines go.
        meter: Where tokens are counted.
        health: Where problems are kept.
        sense: Reads the processor's temperature.
    """

    def __init__(
        self,
        journal: Journal,
        meter: Meter,
        health: Health,
        sense: Callable[[], Reading | NoReading],
    ) -> None:
        self._journal = journal
        self._meter = meter
        self._health = health
        self._sense = sense

    def finished(self, effect: Finished, now: float) -> None:
        """One line and one count for each terminal outcome."""
        usage, timings = effect.usage, effect.timings
        rate = None if timings is None else timings.prompt_per_second
        read = 0 if usage is None else usage.prompt_tokens - usage.cached_tokens
        outcome = Outcome(
            status=effect.status,
            ran=usage is not None,
            key=f"{effect.client}{KEY_SEPARATOR}{effect.id}",
            prompt_tokens=0 if usage is None else usage.prompt_tokens,
            cached_tokens=0 if usage is None else usage.cached_tokens,
            completion_tokens=0 if usage is None else usage.completion_tokens,
            prompt_ms=read * 1000 / rate if rate else None,
            ttft_ms=None if timings is None else timings.ttft_ms,
        )
        self._meter.finished(outcome, now)
        kind = REQUEST_KINDS.get(effect.status, kinds.REQUEST_FINISHED)
        reading = self._sense()
        temp_c = reading.celsius if isinstance(reading, Reading) else None
        self._journal.write(kind, _request_fields(effect, temp_c))

    def noted(self, effect: Noted, now: float) -> None:
        """Something that changed nothing."""
        del now
        self._journal.write(kinds.NOTED, Fields(code=effect.code, reason=effect.text))

    def pressed(self, *, paused: bool) -> None:
        """Somebody pressed the panel's button."""
        reason = "paused" if paused else "resumed"
        self._journal.write(kinds.BUTTON_PRESSED, Fields(reason=reason))

    def dropped(self, what: str) -> None:
        """The inbox is full of what may be lost."""
        self._journal.write(kinds.NOTED, Fields(code="inbox_full", reason=f"{what} dropped"))

    def retained(self, topic: str) -> None:
        """A retained request or command was passed over."""
        self._journal.write(kinds.RETAINED_IGNORED, Fields(topic=topic))

    def field_too_large(self, topic: str, size: int, most: int, now: float) -> None:
        """A topic that a field reads has more bytes than are taken."""
        reason = f"{topic} has {size} bytes, at most {most} are read"
        self._health.raise_("field_too_large", now, reason)
        self._journal.write(kinds.FIELD_IGNORED, Fields(topic=topic, reason=reason))

    def fields_fit(self) -> None:
        """No topic that a field reads is too large any more."""
        self._health.clear("field_too_large")

    def fields_unknown(self, persona: str, names: Iterable[str]) -> None:
        """Fields of a persona had no value when a request of it began."""
        reason = f"no value for {', '.join(names)}"
        self._journal.write(kinds.NOTED, Fields(persona=persona, reason=reason))

    def engine_up(self, event: EngineUp, variant: str) -> None:
        """The child answers."""
        self._health.clear("engine_down")
        self._health.clear("engine_fatal")
        ready = event.ready
        told = "; ".join(filter(None, (ready.warning, lack(ready.system_info))))
        fields = Fields(
            variant=variant,
            load_ms=ready.load_ms,
            backend=ready.backend or None,
            reason=told or None,
        )
        self._journal.write(kinds.ENGINE_READY, fields)

    def engine_died(self, event: EngineDied, now: float) -> None:
        """The child is gone."""
        self._meter.halted(now)
        fatal = event.retry_in is None
        # The message may be the child's last words, which native code writes: debug has them all.
        fields = Fields(
            reason=f"{event.reason} during {event.during}",
            signal=event.signal,
            exit_code=event.code,
            retry_s=event.retry_in,
        )
        self._journal.write(kinds.ENGINE_FATAL if fatal else kinds.ENGINE_DIED, fields)
        self._health.raise_("engine_fatal" if fatal else "engine_down", now, event.reason)

    def engine_says(self, level: int, line: str) -> None:
        """A line of the child's standard error, with a level of the logging module."""
        self._journal.write(kinds.ENGINE_STDERR, Fields(code=str(level), reason=line))

    def model_bad(self, reason: str, now: float, *, missing: bool) -> None:
        """The model file cannot be used; the daemon stays up and says so."""
        self._journal.write(kinds.MODEL_BAD, Fields(reason=reason))
        self._health.raise_("model_missing" if missing else "model_bad", now, reason)

    def chosen(self, variant: str | None, sentence: str) -> None:
        """The best variant on this disk, and why."""
        self._journal.write(kinds.MODEL_CHOSEN, Fields(variant=variant, reason=sentence))

    def stepped(self, variant: str, move: str, rate: float | None) -> None:
        """Heat or load made another variant hold the target, or no longer does."""
        said = "" if rate is None else f", the last minute had {rate:.2f} tok/s"
        self._journal.write(
            kinds.MODEL_CHOSEN, Fields(variant=variant, reason=f"step {move}{said}")
        )

    def fetch_step(self, event: progress.Progress | progress.Pinned | progress.Evicted) -> None:
        """How a download goes."""
        name, reason = fetch_line(event)
        self._journal.write(kinds.MODEL_FETCHING, Fields(variant=name, reason=reason))

    def header(self, said: str) -> None:
        """What came of asking a hub for the header of a file."""
        self._journal.write(kinds.MODEL_FETCHING, Fields(code="header", reason=said))

    def fetched(self, event: progress.Fetched | progress.FetchFailed, now: float) -> None:
        """A download came to its end, or an attempt did."""
        if isinstance(event, progress.Fetched):
            self._health.clear("download_failed")
            reason = f"{event.bytes} bytes, sha256 {event.sha256}"
            self._journal.write(kinds.MODEL_FETCHED, Fields(variant=event.variant, reason=reason))
            return
        self._health.raise_("download_failed", now, f"{event.variant}: {event.reason}")
        self._journal.write(
            kinds.MODEL_FETCH_FAILED,
            Fields(
                variant=event.variant,
                code=event.code,
                reason=event.reason,
                retry_s=event.retry_in,
            ),
        )

    def throttle(self, view: HeatView) -> None:
        """What slows us is another thing than before, or nothing any more."""
        self._journal.write(
            THROTTLE_KINDS[view.throttle],
            Fields(
                code=view.throttle,
                throttle=view.throttle,
                temp_c=view.temp_c,
                clock_mhz=view.clock_mhz,
                pace_tps=view.pace_tps,
                threads=view.threads,
                cooldown_eta_s=view.cooldown_eta_s,
            ),
        )

    def heat_problem(self, code: str, detail: str | None, now: float) -> None:
        """What is wrong with heat, supply or sensors; None: it is well."""
        told = code not in FIRMWARE_PROBLEMS  # of those `throttle` tells
        if detail is None:
            if self._health.clear(code) and told:
                self._journal.write(kinds.PROBLEM_CLEARED, Fields(code=code))
        elif self._health.raise_(code, now, detail) and told:
            self._journal.write(kinds.PROBLEM_RAISED, Fields(code=code, reason=detail))

    def house_not_kept(self, error: Exception) -> None:
        """What was announced to Home Assistant could not be written down."""
        reason = str(error) if isinstance(error, StorageError) else type(error).__name__
        self._journal.write(kinds.NOTED, Fields(code="announced_not_kept", reason=reason))

    def mistake(self, where: str, error: Exception) -> None:
        """An exception that nobody expected: its place, for its text may quote a prompt."""
        self._journal.mistake(where, error)

    def broker_back(self, broker: str) -> None:
        """The broker has us."""
        for code in ("broker_unreachable", "broker_refused", "broker_untrusted"):
            self._health.clear(code)
        self._journal.write(kinds.BROKER_BACK, Fields(broker=broker))

    def broker_lost(self, event: Disconnected, broker: str, now: float) -> None:
        """No broker; told once per cause."""
        code = BROKER_PROBLEMS.get(event.code, "broker_unreachable")
        for other in {"broker_unreachable", *BROKER_PROBLEMS.values()} - {code}:
            self._health.clear(other)
        self._health.raise_(code, now, event.reason)
        fields = Fields(
            broker=broker, code=event.code, reason=event.reason, retry_s=event.retry_in_s
        )
        refused = code == "broker_refused"
        self._journal.write(kinds.BROKER_REFUSED if refused else kinds.BROKER_LOST, fields)

    def broker_denies(self, topic: str, reason: str, now: float, *, reading: bool) -> None:
        """The broker's rules forbid a topic."""
        code = "subscribe_refused" if reading else "publish_refused"
        self._health.raise_(code, now, f"{topic}: {reason}")
        self._journal.write(kinds.BROKER_REFUSED, Fields(code=code, topic=topic, reason=reason))

    def house_denied(self, topic: str, reason: str, now: float) -> None:
        """The broker's rules forbid to announce us to Home Assistant; told once."""
        code = "discovery_refused"
        if self._health.raise_(code, now, topic):
            self._journal.write(kinds.BROKER_REFUSED, Fields(code=code, topic=topic, reason=reason))

    def house_told(self) -> None:
        """We are announced to Home Assistant."""
        self._health.clear("discovery_refused")

    def twin(self, detail: str, now: float) -> None:
        """Another edged has our name."""
        if self._health.raise_("name_taken", now, detail):
            self._journal.write(kinds.PROBLEM_RAISED, Fields(code="name_taken", reason=detail))

    def twin_gone(self) -> None:
        """We have our name for ourselves."""
        if self._health.clear("name_taken"):
            self._journal.write(kinds.PROBLEM_CLEARED, Fields(code="name_taken"))

    def broker_takes(self) -> None:
        """The broker took a reply: its rules let us write."""
        self._health.clear("publish_refused")

    def broker_grants(self) -> None:
        """The broker's rules allow again what they forbade."""
        self._health.clear("subscribe_refused")

    def ledger_lost(self, reason: str, now: float) -> None:
        """The disk takes no rows: from now on from memory."""
        self._health.raise_("ledger_lost", now, reason)
        self._journal.write(kinds.LEDGER_LOST, Fields(reason=reason))

    def ledger_back(self) -> None:
        """The disk takes rows again."""
        if self._health.clear("ledger_lost"):
            self._journal.write(kinds.LEDGER_BACK)

    def prefix_known(self, event: Known) -> None:
        """The engine need not read a prefix again."""
        fields = Fields(
            persona=event.name, tokens=event.tokens, source=event.source, read_ms=event.ms
        )
        # Those that nobody configured come and go.
        kind = kinds.PREFIX_DETAIL if event.name is None else kinds.PREFIX_READY
        self._journal.write(kind, fields)

    def prefix_given_up(self, event: GivenUp) -> None:
        """The engine will not know a prefix."""
        kind = kinds.PREFIX_DETAIL if event.name is None else kinds.PREFIX_GIVEN_UP
        self._journal.write(kind, Fields(persona=event.name, reason=event.reason))

    def prefix_removed(self, file: str, reason: str) -> None:
        """A saved prefix is gone from disk."""
        self._journal.write(kinds.PREFIX_REMOVED, Fields(path=file, reason=reason))

    def prefix_step(self, code: str, name: str | None, reason: str | None = None) -> None:
        """One step of an errand; for debugging."""
        self._journal.write(kinds.PREFIX_DETAIL, Fields(code=code, persona=name, reason=reason))

    def prefixes_not_saved(self, reason: str, now: float) -> None:
        """The disk refuses what was read ahead."""
        self._health.raise_("prefixes_not_saved", now, reason)
        self._journal.write(kinds.PREFIXES_NOT_SAVED, Fields(reason=reason))

    def prefixes_saved(self) -> None:
        """The disk takes it."""
        self._health.clear("prefixes_not_saved")


def fetch_line(
    event: progress.Progress | progress.Pinned | progress.Evicted,
) -> tuple[str, str]:
    """The variant or file that a step of a download is about, and what happened."""
    match event:
        case progress.Progress():
            total = "?" if event.total is None else event.total
            return event.variant, f"{event.state}, {event.done} of {total} bytes"
        case progress.Pinned():
            return event.variant, f"sha256 {event.sha256}, told by {event.source or 'the file'}"
        case progress.Evicted():
            return event.file, f"removed for room, {event.bytes} bytes"


def _request_fields(effect: Finished, temp_c: float | None) -> Fields:
    usage, timings = effect.usage, effect.timings
    return Fields(
        request_id=effect.id,
        client=effect.client or None,
        status=effect.status,
        code=effect.code,
        finish_reason=effect.finish_reason,
        variant=effect.variant,
        tps=None if timings is None else timings.predicted_per_second,
        pp_tps=None if timings is None else timings.prompt_per_second,
        ttft_ms=None if timings is None else timings.ttft_ms,
        queue_ms=None if timings is None else timings.queue_ms,
        total_ms=None if timings is None else timings.total_ms,
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        cached_tokens=None if usage is None else usage.cached_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
        temp_c=temp_c,
    )
