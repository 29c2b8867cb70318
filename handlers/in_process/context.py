"""The ``context`` that in-process handlers are given: what Lambda's Python runtime passes as second argument."""

from __future__ import annotations

import json
import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from awslambdaric.lambda_context import Client, ClientContext, make_obj_from_dict
from awslambdaric.lambda_runtime_exception import FaultException

from handlers.logs import machine_memory_mib

FUNCTION_VERSION = "$LATEST"


def _log_stream() -> str:
    return f"{datetime.now(UTC):%Y/%m/%d}/[{FUNCTION_VERSION}]{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stays the same over a function's invocations."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str = field(default_factory=lambda: str(machine_memory_mib()))
    log_stream_name: str = field(default_factory=_log_stream)
    log_group: str | None = None

    @property
    def log_group_name(self) -> str:
        """The function's log group: the configured one, or what Lambda calls it."""
        return self.log_group or f"/aws/lambda/{self.function_name}"


class CognitoIdentity:
    """The identity that authorised the request: none here."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None

    def __repr__(self) -> str:
        return "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])"


class LambdaContext:
    """One invocation's context, with the attributes and methods of Lambda's own (docs/lambda 8.4).

    The deadline is kept on the monotonic clock, so that a wall clock that jumps moves no deadline.
    """

    def __init__(
        self, surroundings: Surroundings, request_id: str, timeout_seconds: float, client_context: str | None = None
    ) -> None:
        """``client_context`` is JSON. Raises what AWS's client would for any that is none, as the invocation's failure."""
        self.aws_request_id = request_id
        self.function_name = surroundings.function_name
        self.function_version = FUNCTION_VERSION
        self.invoked_function_arn = surroundings.invoked_function_arn
        self.memory_limit_in_mb = surroundings.memory_limit_in_mb
        self.log_group_name = surroundings.log_group_name
        self.log_stream_name = surroundings.log_stream_name
        self.identity = CognitoIdentity()
        self.client_context = _client_context(client_context) if client_context else None
        self.tenant_id: None = None
        self._deadline = time.monotonic() + timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is stopped, never below 0."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        """Write to stdout, as Lambda's context does."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        return f"LambdaContext([aws_request_id={self.aws_request_id},function_name={self.function_name}])"


def _client_context(text: str) -> ClientContext:
    """What AWS's client makes of it: an object with ``client``, ``custom`` and ``env``."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"Unable to parse Client Context JSON: {error}"
        raise FaultException(FaultException.LAMBDA_CONTEXT_UNMARSHAL_ERROR, message, None) from None
    made = make_obj_from_dict(ClientContext, given)
    if made is not None:
        made.client = make_obj_from_dict(Client, made.client)
    return made
