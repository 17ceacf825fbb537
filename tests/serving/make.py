"""Short ways to the values that serving works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from edged.serving.dispatcher import Dispatcher, Standing
from edged.serving.effects import Effect, SendReply
from edged.serving.events import Arrived, Completed, EngineLost, EngineReady, Event, LostRun
from edged.serving.request import Message, Priority, Reply, Request, SessionId, Ticket, Usage
from edged.serving.state import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def request(  # noqa: PLR0913 - one keyword for each thing a test may care about
    id_: str = "r1",
    client: str = "",
    *,
    priority: Priority = Priority.NORMAL,
    expires_in: float | None = None,
    answer_within: float | None = None,
    stream: bool = True,
    max_tokens: int = 16,
    schema: str | None = None,
    choices: tuple[str, ...] = (),
    none_of: float | None = None,
    session: str | None = None,
    prompt: str = "hi",
    system: str | None = None,
    persona: str | None = None,
) -> Request:
    lead = () if system is None else (Message(role="system", content=system),)
    return Request(
        id=id_,
        client=client,
        messages=(*lead, Message(role="user", content=prompt)),
        session=None if session is None else SessionId(id=session, owner=client),
        max_tokens=max_tokens,
        schema=schema,
        choices=choices,
        none_of=none_of,
        persona=persona,
        priority=priority,
        expires_in=expires_in,
        answer_within=answer_within,
        stream=stream,
        reply_to=f"answers/{client}" if client else None,
        correlation=id_.encode(),
    )


def ticket(mid: int = 1, connection: int = 1) -> Ticket:
    return Ticket(connection=connection, mid=mid, qos=1)


def arrived(
    asked: Request, mid: int = 1, *, dup: bool = False, fingerprint: str | None = None
) -> Arrived:
    return Arrived(request=asked, ticket=ticket(mid), dup=dup, fingerprint=fingerprint)


def usage(tokens: int = 2) -> Usage:
    return Usage(prompt_tokens=10, cached_tokens=4, completion_tokens=tokens)


def completed(key: str, reason: str = "stop") -> Completed:
    return Completed(
        key=key,
        finish_reason=reason,
        usage=usage(),
        prompt_ms=600.0,
        predicted_ms=250.0,
        ttft_ms=700.0,
    )


def only(effects: Sequence[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def engine_ready(streams: int = 1) -> EngineReady:
    return EngineReady(variant="tiny-Q4_K", n_ctx=2048, streams=streams)


def engine_lost(*keys: str, retry_in: float | None = 1.0) -> EngineLost:
    """A death that took these along, with 7 tokens each."""
    runs = tuple(LostRun(key=key, tokens_done=7) for key in keys)
    return EngineLost(reason="SIGSEGV", runs=runs, during="decode", retry_in=retry_in)


class Desk:
    """A dispatcher at a desk with a clock on it."""

    def __init__(self, *, ready: bool = True, streams: int = 1, **settings: Any) -> None:
        self.now = 100.0
        self.dispatcher = Dispatcher(Settings(**settings))
        self.mid = 0
        if ready:
            self.on(engine_ready(streams))

    def on(self, event: Event, *, after: float = 0.0) -> list[Effect]:
        self.now += after
        return self.dispatcher.on(event, self.now)

    def ask(
        self, asked: Request, *, dup: bool = False, fingerprint: str | None = None
    ) -> list[Effect]:
        self.mid += 1
        return self.on(arrived(asked, self.mid, dup=dup, fingerprint=fingerprint))

    def standing(self) -> Standing:
        return self.dispatcher.snapshot(self.now)


def answer(effects: list[Effect]) -> Reply:
    """The one reply among these, which says the same in its bytes."""
    (sent,) = only(effects, SendReply)
    assert sent.reply is not None
    assert msgspec.json.decode(sent.payload, type=Reply) == sent.reply
    return sent.reply


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
