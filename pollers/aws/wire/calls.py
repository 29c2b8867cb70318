"""Calls of AWS's JSON services, from an operation's name and parameters to the bytes of its reply; two ways to make them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from pollers.aws.errors import CredentialsExpired
from pollers.aws.wire.classify import from_sdk
from pollers.aws.wire.passthrough import BODY
from pollers.clocks.clock import loop_time
from pollers.clocks.service import ServiceClock

if TYPE_CHECKING:
    from pollers.aws.wire.passthrough import Session

READ_SECONDS = 30.0
"""How long a reply may take, beyond what the call itself asks the service to wait."""


class SdkCalls:
    """Through a client of the SDK: whatever the SDK can do, at the SDK's price."""

    def __init__(self, client: Any, session: Session, service_clock: ServiceClock | None = None) -> None:  # noqa: ANN401 - the SDK's clients have no types
        self.service_clock = service_clock or ServiceClock()
        self._client = client
        self._session = session
        self._methods = {operation: name for name, operation in client.meta.method_to_api_mapping.items()}

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See :class:`pollers.aws.api.Calls`."""
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        reply = await self.reply(operation, decoded_blobs(parameters, shape))
        body: bytes = reply[BODY]
        return body

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`pollers.aws.api.RepliedCalls`."""
        try:
            reply: dict[str, Any] = await getattr(self._client, self._methods[operation])(**parameters)
        except Exception as error:
            failed = from_sdk(error, operation)
            if isinstance(failed, CredentialsExpired):
                self._session.reloading_credentials.refused()
            raise failed from error
        self._note_date(reply)
        return reply

    def _note_date(self, reply: Mapping[str, Any]) -> None:
        date = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date is not None:
            self.service_clock.read_date(date, loop_time())


def decoded_blobs(value: Any, shape: Any) -> Any:  # noqa: ANN401 - JSON of any kind, a botocore shape
    """Parameters as the SDK wants them: it encodes blobs itself, which are base64 on the wire."""
    match getattr(shape, "type_name", None):
        case "blob" if isinstance(value, str):
            return base64.b64decode(value)
        case "structure" if isinstance(value, Mapping):
            return {name: decoded_blobs(member, shape.members.get(name)) for name, member in value.items()}
        case "map" if isinstance(value, Mapping):
            return {name: decoded_blobs(member, shape.value) for name, member in value.items()}
        case "list" if isinstance(value, list | tuple):
            return [decoded_blobs(member, shape.member) for member in value]
        case _:
            return value


def json_bytes(parameters: Mapping[str, Any]) -> bytes:
    """A request's body. A receipt handle may be any text: what orjson cannot spell is escaped."""
    try:
        return orjson.dumps(parameters)
    except TypeError:
        return json.dumps(parameters).encode()
