"""All AWS clients of the process: one for each service, region and endpoint, made when first needed, closed together."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import anyio
from aiobotocore.config import AioConfig

from pollers.aws.wire.calls import READ_SECONDS, SdkCalls
from pollers.aws.wire.classify import from_sdk
from pollers.aws.wire.collector import tune_gc
from pollers.aws.wire.direct import DirectCalls
from pollers.aws.wire.passthrough import BoundedSession, Session
from pollers.clocks.clock import Clock, SystemClock
from pollers.clocks.service import ServiceClock

if TYPE_CHECKING:
    from types import TracebackType

    from config.models import Aws as AwsModel
    from pollers.aws.api import AwsService, Calls, ClientT

__all__ = ["AwsClients", "tune_gc"]

PLAIN_SDK = "HEADRACE_PLAIN_SDK"
"""Set to 1 in the environment: every call goes through the SDK's own clients, which is slower."""
CONNECTIONS_AT_MOST = 1024
"""The limit of one SDK client. Permits bound the callers already, and a delete must not wait for a connection behind long polls."""
LONGEST_POLL_SECONDS = 20


class AwsClients:
    """Implements :class:`pollers.aws.api.Aws` on aiobotocore. Enter it before its first use; leaving closes every client.

    Making a client reads files and may ask metadata services: mappings ask for theirs before they poll.
    """

    def __init__(self, aws: AwsModel, clock: Clock | None = None) -> None:
        self._aws = aws
        self._clock = clock or SystemClock()
        self._session = Session()
        self._made: dict[tuple[str, str], Any] = {}
        self._making = anyio.Lock()
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._exits.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._exits.__aexit__(kind, error, traceback)
        self._made.clear()

    async def client(self, service: AwsService[ClientT], region: str) -> ClientT:
        """See :class:`pollers.aws.api.Aws`."""
        key = (service.name, region)
        async with self._making:
            if key not in self._made:
                self._made[key] = await self._make(service, region)
            client: ClientT = self._made[key]
            return client

    def endpoint_url(self, service: AwsService[Any]) -> str | None:
        """The configured endpoint of ``service``; None leaves it to the SDK (its environment and profiles, then AWS)."""
        urls = self._aws.endpoint_urls
        given = (getattr(urls, option) for option in service.endpoint_options)
        return next((url for url in given if url), self._aws.endpoint_url)

    async def _make(self, service: AwsService[ClientT], region: str) -> ClientT:
        endpoint_url = self.endpoint_url(service)
        context = self._session.create_client(
            service.name, region_name=region or None, endpoint_url=endpoint_url, config=_sdk_config(endpoint_url)
        )
        try:
            client = await self._exits.enter_async_context(context)
        except Exception as error:
            raise from_sdk(error, f"client of {service.name}") from error
        return service.make_client(SdkConnection(client, self._session, self._clock, self._exits))


class SdkConnection:
    """Implements :class:`pollers.aws.api.Connection` on a client of the SDK."""

    def __init__(self, client: Any, session: Session, clock: Clock, exits: AsyncExitStack) -> None:  # noqa: ANN401 - the SDK's clients have no types
        self.sdk = SdkCalls(client, session, ServiceClock())
        self._client = client
        self._session = session
        self._clock = clock
        self._exits = exits

    def direct(self) -> Calls:
        """See :class:`pollers.aws.api.Connection`; the SDK's own calls where the environment asks for them."""
        if os.environ.get(PLAIN_SDK) == "1":
            return self.sdk
        calls = DirectCalls(self._client, self._session, self._clock, self.sdk.service_clock)
        self._exits.push_async_callback(calls.aclose)
        return calls


def _sdk_config(endpoint_url: str | None) -> AioConfig:
    """No retries (pollers back off themselves, and a receive must not be doubled), no validation, patience for long polls."""
    own_endpoint: dict[str, Any] = {}
    if endpoint_url is not None:
        # Other services that offer S3's API may support neither bucket host names nor trailing checksums.
        own_endpoint = {"s3": {"addressing_style": "path"}, "request_checksum_calculation": "when_required"}
    return AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
        max_pool_connections=CONNECTIONS_AT_MOST,
        connect_timeout=10,
        read_timeout=LONGEST_POLL_SECONDS + READ_SECONDS,
        warm_up_loader_caches=True,
        http_session_cls=BoundedSession,
        **own_endpoint,
    )
