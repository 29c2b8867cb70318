"""The SDK's session as pollers want it: replies stay the bytes that the service sent (DESIGN decision 1).

Beyond public names this leans on ``AioJSONParser._do_parse`` and ``UserAgentString.to_string``; the dependency's range in
``pyproject.toml`` and ``tests/contract/test_seam.py`` keep watch.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import Any

from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.loaders import create_loader
from botocore.useragent import UserAgentString

from pollers.aws.credentials import LiveCredentials

BODY = "Body"
"""Where a pass-through reply holds the service's JSON, undecoded."""
STREAM = "Stream"
"""Where the reply of an event-stream call holds the HTTP response, unread."""

USER_AGENT = (
    f"headrace/{version('headrace')} aiobotocore/{version('aiobotocore')} botocore/{version('botocore')} "
    f"python/{platform.python_version()} {platform.system().lower()}"
)
"""Sent as it is: the SDK would build its own anew for each call, at 13% of the call's cost."""


class PassThroughParser(AioJSONParser):  # type: ignore[misc]
    """Leaves a successful reply undecoded; errors are parsed as ever."""

    async def _do_parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:  # noqa: ANN401 - a botocore shape
        """Blobs stay base64, timestamps numbers and attribute values typed: just what a Lambda event wants."""
        if shape is not None and shape.event_stream_name:
            return {STREAM: response["body"]}
        return {BODY: response["body"]}


class PassThroughParserFactory(AioResponseParserFactory):  # type: ignore[misc]
    """Gives JSON services the pass-through parser and others their own."""

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - a botocore parser
        """A parser for one client."""
        return PassThroughParser() if protocol_name == "json" else super().create_parser(protocol_name)


class _ConstantUserAgent(UserAgentString):  # type: ignore[misc]
    def to_string(self) -> str:
        """Always the same."""
        return USER_AGENT


@cache
def _loader(data_path: str | None) -> Any:  # noqa: ANN401 - a botocore loader
    """One for the process: it keeps the service models that it has read, megabytes of JSON."""
    return create_loader(data_path)


class Session(AioSession):  # type: ignore[misc]
    """A session whose clients pass replies through and share one set of credentials."""

    def __init__(self) -> None:
        super().__init__()
        self.register_component("response_parser_factory", PassThroughParserFactory())
        self.register_component("user_agent_creator", _ConstantUserAgent.from_environment())
        # Lazily: the data path may come from a profile, and a missing profile is to be found when a client is made.
        self._components.lazy_register_component("data_loader", lambda: _loader(self.get_config_variable("data_path")))
        self.live_credentials = LiveCredentials(self._run_credential_chain)

    async def get_credentials(self) -> LiveCredentials:
        """What clients of this session sign with; found when the first request is signed."""
        return self.live_credentials

    async def _run_credential_chain(self) -> Any:  # noqa: ANN401 - the SDK's credentials
        return await self.get_component("credential_provider").load_credentials()
