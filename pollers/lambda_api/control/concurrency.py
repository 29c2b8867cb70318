"""Reserved concurrency, and what becomes of endless chains of invocations (docs/lambda 12.8, 12.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.lambda_api import errors
from pollers.lambda_api.control.requests import members_of
from pollers.lambda_api.names import LATEST
from pollers.lambda_api.operations import Operation, Reply, empty_reply, json_reply
from pollers.resources import changes

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.operations import Call

PATH = "/2017-10-31/functions/{FunctionName}/concurrency"
READ_PATH = "/2019-09-30/functions/{FunctionName}/concurrency"
RECURSION_PATH = "/2024-08-31/functions/{FunctionName}/recursion-config"
RECURSION = ("Terminate", "Allow")
"""What may be said, the default first."""
_UNQUALIFIED = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
    "Please specify either a function name or an unqualified function ARN."
)


class Concurrency:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        number = {"type": "object", "properties": {"ReservedConcurrentExecutions": {"type": "integer", "minimum": 0}}}
        word = {"type": "object", "properties": {"RecursiveLoop": {"type": "string", "enum": list(RECURSION)}}}
        return (
            Operation("PutFunctionConcurrency", "PUT", PATH, self.put, body=number),
            Operation("GetFunctionConcurrency", "GET", READ_PATH, self.get),
            Operation("DeleteFunctionConcurrency", "DELETE", PATH, self.delete, (204,)),
            Operation("PutFunctionRecursionConfig", "PUT", RECURSION_PATH, self.put_recursion, body=word),
            Operation("GetFunctionRecursionConfig", "GET", RECURSION_PATH, self.get_recursion),
        )

    async def put(self, call: Call) -> Reply:
        """Reserves: no more invocations than that are begun from now on. 0 begins none."""
        name = self._control.named(call)
        if name.qualifier is not None:
            raise errors.invalid_parameter(_UNQUALIFIED)
        if not self._control.exists(name):
            raise errors.function_not_found(name.arn(self._control.here))
        members = members_of(call.body)
        reserved = members.integer("ReservedConcurrentExecutions", least=0, required=True)
        members.check()
        await self._control.change(name.name, changes.reserve(reserved))
        return json_reply({"ReservedConcurrentExecutions": reserved})

    async def get(self, call: Call) -> Reply:
        """What is reserved; an empty document where nothing is."""
        reserved = self._control.resources.made_of(self._function(call)).reserved
        return json_reply({} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    async def delete(self, call: Call) -> Reply:
        """Takes the reservation back, also where there is none."""
        await self._control.change(self._function(call), changes.reserve(None))
        return empty_reply()

    async def put_recursion(self, call: Call) -> Reply:
        """Keeps what is said; see docs/differences.md for its effect."""
        name, members = self._function(call), members_of(call.body)
        said = members.choice("RecursiveLoop", RECURSION, required=True)
        members.check()
        await self._control.change(name, changes.set_recursion(said or RECURSION[0]))
        return json_reply({"RecursiveLoop": said})

    async def get_recursion(self, call: Call) -> Reply:
        """What was said last."""
        said = self._control.resources.made_of(self._function(call)).recursion
        return json_reply({"RecursiveLoop": said or RECURSION[0]})

    def _function(self, call: Call) -> str:
        if self._control.named(call).qualifier not in (None, LATEST):
            raise errors.invalid_parameter(_UNQUALIFIED)
        return self._control.function(call)
