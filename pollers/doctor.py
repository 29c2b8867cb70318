"""``headrace check --online``: asks AWS, by calls that change nothing, whether each mapping can do its work, and names each fix."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from config.models import DynamoDBMapping, KinesisMapping, Mapping, SqsMapping
from pollers.aws.api import StartAt
from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, NotFound, Refused
from pollers.destinations import DestinationUnusable, make_destination

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from config.models import Config, StreamMapping
    from pollers.aws.api import Aws, SqsApi, StreamApi

RECEIVES_ADVISED = 5
"""lambda-behaviour 2.5: with fewer, a throttled or retried message is dead-lettered without ever having failed for good."""
VISIBILITY_MULTIPLE = 6
"""lambda-behaviour 2.6: the queue's visibility timeout should be six times the function's timeout."""
ANSWER_SECONDS = 20.0
BOGUS_HANDLE = "AQEB-headrace-check-no-such-handle"


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fix`` says what to do about it; empty when there is nothing to do."""

    mapping: str
    level: Level
    what: str
    fix: str = ""


async def examine(config: Config, aws: Aws) -> AsyncIterator[Finding]:
    """Everything found of every enabled mapping, as it is found. Never raises for what AWS answers."""
    for mapping in config.event_source_mappings.values():
        if not mapping.enabled:
            yield Finding(mapping.name, Level.NOTE, "is disabled: not looked at")
            continue
        for finding in await _examined(mapping, config, aws):
            yield finding


async def _examined(mapping: Mapping, config: Config, aws: Aws) -> list[Finding]:
    found: list[Finding] = []
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            if isinstance(mapping, SqsMapping):
                await _examine_queue(mapping, config.functions[mapping.function_name].timeout, aws, found)
            else:
                await _examine_stream(mapping, aws, found)
    except AwsError as error:
        found.append(_fault_of(mapping, error))
    except TimeoutError:
        fix = "check region, endpoint_url and the network"
        found.append(Finding(mapping.name, Level.FAULT, f"AWS did not answer within {ANSWER_SECONDS:g} s", fix))
    return found


def _fault_of(mapping: Mapping, error: AwsError) -> Finding:
    """An AWS error as what to do about it."""
    arn = mapping.arn
    if error.code in ("RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired"):
        fix = "set this machine's clock (AWS refuses requests more than five minutes off), or check the secret key"
    elif isinstance(error, NotFound):
        fix = f"create it, or correct the ARN: region {arn.region}, account {arn.account}, name {arn.resource}"
    elif isinstance(error, AccessDenied):
        fix = f"allow {error.operation or 'the call'} on {arn} to the credentials in use"
    elif isinstance(error, CredentialsExpired):
        fix = "give credentials by any way that the AWS SDK knows (environment, profile, role)"
    else:
        fix = "check region, endpoint_url and the network"
    return Finding(mapping.name, Level.FAULT, str(error), fix)


# -- queues --------------------------------------------------------------------------------------------------------------


async def _examine_queue(mapping: SqsMapping, timeout_seconds: float, aws: Aws, found: list[Finding]) -> None:
    arn = mapping.arn
    sqs = await aws.sqs(arn.region)
    url = await sqs.queue_url(arn.resource, arn.account)
    attributes = await sqs.attributes(url)
    waiting = attributes.get("ApproximateNumberOfMessages", "?")
    found.append(Finding(mapping.name, Level.OK, f"the queue exists, with about {waiting} messages"))
    found += queue_findings(mapping, timeout_seconds, attributes)
    found += [finding async for finding in _queue_permissions(mapping, sqs, url)]


def queue_findings(mapping: SqsMapping, timeout: float, attributes: dict[str, str]) -> Iterator[Finding]:
    """What a queue's attributes say of it (decider)."""
    yield _visibility(mapping, timeout, int(attributes.get("VisibilityTimeout", 30)))
    yield from _redrive(mapping, attributes.get("RedrivePolicy"))


def _visibility(mapping: SqsMapping, timeout: float, visibility: int) -> Finding:
    window = mapping.maximum_batching_window_in_seconds
    advised = int(VISIBILITY_MULTIPLE * timeout) + window
    if visibility < timeout:
        told = f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout:g} seconds"
        if mapping.visibility.heartbeat:
            fix = f"Lambda would refuse this; the heartbeat covers it here. Set the queue's visibility timeout to {advised} s"
            return Finding(mapping.name, Level.NOTE, told, fix)
        fix = f"set the queue's visibility timeout to {advised} s, or leave visibility.heartbeat on"
        return Finding(mapping.name, Level.FAULT, told, fix)
    if visibility < advised:
        what = f"visibility timeout {visibility} s; AWS advises {VISIBILITY_MULTIPLE} times the function's timeout plus the window"
        return Finding(mapping.name, Level.NOTE, what, f"set it to {advised} s")
    return Finding(
        mapping.name, Level.OK, f"visibility timeout {visibility} s suits a function timeout of {timeout:g} s"
    )


