"""Short ways to the values that serving works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from edged.serving.events import Arrived, Completed
from edged.serving.request import Message, Priority, Request, Ticket, Usage

if TYPE_CHECKING:
    from edged.serving.effects import Effect

T = TypeVar("T")


def request(  # noqa: PLR0913 - one keyword for each thing a test may care about
    id_: str = "r1",
    client: str = "",
    *,
    priority: Priority = Priority.NORMAL,
    expires_in: float | None = None,
    stream: bool = True,
    max_tokens: int = 16,
) -> Request:
    return Request(
        id=id_,
        client=client,
        messages=(Message(role="user", content="hi"),),
        max_tokens=max_tokens,
        priority=priority,
        expires_in=expires_in,
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


def only(effects: list[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]
