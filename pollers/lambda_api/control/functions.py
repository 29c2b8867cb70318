"""Functions as clients read them: whole, as lists, and the account (docs/lambda 11.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.lambda_api.control.function_document import code, configuration
from pollers.lambda_api.control.made_document import made_configuration
from pollers.lambda_api.control.paging import page
from pollers.lambda_api.control.requests import only_given, query_members
from pollers.lambda_api.operations import Operation, Reply, json_reply

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.operations import Call

PATH = "/2015-03-31/functions"
ONE = f"{PATH}/{{FunctionName}}"
ITEMS_AT_MOST = 10_000
"""What may be asked for."""
ACCOUNT_LIMITS = {"TotalCodeSize": 80_530_636_800, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800}
"""Those of a new account on AWS; nothing here has these limits."""


class Functions:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        asked, pages = ("Qualifier",), ("Marker", "MaxItems")
        signing = "/2020-06-30/functions/{FunctionName}/code-signing-config"
        return (
            Operation("ListFunctions", "GET", PATH, self.list, query=("FunctionVersion", *pages)),
            Operation("GetFunction", "GET", ONE, self.get, query=asked),
            Operation("GetFunctionConfiguration", "GET", f"{ONE}/configuration", self.get_configuration, query=asked),
            Operation("ListVersionsByFunction", "GET", f"{ONE}/versions", self.list_versions, query=pages),
            Operation("ListAliases", "GET", f"{ONE}/aliases", self.list_aliases, query=pages),
            Operation("GetFunctionCodeSigningConfig", "GET", signing, self.get_signing),
            Operation("GetAccountSettings", "GET", "/2016-08-19/account-settings", self.get_account),
        )

    async def get(self, call: Call) -> Reply:
        """The function as a whole."""
        name = self._control.function(call)
        made = self._control.resources.made_of(name)
        reserved = made.reserved
        concurrency = None if reserved is None else {"ReservedConcurrentExecutions": reserved}
        document = {
            "Configuration": self._configuration(name, qualified=call.qualifier is not None),
            "Code": code(self._control.model(name)),
            **only_given(Concurrency=concurrency, Tags=dict(made.tags) or None),
        }
        return json_reply(document)

    async def get_configuration(self, call: Call) -> Reply:
        """The function without its code."""
        name = self._control.function(call)
        return json_reply(self._configuration(name, qualified=call.qualifier is not None))

    async def list(self, call: Call) -> Reply:
        """All functions, by name."""
        members = query_members(call.query)
        versions = members.choice("FunctionVersion", ("ALL",))
        members.check()
        shown, more = page(self._control.models(), call.query, ITEMS_AT_MOST)
        found = [self._configuration(name, listed=True, qualified=versions is not None) for name in shown]
        return json_reply({"Functions": found, **more})

    async def list_versions(self, call: Call) -> Reply:
        """The one that there is."""
        name = self._control.function(call)
        shown, more = page([name], call.query, ITEMS_AT_MOST)
        found = [self._configuration(one, listed=True, qualified=True) for one in shown]
        return json_reply({"Versions": found, **more})

    async def list_aliases(self, call: Call) -> Reply:
        """There are none."""
        self._control.function(call)
        return json_reply({"Aliases": []})

    async def get_signing(self, call: Call) -> Reply:
        """None is configured. Terraform asks for it whenever it reads a function."""
        self._control.function(call)
        return json_reply({})

    async def get_account(self, call: Call) -> Reply:
        """What the functions may run together."""
        models = self._control.models()
        free = [name for name in models if self._control.resources.made_of(name).reserved is None]
        limits = {
            **ACCOUNT_LIMITS,
            "ConcurrentExecutions": sum(model.concurrency for model in models.values()),
            "UnreservedConcurrentExecutions": sum(models[name].concurrency for name in free),
        }
        sizes = (entry.made.code.size for name in models if (entry := self._control.made_function(name)) is not None)
        usage = {"TotalCodeSize": sum(sizes), "FunctionCount": len(models)}
        return json_reply({"AccountLimit": limits, "AccountUsage": usage})

    def _configuration(self, name: str, *, listed: bool = False, qualified: bool = False) -> dict[str, Any]:
        control = self._control
        made, entry = control.resources.made_of(name), control.made_function(name)
        if entry is not None:
            return made_configuration(entry, made, control.here, listed=listed, qualified=qualified)
        return configuration(name, control.model(name), made, control.here, listed=listed, qualified=qualified)
