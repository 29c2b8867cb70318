"""Every private name of the AWS SDK that is used, and every module of it that is not part of its documented interface.

The SDK may change any of them in any release. So they stand here alone, each behind a name of our own; the dependency's range in
``pyproject.toml`` keeps unknown releases out, and ``tests/contract/test_sdk_private.py`` checks the shape that is relied on and
that no other file touches such a name. Two files cannot use this one: ``handlers/workers/main.py``, which runs in a function's
own interpreter, and whatever else is in ``handlers/``, which may not import ``pollers``; the same test watches them.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.eventstream import EventStreamBuffer
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError, create_parser
from botocore.useragent import UserAgentString
from botocore.utils import normalize_url_path

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

__all__ = [
    "AIOHTTPSession",
    "AioResponseParserFactory",
    "ConstantUserAgent",
    "EventStreamBuffer",
    "ReplyParser",
    "ResponseParserError",
    "SessionWithLazyParts",
    "create_loader",
    "create_parser",
    "is_proxied",
    "normalize_url_path",
    "resolve_endpoint",
    "set_body",
    "tls_context",
]


class ReplyParser(AioJSONParser, abc.ABC):  # type: ignore[misc]
    """A parser of successful replies; errors are parsed as the SDK does."""

    async def _do_parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:  # noqa: ANN401 - a botocore shape
        # botocore's ResponseParser.parse calls this for a reply below 301, and _do_error_parse for any other.
        return self.parse_success(response, shape)

    @abc.abstractmethod
    def parse_success(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:  # noqa: ANN401 - a botocore shape
        """What the call returns. ``response`` has ``status_code``, ``headers`` and ``body``; raises ResponseParserError."""


class ConstantUserAgent(UserAgentString):  # type: ignore[misc]
    """Always the same User-Agent: the SDK would build its own anew for each call, at 13% of the call's cost."""

    text = ""

    def to_string(self) -> str:
        """The text of the subclass."""
        return self.text


class SessionWithLazyParts(AioSession):  # type: ignore[misc]
    """A session of which a component may be made when it is first used."""

    def register_lazily(self, name: str, make: Callable[[], object]) -> None:
        """``register_component`` takes only components that exist already."""
        self._components.lazy_register_component(name, make)


def set_body(response: Any, body: bytes) -> None:  # noqa: ANN401 - botocore's responses have no types
    """Give an AioAWSResponse its body, so that the SDK does not read one."""
    response._content = body


async def resolve_endpoint(
    client: Any,  # noqa: ANN401 - the SDK's clients have no types
    operation_model: Any,  # noqa: ANN401 - a botocore model
    parameters: Mapping[str, Any],
    context: dict[str, Any],
) -> tuple[str, Mapping[str, str]]:
    """The URL that the SDK's endpoint rules give for a call, and the headers that they add.

    How the call is to be signed is entered in ``context``: ``auth_type`` and ``signing``.
    """
    url, headers, _ = await client._resolve_endpoint_ruleset(operation_model, dict(parameters), context)
    return url, headers


def is_proxied(client: Any, url: str) -> bool:  # noqa: ANN401 - the SDK's clients have no types
    """Whether the SDK would send a request for ``url`` through a proxy."""
    return client._endpoint.http_session._proxy_config.proxy_url_for(url) is not None


async def tls_context(client: Any) -> ssl.SSLContext:  # noqa: ANN401 - the SDK's clients have no types
    """The context that the SDK connects with: its CA bundle, client certificate and verification, read in a thread."""
    connector = await client._endpoint.http_session._create_connector(None)
    context: ssl.SSLContext = connector._ssl
    await connector.close()
    return context
