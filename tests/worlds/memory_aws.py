"""One region of AWS in memory: what pollers are made from in production is made from it in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import AwsService

C = TypeVar("C")


class MemoryAws:
    """An :class:`pollers.aws.api.Aws` of the services in memory that it is given, by the service's name."""

    def __init__(self, services: Mapping[str, object]) -> None:
        self._services = services

    async def client(self, service: AwsService[C], region: str) -> C:
        """See ``Aws.client``. Raises LookupError for a service that this region has not."""
        if service.name not in self._services:
            raise LookupError(f"no {service.name} in this region")
        return cast("C", self._services[service.name])
