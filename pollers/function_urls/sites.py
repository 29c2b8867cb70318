"""Function URLs as sites of the server of Lambda's API: a request in, an invocation, a reply out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple, Unpack

import structlog
from multidict import CIMultiDict

from handlers.errors import FunctionUnusable
from handlers.function import PAYLOAD_LIMIT_BYTES, PLAIN, Call, FunctionError, InfrastructureError, Payload, Throttle
from pollers.aside import aside
from pollers.function_urls import cors, replies
from pollers.function_urls.events import Circumstances, Signer, encode_event, trace_header
from pollers.function_urls.head import BadTarget, Head
from pollers.function_urls.places import HOSTS, PATHS, domain_of, known, place_of, without_port
from pollers.function_urls.reply_headers import InvalidReply
from pollers.function_urls.results import reply_of
from pollers.function_urls.signatures import reply_to
from pollers.function_urls.streams import StreamedReply
from pollers.lambda_api import ApiError, BodyTooLong
from pollers.lambda_api import Reply as Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from config.models import FunctionUrl
    from handlers.function import Invocation
    from pollers.clocks.clock import Clock
    from pollers.function_urls.places import Place
    from pollers.function_urls.proxies import Client, Proxies
    from pollers.function_urls.replies import Headers, Reply
    from pollers.function_urls.signatures import Signatures
    from pollers.lambda_api import Here, Incoming, Outgoing

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LARGE_BYTES = 256 * 1024

log = structlog.stdlib.get_logger(__name__)


class Urls(Protocol):
    """Which functions have a URL now."""

    def names(self) -> Iterable[str]:
        """All functions, with and without a URL."""

    def url_of(self, name: str) -> FunctionUrl | None:
        """The function's URL; None without one, and for a function that there is not."""


