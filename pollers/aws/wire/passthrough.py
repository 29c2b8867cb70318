"""The SDK's session as pollers want it: replies stay the bytes that the service sent (docs/design, decision 1)."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError

from pollers.aws.errors import TEXT_LIMIT
from pollers.aws.wire.credentials import ReloadingCredentials
from pollers.aws.wire.http1_reply import BODY_LIMIT_BYTES
from pollers.aws.wire.sdk_private import (
    AIOHTTPSession,
    AioResponseParserFactory,
    ConstantUserAgent,
    ReplyParser,
    ResponseParserError,
    SessionWithLazyParts,
    create_loader,
    set_body,
)

if TYPE_CHECKING:
    import aiohttp

BODY = "Body"
"""Where a pass-through reply holds the service's JSON, undecoded."""
STREAM = "Stream"
"""Where the reply of an event-stream call holds the HTTP response, unread."""

_OK = 200
_FAILED = 300
_ERROR_STATUS = 301
"""From here on botocore parses a reply as an error (and at 300 its client raises one all the same)."""

USER_AGENT = (
    f"headrace/{version('headrace')} aiobotocore/{version('aiobotocore')} botocore/{version('botocore')} "
    f"python/{platform.python_version()} {platform.system().lower()}"
)
"""Sent as it is."""


class PassThroughParser(ReplyParser):
    """Leaves a successful reply undecoded; errors are parsed as ever."""

    def parse_success(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:  # noqa: ANN401 - a botocore shape
        """Blobs stay base64, timestamps numbers and attribute values typed: just what a Lambda event wants."""
        if response["status_code"] != _OK:
            raise ResponseParserError(f"status {response['status_code']}")
        if shape is not None and shape.event_stream_name:
            return {STREAM: response["body"]}
        if "content-length" not in response["headers"] and "transfer-encoding" not in response["headers"]:
            raise ResponseParserError("a body of unknown length: nobody can tell whether it is whole")
        return {BODY: response["body"]}


class GuardedParser:
    """One of the SDK's parsers. Whatever a reply is made of, it never raises anything but ResponseParserError.

    An error reply that it cannot read, or makes something else of than a code and a message, counts by its status.
    """

    def __init__(self, parser: Any) -> None:  # noqa: ANN401 - a botocore parser
        self._parser = parser

    async def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:  # noqa: ANN401 - a botocore shape
        """See botocore."""
        status = response["status_code"]
        try:
            parsed = await self._parser.parse(response, shape)
        except Exception as error:
            if status < _ERROR_STATUS:
                # Its own text may have the whole body in it.
                raise ResponseParserError(f"{type(error).__name__}: {str(error)[:TEXT_LIMIT]}") from None
            parsed = None
        if status < _ERROR_STATUS:
            if not isinstance(parsed, dict):
                raise ResponseParserError(f"the reply is no object but {type(parsed).__name__}")
            return parsed
        if isinstance(parsed, dict) and _is_error(parsed.get("Error", {})):
            return parsed
        told = {"Code": str(status), "Message": f"unreadable reply: {response['body'][:80]!r}"}
        return {"Error": told, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": response["headers"]}}


def _is_error(error: object) -> bool:
    return isinstance(error, dict) and all(isinstance(error.get(name, ""), str) for name in ("Code", "Message"))


class PassThroughParserFactory(AioResponseParserFactory):  # type: ignore[misc]
    """Gives JSON services the pass-through parser and others their own."""

    def create_parser(self, protocol_name: str) -> GuardedParser:
        """A parser for one client."""
        return GuardedParser(PassThroughParser() if protocol_name == "json" else super().create_parser(protocol_name))


class BoundedSession(AIOHTTPSession):  # type: ignore[misc]
    """The SDK's connections, whose replies have the size limit that ours have."""

    async def send(self, request: Any) -> Any:  # noqa: ANN401 - botocore's requests and responses
        """See botocore. A body that is not streamed is read here, with a limit: the SDK would read it without one."""
        streams, request.stream_output = request.stream_output, True
        try:
            response = await super().send(request)
        finally:
            request.stream_output = streams
        if not streams or response.status_code >= _FAILED:
            try:
                set_body(response, await _read(response.raw))
            except BaseException:
                response.raw.close()
                raise
        return response


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            raise HTTPClientError(error=ValueError(f"a body of more than {BODY_LIMIT_BYTES} bytes"))
    response.release()
    return bytes(body)


class _UserAgent(ConstantUserAgent):
    text = USER_AGENT


@cache
def _loader(data_path: str | None) -> Any:  # noqa: ANN401 - a botocore loader
    """One for the process: it keeps the service models that it has read, megabytes of JSON."""
    return create_loader(data_path)


class Session(SessionWithLazyParts):
    """A session whose clients pass replies through and share one set of credentials."""

    def __init__(self) -> None:
        super().__init__()
        self.register_component("response_parser_factory", PassThroughParserFactory())
        self.register_component("user_agent_creator", _UserAgent.from_environment())
        # Lazily: the data path may come from a profile, and a missing profile is to be found when a client is made.
        self.register_lazily("data_loader", lambda: _loader(self.get_config_variable("data_path")))
        self.reloading_credentials = ReloadingCredentials(self._run_credential_chain)

    async def get_credentials(self) -> ReloadingCredentials:
        """What clients of this session sign with; found when the first request is signed."""
        return self.reloading_credentials

    async def _run_credential_chain(self) -> Any:  # noqa: ANN401 - the SDK's credentials
        return await self.get_component("credential_provider").load_credentials()
