"""Performs the dispatcher's effects: the ledger first, then everything else in order.

Only what runs for the first time need not wait for the disk, a millisecond on a good one and tens
of them on a card: nothing is promised by that, and the broker sends it again if we die before.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from edged.engine import frames
from edged.errors import StorageError
from edged.mqtt.packet import Outgoing
from edged.serving import effects, events, news
from edged.serving.effects import LEDGER_OPS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edged.daemon.notes import Notes
    from edged.engine.supervisor import Supervisor
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Topics
    from edged.serving.dispatcher import Dispatcher
    from edged.serving.effects import LedgerOp
    from edged.serving.request import Reply, Request

JSON = "application/json"
# A flood of refusals is one piece of news to a house; each asker has a reply of his own.
REFUSAL_NEWS_S = 1.0


class Outbound:
    """Hands each effect to the room that can perform it.

    Args:
        commit: Writes ledger operations in one transaction, off the loop; raises StorageError.
        dispatcher: Is told when the ledger fails.
        engine: The child's supervisor; None where no model could be loaded.
        session: The broker.
        topics: The topic tree.
        notes: Journal, meter and health.
        reply_expiry_s: Seconds a broker keeps a reply for an absent client.
        used: Is told what each run begins with, in the words of the child.
        told: Puts into a request how the house is now.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        commit: Callable[[Sequence[LedgerOp]], Awaitable[None]],
        dispatcher: Dispatcher,
        engine: Supervisor | None,
        session: Session,
        topics: Topics,
        notes: Notes,
        reply_expiry_s: int,
        used: Callable[[frames.Messages, float], None],
        told: Callable[[Request, float], Request],
    ) -> None:
        self._commit = commit
        self._dispatcher = dispatcher
        self._engine = engine
        self._session = session
        self._topics = topics
        self._notes = notes
        self._reply_expiry_s = reply_expiry_s
        self._used = used
        self._told = told
        self._refusal_at = float("-inf")
        self._doers: dict[type, Callable[[Any, float], None]] = {
            effects.Acknowledge: self._acknowledge,
            effects.Submit: self._submit,
            effects.CancelRun: self._cancel,
            effects.SendReply: self._reply,
            effects.SendDelta: self._delta,
            effects.SendProgress: self._progress,
            effects.Finished: notes.finished,
            effects.Noted: notes.noted,
        }

    async def perform(self, batch: Sequence[effects.Effect], now: float) -> None:
        """Commits the batch's ledger effects in one transaction, then performs the others.

        First runs begin before that. A ledger that fails costs durability, not the requests: the
        rest is performed all the same.
        """
        while batch:
            batch = await self._perform(batch, now)

    async def _perform(
        self, batch: Sequence[effects.Effect], now: float
    ) -> Sequence[effects.Effect]:
        """One batch; returns what follows from runs that could not be handed over."""
        ledger = [effect for effect in batch if isinstance(effect, LEDGER_OPS)]
        early = _first_runs(batch)
        others: list[effects.Effect] = [
            effect for effect in batch if not isinstance(effect, LEDGER_OPS) and effect not in early
        ]
        following = self._do(early, now)
        if ledger:
            others += await self._write(ledger, now)
        return following + self._do(others, now)

    def _do(self, others: Sequence[effects.Effect], now: float) -> list[effects.Effect]:
        following: list[effects.Effect] = []
        for effect in others:
            try:
                self._doers[type(effect)](effect, now)
            except Exception as error:  # noqa: BLE001 - our mistake with one effect stays with it
                self._notes.mistake(type(effect).__name__, error)
                if isinstance(effect, effects.Submit):  # nobody else will tell of its end
                    following += self._dispatcher.on(_not_begun(effect.request.key, error), now)
        return following

    async def _write(self, ops: Sequence[LedgerOp], now: float) -> list[effects.Effect]:
        try:
            await self._commit(ops)
        except StorageError as error:
            self._notes.ledger_lost(str(error), now)
            # From memory only, the dispatcher asks for no more ledger effects.
            return self._dispatcher.on(events.LedgerLost(), now)
        return []

    def _acknowledge(self, effect: effects.Acknowledge, now: float) -> None:
        del now
        if effect.ticket.qos:
            self._session.acknowledge(effect.ticket.connection, effect.ticket.mid)

    def _submit(self, effect: effects.Submit, now: float) -> None:
        if self._engine is not None:
            frame = generate(self._told(effect.request, now), effect.within_s)
            self._engine.submit(frame)
            self._used(frame.messages, now)

    def _cancel(self, effect: effects.CancelRun, now: float) -> None:
        del now
        if self._engine is not None:
            self._engine.cancel(effect.key)

    def _reply(self, effect: effects.SendReply, now: float) -> None:
        # A refusal has no row, so nothing asks for its confirmation: any tag that is new will do.
        tag = effect.key or f"refused/{secrets.token_hex(8)}"
        outgoing = Outgoing(
            topic=effect.reply_to or self._topics.reply(effect.request_id),
            payload=effect.payload,
            qos=1,
            correlation=effect.correlation,
            content_type=JSON,
            expiry_s=self._reply_expiry_s,
            tag=tag,
            # Thousands of refusals may wait in a flood; who was accepted need not wait behind.
            urgent=effect.key is not None,
        )
        self._session.publish(outgoing)
        if effect.reply is not None and not effect.resend:
            self._news(effect.reply, now)

    def _news(self, reply: Reply, now: float) -> None:
        if reply.status == "rejected":
            if now - self._refusal_at < REFUSAL_NEWS_S:
                return
            self._refusal_at = now
        payload = news.encode(reply)
        topic = self._topics.event
        self._session.publish(Outgoing(topic=topic, payload=payload, qos=1, content_type=JSON))

    def _delta(self, effect: effects.SendDelta, now: float) -> None:
        del now
        payload: dict[str, object] = {"seq": effect.seq, "delta": effect.delta}
        if effect.done:
            payload["done"] = True
        self._tell(self._topics.stream(effect.id), payload)

    def _progress(self, effect: effects.SendProgress, now: float) -> None:
        del now
        self._tell(self._topics.progress(effect.id), {"phase": effect.phase, **effect.fields})

    def _tell(self, topic: str, payload: dict[str, object]) -> None:
        self._session.publish(Outgoing(topic=topic, payload=msgspec.json.encode(payload)))


