"""Reports to another function, which is invoked asynchronously with the report: one that runs here, or one in AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.targets import Target
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable, Messaged
from pollers.destinations.limits import FUNCTION_BYTES, check_size

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import FunctionsApi
    from pollers.destinations.destination import OwnFunctions, Use, Ways


class FunctionDestination:
    """A function that takes reports; implements ``Destination``. Where it runs is found out each time: a reload may change that."""

    def __init__(self, arn: Arn, ways: Ways, use: Use) -> None:
        self._arn = arn
        self._ways = ways
        self._use = use

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return self._arn.text

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        if self._own() is not None:
            return None
        try:
            await (await self._elsewhere()).check_function(self.arn)
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the {self._use.called} function {self.arn} cannot be used ({error}); it neither runs here nor is it found "
                f"in AWS: create it, or correct {self._use.setting}"
            ) from error
        except AccessDenied as error:
            return f"whether the {self._use.called} function {self.arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, report: Messaged) -> None:
        """See ``Destination.deliver``."""
        event = report.message().body.encode()
        check_size(len(event), FUNCTION_BYTES, "a function")
        own = self._own()
        if own is not None:
            await own.accept(self.arn, event)
        else:
            await (await self._elsewhere()).invoke_event(self.arn, event)

    def _own(self) -> OwnFunctions | None:
        own = self._ways.own_functions
        return own if own is not None and own.has(self.arn) else None

    async def _elsewhere(self) -> FunctionsApi:
        return await self._ways.aws.client(services.FUNCTIONS, self._arn.region)


async def _make(arn: Arn, ways: Ways, use: Use) -> FunctionDestination:
    return FunctionDestination(arn, ways, use)


FUNCTION: DestinationKind[Messaged] = DestinationKind(Target.FUNCTION, _make)
