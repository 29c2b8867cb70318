"""Services behind the contract tests, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import AsyncMongoClient

from config.models import Aws
from pollers.aws import services
from pollers.aws.services.clients import PLAIN_SDK, AwsClients
from pollers.emulators import SecantusDB
from tests.contract.change_services import LOG_ENTRIES, ClusterService, EmulatedCluster, InMemoryCluster
from tests.contract.lease_tables import EmulatedLeaseTables, LeaseTables, MemoryLeaseTables
from tests.contract.sqs_services import EmulatorSqs, InMemorySqs, SqsService
from tests.contract.stream_services import EmulatedDynamoDB, EmulatedKinesis, InMemoryStream, StreamService
from tests.emulators import NO_SECANTUSDB, plain_client, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pollers.emulators import Emulator

_EMULATED = (pytest.mark.emulator, pytest.mark.timeout(900))
STALE_DELETE_FAILS = "a deleted message's handle is refused (AWS: success)"
_SQS_DEPARTURES = {"ministack": frozenset({STALE_DELETE_FAILS})}


@pytest.fixture(
    params=[
        "memory",
        pytest.param("ministack", marks=_EMULATED),
        pytest.param("ministack through the SDK", marks=_EMULATED),
        pytest.param("localstack", marks=_EMULATED),
    ]
)
async def sqs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqsService]:
    """SQS in each of its forms."""
    if request.param == "memory":
        yield InMemorySqs()
        return
    name = request.param.partition(" ")[0]
    if request.param.endswith("SDK"):
        monkeypatch.setenv(PLAIN_SDK, "1")
    emulator: Emulator = request.getfixturevalue(name)
    async with (
        AwsClients(Aws(endpoint_url=emulator.endpoint_url)) as clients,
        plain_client(emulator, "sqs") as sdk,
    ):
        api = await clients.client(services.SQS, "us-east-1")
        yield EmulatorSqs(api, sdk, _SQS_DEPARTURES.get(name, frozenset()))


@pytest.fixture
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[StreamService]:
    """Kinesis or DynamoDB Streams in the form that the test asks for (:func:`tests.contract.stream_services.on`)."""
    name, kind = request.param.split()
    if name == "memory":
        yield InMemoryStream(kind)
        return
    emulator: Emulator = request.getfixturevalue(name)
    async with (
        AwsClients(Aws(endpoint_url=emulator.endpoint_url)) as clients,
        plain_client(emulator, kind) as sdk,
    ):
        if kind == "kinesis":
            yield EmulatedKinesis(await clients.client(services.KINESIS, "us-east-1"), sdk)
        else:
            yield EmulatedDynamoDB(await clients.client(services.DYNAMODB_STREAMS, "us-east-1"), sdk)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("ministack", marks=_EMULATED),
        pytest.param("ministack through the SDK", marks=_EMULATED),
    ]
)
async def lease_tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LeaseTables]:
    """Lease tables in each of their forms."""
    if request.param == "memory":
        yield MemoryLeaseTables()
        return
    if request.param.endswith("SDK"):
        monkeypatch.setenv(PLAIN_SDK, "1")
    emulator: Emulator = request.getfixturevalue("ministack")
    async with (
        AwsClients(Aws(endpoint_url=emulator.endpoint_url)) as clients,
        plain_client(emulator, "dynamodb") as sdk,
    ):
        yield EmulatedLeaseTables(await clients.client(services.DYNAMODB, "us-east-1"), sdk)


@pytest.fixture(scope="module")
def short_log() -> Iterator[Emulator]:
    """SecantusDB with a log of few entries."""
    if NO_SECANTUSDB is not None:
        pytest.skip(f"no SecantusDB here: {NO_SECANTUSDB}")
    with running(SecantusDB(log_entries=LOG_ENTRIES)) as emulator:
        yield emulator


@pytest.fixture(params=["memory", pytest.param("secantusdb", marks=_EMULATED)])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[ClusterService]:
    """A cluster with change streams in each of its forms."""
    if request.param == "memory":
        yield InMemoryCluster()
        return
    emulator: Emulator = request.getfixturevalue("short_log")
    async with AsyncMongoClient[dict[str, Any]]("127.0.0.1", emulator.port) as writer:
        yield EmulatedCluster(emulator, writer)
