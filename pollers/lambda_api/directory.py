"""The functions that the API knows, by every form of their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.lambda_api.errors import conflict
from pollers.lambda_api.names import LATEST, Here, Named, named, not_there

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.functions import FunctionHost
    from pollers.lambda_api.operations import Call
    from pollers.made_functions import FunctionRegister

PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
"""Of a function that is being made (docs/lambda 16.9)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A function that there is. ``named.qualifier`` is ``$LATEST`` or None: there are no other versions, and no aliases."""

    named: Named
    host: FunctionHost
    arn: str
    """Its ARN without a qualifier."""


class Directory:
    """Looks functions up for each call, so that a reload needs nothing of it. ``made``: functions that the API made."""

    def __init__(self, functions: Mapping[str, FunctionHost], here: Here, made: FunctionRegister | None = None) -> None:
        self._functions = functions
        self._made = made
        self.here = here

    @property
    def functions(self) -> Mapping[str, FunctionHost]:
        """All that run, by name, those that are hidden too."""
        return self._functions

    def hides(self, name: str) -> bool:
        """Whether what runs under a name is a function that has been deleted."""
        return self._made is not None and self._made.hides(name)

    def of(self, call: Call) -> Found:
        """The function in the path's ``FunctionName``, with the query's ``Qualifier``. Raises ApiError, see :meth:`find`."""
        return self.find(call.parameters["FunctionName"], call.qualifier)

    def find(self, given: str, qualifier: str | None = None) -> Found:
        """The function of a name, ARN or part of one. Raises ApiError in Lambda's order and words (docs/lambda 11.3)."""
        what = named(given, qualifier, self.here)
        host = self._functions.get(what.name)
        if what.account != self.here.account or what.qualifier not in (None, LATEST):
            raise not_there(what, self.here)
        if host is None or self.hides(what.name):
            if self._made is not None and self._made.find(what.name) is not None:
                raise conflict(PENDING)
            raise not_there(what, self.here)
        return Found(what, host, self.here.arn(what.name))
