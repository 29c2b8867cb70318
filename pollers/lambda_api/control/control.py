"""What control operations need: functions, what was made of them, and where this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pollers.lambda_api import errors
from pollers.lambda_api.control.function_document import revision_id
from pollers.lambda_api.control.made_document import made_revision_id
from pollers.lambda_api.names import LATEST, Named, named
from pollers.resources.errors import GivenByConfiguration
from pollers.storage import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import FunctionModel
    from pollers.lambda_api.directory import Directory
    from pollers.lambda_api.names import Here
    from pollers.lambda_api.operations import Call
    from pollers.made_functions import Entry, FunctionRegister
    from pollers.made_mappings import MappingRegister
    from pollers.resources import Resources
    from pollers.resources.changes import Change
    from pollers.telemetry.facts import Outcome

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Control:
    """``directory``: the functions that there are. ``url_of``: where the URL of a function is reached, if it has one.

    ``result_of``: how a mapping's last batch went, by the mapping's name; None when there was none yet. ``functions``: those that
    the API made; None where it makes none.
    """

    resources: Resources
    directory: Directory
    mappings: MappingRegister
    url_of: Callable[[str], str]
    result_of: Callable[[str], Outcome | None]
    functions: FunctionRegister | None = None

    @property
    def here(self) -> Here:
        """Region and account."""
        return self.directory.here

    def models(self) -> dict[str, FunctionModel]:
        """The functions that there are now, by name."""
        hosts = {name: host.model for name, host in self.directory.functions.items() if not self.directory.hides(name)}
        made = self.functions.names() if self.functions is not None else ()
        return {**hosts, **{name: entry.model for name in made if (entry := self.made_function(name)) is not None}}

    def made_function(self, name: str) -> Entry | None:
        """The function of this name that the API made, if it is one."""
        return self.functions.find(name) if self.functions is not None else None

    def has(self, name: str) -> bool:
        """Whether there is a function of this name."""
        if self.made_function(name) is not None:
            return True
        return name in self.directory.functions and not self.directory.hides(name)

    def named(self, call: Call) -> Named:
        """The function that a call names. Raises ApiError; whether it exists is not asked."""
        return named(call.parameters["FunctionName"], call.qualifier, self.here)

    def exists(self, name: Named) -> bool:
        """Whether there is such a function, and the version or alias that is named: there is none but ``$LATEST``."""
        ours = name.account == self.here.account and self.has(name.name)
        return ours and name.qualifier in (None, LATEST)

    def model(self, name: str) -> FunctionModel:
        """The configuration of a function that exists."""
        entry = self.made_function(name)
        return entry.model if entry is not None else self.directory.functions[name].model

    def revision_id(self, name: str) -> str:
        """The revision of a function that exists, and of its policy: another one after each change (docs/lambda 11.12)."""
        made, entry = self.resources.made_of(name), self.made_function(name)
        return revision_id(made) if entry is None else made_revision_id(entry, made)

    def function(self, call: Call) -> str:
        """The name of the function that a call names. Raises ApiError, 404 in the words of most operations.

        The ARN in it has the qualifier only where one was asked for (docs/lambda 11.11).
        """
        name = self.named(call)
        if not self.exists(name):
            raise errors.function_not_found(self._as_asked(name))
        return name.name

    def _as_asked(self, name: Named) -> str:
        with_latest = name.arn(self.here)
        return with_latest if name.qualifier is not None else with_latest.removesuffix(f":{LATEST}")

    async def change(self, name: str, change: Change[T]) -> T:
        """Change what was made of a function.

        Raises ApiError where the configuration gives it (409) and where the disk refuses (500), and the change's other errors.
        """
        try:
            return await self.resources.change(name, change)
        except GivenByConfiguration as given:
            raise errors.conflict(str(given)) from None
        except (StoreError, TimeoutError) as error:
            text = str(error) or "the disk did not answer"
            raise errors.service_error(f"the change was not kept: {text}") from error
