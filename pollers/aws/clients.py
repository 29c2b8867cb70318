"""Every AWS client of the process: one for each service, region and endpoint, made when first asked for, closed together."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import anyio
from aiobotocore.config import AioConfig

from pollers.aws.dynamodb_streams import DynamoDBStreamsClient
from pollers.aws.kinesis import KinesisClient
from pollers.aws.s3 import S3Client
from pollers.aws.sns import SnsClient
from pollers.aws.sqs import SqsClient
from pollers.aws.wire.calls import READ_SECONDS, Calls, SdkCalls
from pollers.aws.wire.classify import from_sdk
from pollers.aws.wire.collector import tune_gc
from pollers.aws.wire.direct import DirectCalls
from pollers.aws.wire.passthrough import BoundedSession, Session
from pollers.clocks.clock import Clock, SystemClock
from pollers.clocks.service import ServiceClock

if TYPE_CHECKING:
    from types import TracebackType

    from config.models import Aws as AwsModel
    from pollers.aws.api import FanOutApi, S3Api, SnsApi, SqsApi, StreamApi

__all__ = ["AwsClients", "tune_gc"]

PLAIN_SDK = "HEADRACE_PLAIN_SDK"
"""Set to 1 in the environment: every call goes through the SDK's own clients, whatever that costs."""
CONNECTIONS_AT_MOST = 1024
"""Of one SDK client. Callers are bounded by their permits, and a delete must never wait behind long polls for a connection."""
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

    async def sqs(self, region: str) -> SqsApi:
        """See :class:`pollers.aws.api.Aws`."""
        api: SqsApi = await self._client("sqs", region)
        return api

    async def kinesis(self, region: str) -> FanOutApi:
        """See :class:`pollers.aws.api.Aws`."""
        api: FanOutApi = await self._client("kinesis", region)
        return api

    async def dynamodb_streams(self, region: str) -> StreamApi:
        """See :class:`pollers.aws.api.Aws`."""
        api: StreamApi = await self._client("dynamodbstreams", region)
        return api

    async def sns(self, region: str) -> SnsApi:
        """See :class:`pollers.aws.api.Aws`."""
        api: SnsApi = await self._client("sns", region)
        return api

    async def s3(self, region: str) -> S3Api:
        """See :class:`pollers.aws.api.Aws`."""
        api: S3Api = await self._client("s3", region)
        return api

    def endpoint_url(self, service: str) -> str | None:
        """The configured endpoint of ``service``; None leaves it to the SDK (its environment and profiles, then AWS)."""
        urls = self._aws.endpoint_urls
        own: str | None = getattr(urls, service, None)
        if service == "dynamodbstreams":
            own = own or urls.dynamodb
        return own or self._aws.endpoint_url

    async def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - typed by its callers
        key = (service, region)
        async with self._making:
            if key not in self._made:
                self._made[key] = await self._make(service, region)
            return self._made[key]

    async def _make(self, service: str, region: str) -> object:
        endpoint_url = self.endpoint_url(service)
        context = self._session.create_client(
            service, region_name=region or None, endpoint_url=endpoint_url, config=_sdk_config(endpoint_url)
        )
        try:
            client = await self._exits.enter_async_context(context)
        except Exception as error:
            raise from_sdk(error, f"client of {service}") from error
        service_clock = ServiceClock()
        sdk = SdkCalls(client, self._session, service_clock)
        if service == "sns":
            return SnsClient(sdk)
        if service == "s3":
            return S3Client(sdk)
        calls = self._calls(client, sdk, service_clock)
        if service == "sqs":
            return SqsClient(calls)
        if service == "kinesis":
            return KinesisClient(calls, sdk, service_clock)
        return DynamoDBStreamsClient(calls, service_clock)

    def _calls(self, client: Any, sdk: SdkCalls, service_clock: ServiceClock) -> Calls:  # noqa: ANN401 - the SDK's clients have no types
        if os.environ.get(PLAIN_SDK) == "1":
            return sdk
        direct = DirectCalls(client, self._session, self._clock, service_clock)
        self._exits.push_async_callback(direct.aclose)
        return direct


def _sdk_config(endpoint_url: str | None) -> AioConfig:
    """No retries (pollers back off themselves, and a receive must not be doubled), no validation, patience for long polls."""
    own_endpoint: dict[str, Any] = {}
    if endpoint_url is not None:
        # What stands in for S3 elsewhere may know neither bucket host names nor trailing checksums.
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