class Invoke(Protocol):
    """Runs a function once."""

    async def __call__(self, name: str, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Raises FunctionUnusable; a throttle is a result."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Who gets in. ``proxies`` are trusted; ``is_ours`` tells whether a host name leads to us and to nobody else."""

    proxies: Proxies
    signatures: Signatures
    is_ours: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request for a URL that there is."""

    name: str
    url: FunctionUrl
    head: Head
    client: Client
    place: Place
    trace_id: str

    @property
    def added(self) -> Headers:
        """The headers that every reply to it gets."""
        return (("x-amzn-Trace-Id", self.trace_id), *cors.added(self.url.cors, self.head.fields.get("origin")))


class FunctionUrls:
    """Answers requests for function URLs (:class:`pollers.lambda_api.front.Sites`). ``bits`` gives random bits, for trace ids."""

    def __init__(
        self, urls: Urls, invoke: Invoke, doors: Doors, here: Here, *, clock: Clock, bits: Callable[[int], int]
    ) -> None:
        self._urls = urls
        self._invoke = invoke
        self._doors = doors
        self._here = here
        self._clock = clock
        self._bits = bits

    def claim(self, incoming: Incoming) -> Callable[[Incoming], Awaitable[Sent | Outgoing]] | None:
        """What answers a request for a function URL, whether or not there is that URL; None for any other request."""
        if not _may_be_for_a_url(incoming):
            return None
        head = _head_of(incoming)
        client = self._doors.proxies.client_of(head)
        try:
            place = place_of(client.hosts, head.path_and_query[0], self._here.region)
        except BadTarget:
            return None
        if place is None:
            return None

        async def answer(incoming: Incoming) -> Sent | Outgoing:
            incoming.operation = "function URL"
            return await self._answer(incoming, head, client, place)

        return answer

    async def _answer(self, incoming: Incoming, head: Head, client: Client, place: Place) -> Sent | Outgoing:
        # A client that sends no name is no browser.
        host = head.fields.get("host")
        if host and not client.trusted and not self._doors.is_ours(host):
            return _sent(replies.foreign_host(without_port(host)))
        name = self._known(place.name)
        url = self._urls.url_of(name) if name is not None else None
        if name is None or url is None:
            return _sent(replies.UNKNOWN_URL)
        preflight = cors.preflight(url.cors, head.method, head.fields)
        if preflight is not None:
            return _sent(preflight)
        visit = _Visit(name, url, head, client, place, trace_header(self._clock.time(), self._bits(96)))
        try:
            event = await self._event(incoming, visit)
        except ApiError as error:
            return _sent(reply_to(error).plus(visit.added))
        except BodyTooLong:
            return _sent(replies.TOO_LARGE.plus(visit.added))
        if len(event) > PAYLOAD_LIMIT_BYTES:
            return _sent(replies.TOO_LARGE.plus(visit.added))
        if url.invoke_mode == "RESPONSE_STREAM":
            return await self._streamed(incoming, visit, event)
        return _sent(await self._buffered(incoming.request_id, visit, event))

    def _known(self, asked: str | None) -> str | None:
        if asked is None or self._urls.url_of(asked) is not None:
            return asked
        return known(asked, (name for name in self._urls.names() if self._urls.url_of(name) is not None))

    async def _event(self, incoming: Incoming, visit: _Visit) -> bytes:
        """The event, of a request that may be made. Raises ApiError and BodyTooLong."""
        # Before the body is read: nobody else may make us hold one.
        admitted = self._doors.signatures.admit(incoming) if visit.url.auth_type == "AWS_IAM" else None
        body = await incoming.read(PAYLOAD_LIMIT_BYTES)
        if admitted is not None:
            await _aside(len(body), admitted.check, body)
        given = Circumstances(
            url_id=visit.name,
            domain=visit.place.domain or domain_of(visit.name, self._here.region),
            path=visit.place.path,
            request_id=incoming.request_id,
            trace_id=visit.trace_id,
            now=self._clock.time(),
            signer=Signer(admitted.access_key_id, self._here.account) if admitted is not None else None,
        )
        return await _aside(len(body), encode_event, visit.head, visit.client, body, given)

    async def _buffered(self, request_id: str, visit: _Visit, event: bytes) -> Reply:
        try:
            invocation = await self._invoke(visit.name, event, request_id=request_id)
            reply = await _reply_of(invocation)
        except (FunctionUnusable, InvalidReply) as problem:
            reply = _failed(visit, request_id, problem)
        return reply.plus(visit.added)

    async def _streamed(self, incoming: Incoming, visit: _Visit, event: bytes) -> Sent | Outgoing:
        stream = StreamedReply(incoming, visit.added)
        request_id = incoming.request_id
        try:
            invocation = await self._invoke(visit.name, event, request_id=request_id, call=Call(stream=stream))
        except FunctionUnusable as problem:
            return _sent(_failed(visit, request_id, problem).plus(visit.added))
        if not invocation.streamed and isinstance(invocation.result, Payload):
            return await stream.buffered(invocation.result.body)
        outgoing = await stream.finish(invocation) if invocation.streamed else None
        if outgoing is not None:
            return outgoing
        if stream.invalid is not None:
            return _sent(_failed(visit, request_id, stream.invalid).plus(visit.added))
        return _sent((await _reply_of(invocation)).plus(visit.added))


async def _reply_of(invocation: Invocation) -> Reply:
    """The whole reply to an invocation that did not stream. Raises InvalidReply."""
    match invocation.result:
        case Payload(body):
            return await _aside(len(body), reply_of, body)
        case FunctionError():
            return replies.FAILED
        case Throttle():
            return replies.throttled(invocation.result)
        case InfrastructureError():
            return replies.not_run(invocation.result)


async def _aside(size_bytes: int, decide: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """What ``decide`` makes of its arguments, in a thread if they are so large that the event loop would wait for it.

    Raises what it raises of ApiError and InvalidReply.
    """
    if size_bytes < LARGE_BYTES:
        return decide(*arguments)
    return await aside(partial(decide, *arguments))


def _failed(visit: _Visit, request_id: str, problem: Exception) -> Reply:
    log.warning("a function URL answers 502", function=visit.name, request_id=request_id, problem=str(problem))
    return replies.FAILED


def _sent(reply: Reply) -> Sent:
    return Sent(reply.status, reply.body, CIMultiDict(reply.headers), content_type=None)


def _may_be_for_a_url(incoming: Incoming) -> bool:
    """Looks at no more than it must: every request for Lambda's API comes by here."""
    return PATHS in incoming.raw_path or HOSTS in incoming.host or "X-Forwarded-Host" in incoming.headers


def _head_of(incoming: Incoming) -> Head:
    question = "?" if incoming.raw_query else ""
    return Head(
        method=incoming.method,
        target=f"{incoming.raw_path}{question}{incoming.raw_query}".encode("utf-8", "surrogateescape"),
        headers=incoming.raw_headers,
        peer=incoming.peer,
        port=incoming.port,
        protocol=incoming.http_version,
    )
