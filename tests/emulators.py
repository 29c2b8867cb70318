"""AWS emulators for tests: one of each kind for a test process, started when a test first asks for it.

Tests share an emulator, so they use names of their own (:func:`unique`) and never reset it.
"""

from __future__ import annotations

import uuid
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession

from pollers.emulators import (
    Emulator,
    EmulatorUnavailable,
    KinesisLocal,
    LocalStack,
    Ministack,
    Recipe,
    SecantusDB,
    secantusdb_unsupported,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
"""What every test process runs with: no AWS account of the developer's is ever touched."""


def unique(prefix: str, suffix: str = "") -> str:
    """A resource name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}{suffix}"


@cache
def _session() -> AioSession:
    """One for the process: it keeps the service models that it has read."""
    return AioSession()


def plain_client(emulator: Emulator, service: str) -> AbstractAsyncContextManager[Any]:
    """A stock aiobotocore client of ``emulator``, to prepare and inspect what the code under test works on."""
    client: AbstractAsyncContextManager[Any] = _session().create_client(
        service,
        region_name=emulator.region,
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    return client


@contextmanager
def running(recipe: Recipe) -> Iterator[Emulator]:
    """``recipe`` installed and started; a test that needs it fails, with the reason, where that cannot be done."""
    try:
        context = started(recipe)
        emulator = context.__enter__()
    except EmulatorUnavailable as unavailable:
        pytest.fail(str(unavailable), pytrace=False)
    try:
        yield emulator
    finally:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def ministack() -> Iterator[Emulator]:
    """SQS, DynamoDB Streams, Kinesis without resharding, enhanced fan-out, SNS and S3."""
    with running(Ministack()) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def kinesis_local() -> Iterator[Emulator]:
    """Kinesis with splits, merges, lineage and expiring iterators. Needs node and npm."""
    with running(KinesisLocal()) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def localstack() -> Iterator[Emulator]:
    """LocalStack: the most faithful SQS, Kinesis, SNS and S3. Needs node and npm for Kinesis."""
    with running(LocalStack()) as emulator:
        yield emulator


NO_SECANTUSDB = secantusdb_unsupported()
NEEDS_SECANTUSDB = pytest.mark.skipif(NO_SECANTUSDB is not None, reason=f"no SecantusDB here: {NO_SECANTUSDB}")
"""On tests that start servers of their own; those that use the fixture need no mark."""


@pytest.fixture(scope="session")
def secantusdb() -> Iterator[Emulator]:
    """Change streams as MongoDB has them. Tests use databases of their own. Skips on machines that it has no package for."""
    if NO_SECANTUSDB is not None:
        pytest.skip(f"no SecantusDB here: {NO_SECANTUSDB}")
    with running(SecantusDB()) as emulator:
        yield emulator
