"""The hub: finds a file, follows its redirects by hand, and takes no byte too many.

A server is not trusted: it may lead elsewhere, send something else, send for ever, or drip.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from typing import TYPE_CHECKING, NoReturn

import httpx
import msgspec

import edged
from edged.clock import SystemClock
from edged.models import address, answers
from edged.models.bandwidth import LeastRate
from edged.models.fetching import Facts, fail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Self

    from edged.clock import Clock
    from edged.models.address import Source
    from edged.models.answers import Extent, Linked
    from edged.models.fetching import Code
    from edged.models.variants import Variant
    from edged.settings import DownloadConfig


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how far a server is followed.

    Attributes:
        connect_s: Seconds for name, TCP and TLS of one hop.
        silence_s: Seconds without a byte.
        answer_s: Seconds until the headers of one hop are there, however they drip.
        redirects: Hops; the hub needs one or two.
        least_rate: Bytes per second below which a body is a drip: a line shared by a whole family
            has ten times that.
        window_s: Seconds over which that is judged.
    """

    connect_s: float = 15.0
    silence_s: float = 30.0
    answer_s: float = 60.0
    redirects: int = 5
    least_rate: float = 4096.0
    window_s: float = 60.0


class Answer:
    """A body that begins to arrive.

    Args:
        response: Whose headers are checked.
        extent: Which bytes it must hold.
        facts: What was said about the file on the way here.
        limits: How slow it may be.
        clock: To measure that.

    Attributes:
        facts: See above.
        start: The first byte that comes; 0 if the server does not know ranges.
        length: Bytes that come.
    """

    def __init__(
        self,
        response: httpx.Response,
        extent: Extent,
        facts: Facts,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._response = response
        self._limits = limits
        self._clock = clock
        self.facts = facts
        self.start = extent.start
        self.length = extent.length

    async def chunks(self, most: int | None = None) -> AsyncIterator[bytes]:
        """The bytes as they come, all of them.

        Args:
            most: So many are enough; the rest is not read.

        Raises:
            FetchError: Fewer or more came, or too slowly.
        """
        left = self.length if most is None else min(most, self.length)
        rate = LeastRate(self._limits.least_rate, self._limits.window_s)
        body = self._response.aiter_raw()
        while left:
            before = self._clock.monotonic()
            chunk = await self._next(body)
            if not chunk:
                self._fail("cut", f"ended the file {left} bytes too early")
            if rate.on(len(chunk), self._clock.monotonic() - before):
                self._fail("slow", f"sends less than {self._limits.least_rate:.0f} bytes a second")
            if len(chunk) > left and most is None:
                self._fail("bad_answer", "sends more bytes than the file has")
            yield chunk[:left]
            left -= min(left, len(chunk))

    async def _next(self, body: AsyncIterator[bytes]) -> bytes:
        try:
            return await anext(body, b"")
        except httpx.TimeoutException:
            self._fail("slow", f"was silent for {self._limits.silence_s:.0f} s")
        except httpx.TransportError as error:
            self._fail("cut", f"broke off: {_said(error)}")

    def _fail(self, code: Code, what: str) -> NoReturn:
        fail(code, f"{self.facts.host} {what}")


class Hub:
    """A client for one endpoint, its mirrors, and plain addresses.

    Args:
        config: Endpoint and mirrors.
        token: For gated repositories of the endpoint; see `edged.models.address.may_have_token`.
        limits: How long and how far a server is followed.
        clock: To measure with.
        ca_file: Certificates to trust; None: the system's.
        environment: Where HF_ENDPOINT may stand; None: this process's.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the world outside
        self,
        config: DownloadConfig,
        *,
        token: str | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        ca_file: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        given = (os.environ if environment is None else environment).get("HF_ENDPOINT")
        self._endpoint = config.endpoint or given or address.HUB
        self._mirrors = config.mirrors
        self._token = token
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=ca_file),
            timeout=httpx.Timeout(self._limits.silence_s, connect=self._limits.connect_s),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=0),
            headers={"User-Agent": f"edged/{edged.__version__}", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    def sources(self, variant: Variant) -> tuple[Source, ...]:
        """Where to try; raises FetchError if there is nowhere."""
        return address.sources(variant, self._endpoint, self._mirrors)

    @contextlib.asynccontextmanager
    async def open(
        self, source: Source, start: int = 0, end: int | None = None
    ) -> AsyncIterator[Answer]:
        """Ask for a file, or for some bytes of it.

        Args:
            source: Where.
            start: The first byte.
            end: The one behind the last; None: all the rest.

        Yields:
            The answer; it is closed at the end, whatever was read of it.

        Raises:
            FetchError: There is none, or not one that can be used.
        """
        response, told = await self._arrive(source, start, end)
        try:
            host = response.url.netloc.decode("ascii", "replace")
            answers.refuse(response.status_code, response.headers, host, self._clock.wall())
            found = answers.extent(response.status_code, response.headers, start, end, host)
            facts = _facts(response, found, told, source.host)
            yield Answer(response, found, facts, self._limits, self._clock)
        finally:
            await response.aclose()

    async def _arrive(
        self, source: Source, start: int, end: int | None
    ) -> tuple[httpx.Response, Linked]:
        """The first answer that is no redirect, and what the hub said before it led away."""
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        url = source.url
        told = answers.Linked()
        for _ in range(self._limits.redirects + 1):
            response = await self._ask(url, headers, trusted=source.trusted)
            if told == answers.Linked():
                told = answers.linked(response.headers)
            if response.status_code not in answers.REDIRECTS:
                return response, told
            await response.aclose()
            url = address.follow(url, response.headers.get("location"))
        reason = f"{source.host} redirects more than {self._limits.redirects} times"
        return fail("unsafe", reason)

    async def _ask(self, url: str, headers: dict[str, str], *, trusted: bool) -> httpx.Response:
        sent = dict(headers)
        if trusted and self._token is not None and address.may_have_token(url, self._endpoint):
            sent["Authorization"] = f"Bearer {self._token}"
        self._client.cookies.clear()  # no server of one file is told about another
        host = httpx.URL(url).netloc.decode("ascii", "replace")
        try:
            request = self._client.build_request("GET", url, headers=sent)
            async with asyncio.timeout(self._limits.answer_s):
                return await self._client.send(request, stream=True)
        except TimeoutError:
            reason = f"{host} gives no whole answer within {self._limits.answer_s:.0f} s"
            fail("slow", reason)
        except httpx.TimeoutException:
            fail("unreachable", f"{host} does not answer")
        except httpx.RemoteProtocolError as error:
            fail("bad_answer", f"{host} breaks HTTP: {_said(error)}")
        except httpx.TransportError as error:
            fail("unreachable", f"{host}: {_said(error)}")
        except (httpx.InvalidURL, ValueError) as error:
            fail("unsafe", f"{host} cannot be asked: {_said(error)}")


def _facts(response: httpx.Response, extent: Extent, told: Linked, host: str) -> Facts:
    if told.bytes not in {None, extent.total}:
        reason = f"{host} tells {told.bytes} bytes, and where it leads has {extent.total}"
        fail("bad_answer", reason)
    return Facts(
        bytes=extent.total,
        sha256=told.sha256,
        etag=told.etag or answers.etag(response.headers.get("etag")),
        commit=told.commit,
        host=host,
    )


def _said(error: Exception) -> str:
    """What a library says, in one short line."""
    text = str(error).partition("\n")[0][:200]
    return "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
