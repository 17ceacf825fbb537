"""The words of every terminal reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.serving import deadlines
from edged.serving.decision import decide
from edged.serving.request import Reply, ReplyError, Timings, Usage
from edged.serving.text import plain

if TYPE_CHECKING:
    from edged.serving.events import Completed, EngineLost, RunFailed
    from edged.serving.request import Request, Status
    from edged.serving.running import Job, Run

SHUTTING_DOWN = ReplyError(code="shutting_down", message="the daemon is stopping")
INTERRUPTED = ReplyError(
    code="engine_died", message="interrupted in each of its runs, not tried again"
)


# The engine's words for a request that it did not begin.
PROMPT_TOO_LONG = "prompt_too_long"
TOO_LATE = "too_late"
_REJECTED = frozenset({PROMPT_TOO_LONG, "bad_schema", TOO_LATE})


def refused(request_id: str, code: str, message: str, retry_after_s: float | None = None) -> Reply:
    """Nothing was accepted."""
    error = ReplyError(code=code, message=plain(message), retry_after_s=retry_after_s)
    return Reply(id=request_id, status="rejected", error=error)


def completed(run: Run, event: Completed, now: float, variant: str | None) -> Reply:
    """The engine ended the run: as it should, or because somebody asked."""
    cancelled = event.finish_reason == "cancelled"
    by_size = cancelled and run.full and not run.cancelled
    reply = Reply(
        id=run.job.request.id,
        status="cancelled" if cancelled and not by_size else "ok",
        text=run.text,
        finish_reason="length" if by_size else event.finish_reason,
        usage=event.usage,
        timings=_timings(run, event, now),
        variant=variant,
    )
    request = run.job.request
    if reply.finish_reason == "deadline":
        return _cut_in_time(reply, request)
    if reply.finish_reason != "stop":
        return msgspec.structs.replace(reply, text=None) if request.choices else reply
    if request.choices:
        return _decided(reply, request, event.scores)
    return reply if request.schema is None else _parsed(reply, run.text)


def _cut_in_time(reply: Reply, request: Request) -> Reply:
    """The reply of a run whose time was over before its answer was whole."""
    if not (reply.text or "").strip():
        return msgspec.structs.replace(
            reply, status="expired", text=None, finish_reason=None, error=_late(request)
        )
    if request.schema is None:
        return reply
    # Of an answer that a program waits for, the beginning is no answer.
    message = f"cut to be in time within {_within(request)}, so it is no JSON"
    error = ReplyError(code="deadline", message=message)
    return msgspec.structs.replace(reply, status="failed", error=error)


def _late(request: Request) -> ReplyError:
    return ReplyError(code=TOO_LATE, message=f"no answer within {_within(request)}")


def _within(request: Request) -> str:
    # Whatever the engine says, its word about a request that has no deadline costs no reply.
    return f"{request.answer_within or 0:g} s"


def _parsed(reply: Reply, text: str) -> Reply:
    """The reply with the answer as JSON, which a program can take without looking."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        # The model's vocabulary has nothing that the schema asks for.
        return _useless(reply, f"the answer is no JSON: {error}")
    return msgspec.structs.replace(reply, text=None, json=msgspec.Raw(text.encode()))


def _decided(reply: Reply, request: Request, scores: tuple[float, ...]) -> Reply:
    """The reply with a choice in place of a text."""
    if len(scores) != len(request.choices):
        return _useless(reply, f"{len(request.choices)} choices have {len(scores)} scores")
    made = decide(request.choices, scores, request.none_of)
    return msgspec.structs.replace(
        reply, text=None, choice=made.choice, probabilities=made.probabilities
    )


def _useless(reply: Reply, message: str) -> Reply:
    error = ReplyError(code="bad_answer", message=plain(message))
    return msgspec.structs.replace(reply, status="failed", finish_reason=None, error=error)