def _first_runs(batch: Sequence[effects.Effect]) -> list[effects.Submit]:
    """Runs that may begin at once.

    Who was interrupted before may be the cause, so that has to be counted on the disk first; and
    who takes the place of another has to come behind his end.
    """
    if any(isinstance(effect, effects.CancelRun) for effect in batch):
        return []
    first = {e.key for e in batch if isinstance(e, effects.MarkRunning) and e.attempts == 1}
    return [e for e in batch if isinstance(e, effects.Submit) and e.request.key in first]


def _not_begun(key: str, error: Exception) -> events.RunFailed:
    """What the engine would say if the request had reached it."""
    if isinstance(error, ValueError):  # of the frame's bounds only this one is not checked before
        return events.RunFailed(
            key=key, code="prompt_too_long", message="the prompt does not fit one frame"
        )
    return events.RunFailed(key=key, code="internal", message="a mistake in edged, see its log")


def generate(request: Request, within_s: float | None = None) -> frames.Generate:
    """A request as the child reads it: no client, no topic, nothing but the work."""
    sampling = request.sampling
    turns = tuple(frames.Message(role=turn.role, content=turn.content) for turn in request.messages)
    return frames.Generate(
        key=request.key,
        messages=turns,
        max_tokens=request.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repeat_penalty=sampling.repeat_penalty,
        seed=sampling.seed,
        stop=request.stop,
        choices=request.choices,
        schema=request.schema,
        priority=int(request.priority),
        within_s=within_s,
    )
