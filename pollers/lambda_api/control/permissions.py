"""Resource policies: statements that clients add, kept and shown and never demanded (docs/lambda 11.12, 13.7)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pollers.lambda_api import errors
from pollers.lambda_api.control.requests import Members, members_of
from pollers.lambda_api.control.url_configs import AUTH_TYPES
from pollers.lambda_api.names import LATEST
from pollers.lambda_api.operations import Operation, Reply, empty_reply, json_reply
from pollers.resources import changes
from pollers.resources.errors import AlreadyMade, NotMade

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.errors import ApiError
    from pollers.lambda_api.operations import Call

PATH = "/2015-03-31/functions/{FunctionName}/policy"
POLICY_LIMIT_BYTES = 20_480
SID_PATTERN = "([a-zA-Z0-9-_]+)"
ACTION_PATTERN = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"
PRINCIPAL_PATTERN = r"[^\s]+"
ARN_PATTERN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_TEXTS = (
    "StatementId",
    "Action",
    "Principal",
    "SourceArn",
    "SourceAccount",
    "EventSourceToken",
    "FunctionUrlAuthType",
    "PrincipalOrgID",
    "RevisionId",
)
BODY = {
    "type": "object",
    "properties": {**{name: {"type": "string"} for name in _TEXTS}, "InvokedViaFunctionUrl": {"type": "boolean"}},
}


class Permissions:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        return (
            Operation("AddPermission", "POST", PATH, self.add, (201,), body=BODY, query=("Qualifier",)),
            Operation("GetPolicy", "GET", PATH, self.get, query=("Qualifier",)),
            Operation(
                "RemovePermission",
                "DELETE",
                f"{PATH}/{{StatementId}}",
                self.remove,
                (204,),
                query=("Qualifier", "RevisionId"),
            ),
        )

    async def add(self, call: Call) -> Reply:
        """Adds a statement; the reply has it as a text."""
        members = members_of(call.body)
        if self._control.named(call).qualifier == LATEST:
            raise errors.invalid_parameter("We currently do not support adding policies for $LATEST.")
        name = self._control.function(call)
        self._check_revision(name, members.text("RevisionId"))
        sid = members.text("StatementId", pattern=SID_PATTERN, least=1, most=100, required=True) or ""
        statement = _statement(sid, self._control.here.arn(name), members)
        statements = self._control.resources.made_of(name).statements
        if sid not in statements:
            _check_length([*statements.values(), statement])
        try:
            await self._control.change(name, changes.add_statement(sid, statement))
        except AlreadyMade:
            raise errors.conflict(
                f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing "
                "statement."
            ) from None
        return json_reply({"Statement": _compact(statement)}, 201)

    async def get(self, call: Call) -> Reply:
        """The whole policy as a text: Terraform looks for its statement in it."""
        name = self._control.function(call)
        statements = self._control.resources.made_of(name).statements
        if not statements:
            raise errors.not_found("The resource you requested does not exist.")
        return json_reply({"Policy": _policy(statements.values()), "RevisionId": self._revision(name)})

    async def remove(self, call: Call) -> Reply:
        """Removes a statement, and with the last one the policy."""
        named = self._control.named(call)
        if not self._control.has(named.name):
            raise errors.not_found(f"No policy found for: {self._control.here.arn(named.name)}")
        name, sid = self._control.function(call), call.parameters["StatementId"]
        statements = self._control.resources.made_of(name).statements
        if not statements:
            raise errors.not_found("No policy is associated with the given resource.")
        if sid in statements:
            self._check_revision(name, call.query.get("RevisionId"))
        try:
            await self._control.change(name, changes.remove_statement(sid))
        except NotMade:
            raise errors.not_found(f"Statement {sid} is not found in resource policy.") from None
        return empty_reply()

    def _revision(self, name: str) -> str:
        return self._control.revision_id(name)

    def _check_revision(self, name: str, given: str | None) -> None:
        if given and given != self._revision(name):
            raise errors.wrong_revision()


def _statement(sid: str, resource: str, members: Members) -> dict[str, Any]:
    """The statement that the document asks for, its members in AWS's order. Raises ApiError for all that is wrong."""
    action = members.text("Action", pattern=ACTION_PATTERN, most=10_000, required=True)
    principal = members.text("Principal", pattern=PRINCIPAL_PATTERN, most=2048, required=True) or ""
    condition = _condition(members)
    members.check()
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(principal),
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


def _principal(given: str) -> str | dict[str, str]:
    """As AWS writes it: whether an account, user or role exists is not asked."""
    if given == "*":
        return given
    if re.fullmatch(r"[0-9]{12}", given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith("arn:"):
        return {"AWS": given}
    if "." in given:
        return {"Service": given}
    raise errors.invalid_parameter("The provided principal was invalid. Please check the principal and try again.")


def _condition(members: Members) -> dict[str, dict[str, str]]:
    equals = {
        "AWS:SourceAccount": members.text("SourceAccount", pattern=r"\d{12}", most=12),
        "lambda:FunctionUrlAuthType": members.choice("FunctionUrlAuthType", AUTH_TYPES),
        "aws:PrincipalOrgID": members.text("PrincipalOrgID", pattern="o-[a-z0-9]{10,32}", least=12, most=34),
        "lambda:EventSourceToken": members.text("EventSourceToken", pattern=r"[a-zA-Z0-9._\-]+", most=256),
    }
    source = members.text("SourceArn", pattern=ARN_PATTERN, most=10_000)
    by_url = members.flag("InvokedViaFunctionUrl")
    tests = {
        "StringEquals": {key: value for key, value in equals.items() if value is not None},
        "ArnLike": {"AWS:SourceArn": source} if source is not None else {},
        "Bool": {"lambda:InvokedViaFunctionUrl": "true" if by_url else "false"} if by_url is not None else {},
    }
    return {test: values for test, values in tests.items() if values}


def _check_length(statements: Iterable[Mapping[str, Any]]) -> None:
    length = len(_policy(statements).encode())
    if length > POLICY_LIMIT_BYTES:
        raise _too_long(length)


def _too_long(length: int) -> ApiError:
    text = f"The final policy size ({length}) is bigger than the limit ({POLICY_LIMIT_BYTES})."
    return errors.ApiError(400, "PolicyLengthExceededException", text)


def _policy(statements: Iterable[Mapping[str, Any]]) -> str:
    return _compact({"Version": "2012-10-17", "Id": "default", "Statement": list(statements)})


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