def said(run: Run, reply: Reply) -> str | None:
    """The answer as a conversation remembers it; None if there is none to remember."""
    if reply.status != "ok":
        return None
    if run.job.request.choices:
        return reply.choice if isinstance(reply.choice, str) else None
    return run.text


def tokens(reply: Reply) -> int:
    """Of prompt and answer together."""
    usage = reply.usage
    return 0 if usage is None else usage.prompt_tokens + usage.completion_tokens


def cancelled_early(job: Job, now: float) -> Reply:
    """Somebody asked for the end of a request that was waiting."""
    return Reply(
        id=job.request.id, status="cancelled", finish_reason="cancelled", timings=_waited(job, now)
    )


def expired(job: Job, now: float) -> Reply:
    """It could not start in time."""
    if deadlines.is_too_late(job, now):
        error = _late(job.request)
    else:
        message = f"not started within {job.request.expires_in:g} s"
        error = ReplyError(code="expired", message=message)
    return unserved(job, error, now, "expired")


def unserved(job: Job, error: ReplyError, now: float, status: Status = "failed") -> Reply:
    """It waited in vain."""
    return Reply(id=job.request.id, status=status, error=error, timings=_waited(job, now))


def cut(run: Run, error: ReplyError, now: float, variant: str | None, tokens: int = 0) -> Reply:
    """The run ended without a word from the engine; what there is of the text goes along.

    Args:
        run: What was cut.
        error: Why; a run that was to be cancelled anyway counts as cancelled instead.
        now: Seconds of the dispatcher's clock.
        variant: What ran it.
        tokens: Tokens made, if somebody knows better than the run.
    """
    total = _ms(now - run.job.accepted_at)
    return Reply(
        id=run.job.request.id,
        status="cancelled" if run.cancelled else "failed",
        text=run.text,
        finish_reason="cancelled" if run.cancelled else None,
        usage=Usage(
            prompt_tokens=run.prompt_tokens,
            cached_tokens=0,
            completion_tokens=max(run.tokens, tokens),
        ),
        timings=Timings(queue_ms=_queue_ms(run), total_ms=total),
        variant=variant,
        error=None if run.cancelled else error,
    )


def failed(run: Run, event: RunFailed, now: float, variant: str | None) -> Reply:
    """The engine could not do this one; if it never began, that is a rejection.

    Who was interrupted has a stream that began: for want of time such a one is not turned away, its
    time went by.
    """
    error = ReplyError(code=plain(event.code), message=plain(event.message))
    if event.code in _REJECTED:
        late = event.code == TOO_LATE and run.job.resumed
        return unserved(run.job, error, now, "expired" if late else "rejected")
    return cut(run, error, now, variant)


def engine_died(event: EngineLost) -> ReplyError:
    """The error of a run whose engine died."""
    return ReplyError(
        code="engine_died", message=plain(f"the engine died in {event.during}: {event.reason}")
    )


def unavailable(reason: str) -> ReplyError:
    """The error of all that wait for an engine that will not come back."""
    return ReplyError(code="unavailable", message=plain(f"the engine is out of service: {reason}"))


def _timings(run: Run, event: Completed, now: float) -> Timings:
    queue = _queue_ms(run)
    read = event.usage.prompt_tokens - event.usage.cached_tokens
    return Timings(
        queue_ms=queue,
        ttft_ms=None if event.ttft_ms is None else round(queue + event.ttft_ms, 1),
        prompt_per_second=_rate(read, event.prompt_ms),
        predicted_per_second=_rate(event.usage.completion_tokens, event.predicted_ms),
        total_ms=_ms(now - run.job.accepted_at),
    )


def _waited(job: Job, now: float) -> Timings:
    waited = _ms(now - job.accepted_at)
    return Timings(queue_ms=waited, total_ms=waited)


def _queue_ms(run: Run) -> float:
    return _ms(run.started_at - run.job.accepted_at)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _rate(tokens: int, ms: float) -> float | None:
    return round(1000 * tokens / ms, 2) if ms > 0 and tokens > 0 else None