def _redrive(mapping: SqsMapping, policy: str | None) -> Iterator[Finding]:
    if not policy:
        what = "no redrive policy: a message that always fails is retried until its retention ends"
        yield Finding(
            mapping.name,
            Level.NOTE,
            what,
            f"give the queue a dead-letter queue, maxReceiveCount {RECEIVES_ADVISED} or more",
        )
        return
    told = json.loads(policy)
    receives, target = int(told.get("maxReceiveCount", 0)), told.get("deadLetterTargetArn")
    if receives < RECEIVES_ADVISED:
        what = f"maxReceiveCount is {receives}: a few restarts or throttles dead-letter a good message"
        yield Finding(mapping.name, Level.NOTE, what, f"set it to {RECEIVES_ADVISED} or more")
    else:
        yield Finding(mapping.name, Level.OK, f"dead-letter queue {target} after {receives} receives")


async def _queue_permissions(mapping: SqsMapping, sqs: SqsApi, url: str) -> AsyncIterator[Finding]:
    """Calls on a handle that no message has: refused for the handle when permitted, for the permission when not."""
    calls: dict[str, Awaitable[object]] = {
        "sqs:DeleteMessage": sqs.delete(url, [BOGUS_HANDLE]),
        "sqs:ChangeMessageVisibility": sqs.change_visibility(url, [(BOGUS_HANDLE, 30)]),
    }
    for permission, call in calls.items():
        try:
            await call
        except AccessDenied as error:
            yield Finding(mapping.name, Level.FAULT, str(error), f"allow {permission} on {mapping.event_source_arn}")
        except Refused:
            yield Finding(mapping.name, Level.OK, f"{permission} is permitted")
        else:
            yield Finding(mapping.name, Level.OK, f"{permission} is permitted")
    fix = "sqs:ReceiveMessage cannot be tried without receiving: make sure that it is allowed"
    yield Finding(mapping.name, Level.NOTE, "sqs:ReceiveMessage was not tried", fix)


# -- streams -------------------------------------------------------------------------------------------------------------


async def _examine_stream(mapping: KinesisMapping | DynamoDBMapping, aws: Aws, found: list[Finding]) -> None:
    region = mapping.arn.region
    api: StreamApi = (
        await aws.kinesis(region) if isinstance(mapping, KinesisMapping) else await aws.dynamodb_streams(region)
    )
    described = await api.describe(mapping.event_source_arn)
    found.append(_status(mapping, described.status))
    found += _retention(mapping, described.retention_seconds)
    if described.status in ("ACTIVE", "UPDATING", "ENABLED"):
        await _examine_shards(mapping, api, found)
    if mapping.on_failure is not None:
        found.append(await _destination(mapping, mapping.on_failure, aws))


def _status(mapping: Mapping, status: str) -> Finding:
    consumer = "/consumer/" in mapping.event_source_arn
    what = "consumer" if consumer else "stream"
    if status in ("ACTIVE", "UPDATING", "ENABLED"):
        return Finding(mapping.name, Level.OK, f"the {what} is {status}")
    if status in ("CREATING", "ENABLING"):
        return Finding(mapping.name, Level.NOTE, f"the {what} is {status}", "wait: it is polled once it is active")
    fix = (
        "enable the table's stream" if isinstance(mapping, DynamoDBMapping) else f"make a new {what} or correct the ARN"
    )
    return Finding(mapping.name, Level.FAULT, f"the {what} is {status}", fix)


def _retention(mapping: StreamMapping, retention: float | None) -> Iterator[Finding]:
    age = mapping.maximum_record_age_in_seconds
    if retention is None:
        return
    hours = retention / 3600
    if age > retention:
        what = f"maximum_record_age_in_seconds {age} is longer than the stream keeps records ({hours:g} h)"
        yield Finding(mapping.name, Level.NOTE, what, "raise the stream's retention, or lower the age")
    else:
        yield Finding(mapping.name, Level.OK, f"the stream keeps records for {hours:g} h")


async def _examine_shards(mapping: StreamMapping, api: StreamApi, found: list[Finding]) -> None:
    """Listing, an iterator and one read: harmless, and all that polling needs."""
    shards = await api.shards(mapping.event_source_arn)
    still_open = [shard for shard in shards if shard.ended_at is None]
    found.append(Finding(mapping.name, Level.OK, f"{len(shards)} shards listed, {len(still_open)} open"))
    if "/consumer/" in mapping.event_source_arn or not still_open:
        return
    iterator = await api.iterator(mapping.event_source_arn, still_open[0].shard_id, StartAt("LATEST"))
    await api.records(mapping.event_source_arn, iterator, 1)
    found.append(Finding(mapping.name, Level.OK, "GetShardIterator and GetRecords are permitted"))


async def _destination(mapping: StreamMapping, destination_arn: str, aws: Aws) -> Finding:
    try:
        destination = await make_destination(
            destination_arn, aws, mapping=mapping.name, event_source_arn=mapping.event_source_arn
        )
        warning = await destination.check()
    except DestinationUnusable as unusable:
        return Finding(mapping.name, Level.FAULT, str(unusable), f"create {destination_arn}, or allow its use")
    if warning is not None:
        return Finding(mapping.name, Level.NOTE, warning, "make sure that it exists and may be written to")
    return Finding(mapping.name, Level.OK, f"the on-failure destination {destination_arn} is there")
