"""The user that a cluster is read as: a secret of Secrets Manager, JSON with ``username`` and ``password``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

import orjson

from pollers.aws.errors import NotFound, Refused
from pollers.aws.wire.replies import Replies, believed

if TYPE_CHECKING:
    from pollers.aws.api import Calls

_OPERATION = "GetSecretValue"


class _Secret(TypedDict, total=False):
    SecretString: str | None


REPLIES: Final[Replies] = {_OPERATION: _Secret}


@dataclass(frozen=True, slots=True)
class User:
    """Who connects."""

    name: str
    password: str = field(repr=False)


class SecretsApi(Protocol):
    """Secrets Manager in one region, at one endpoint."""

    async def user(self, secret_arn: str) -> User:
        """The user that the current version of this secret holds (GetSecretValue). No error has anything of its content.

        Raises Refused where there is no such secret: NotFound would speak of the cluster.
        """


class SecretsClient:
    """Implements :class:`SecretsApi`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def user(self, secret_arn: str) -> User:
        """See :class:`SecretsApi`."""
        try:
            body = await self._calls.call(_OPERATION, {"SecretId": secret_arn})
        except NotFound as error:
            why = f"there is no secret {secret_arn}: correct the URI of source_access_configurations, or create it"
            raise Refused(error.code, why, status=error.status, operation=_OPERATION) from error
        text = believed(body, REPLIES, _OPERATION).get("SecretString")
        if text is None:
            raise _unusable(secret_arn, "it is binary")
        return read_user(secret_arn, text)


def read_user(secret_arn: str, text: str) -> User:
    """The user that a secret's text holds. Raises Refused, without a word of the text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _unusable(secret_arn, "it is no JSON object")
    for member in ("username", "password"):
        if not isinstance(value.get(member), str) or not value[member]:
            raise _unusable(secret_arn, f"it has no {member}")
    return User(value["username"], value["password"])


def _unusable(secret_arn: str, why: str) -> Refused:
    # The JSON error would be this one's context, and its text is that of the secret: it is raised outside the handler.
    what = f'the secret {secret_arn} cannot be used: {why}. It must be {{"username": "...", "password": "..."}}'
    return Refused("UnusableSecret", what, operation=_OPERATION)
