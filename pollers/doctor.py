"""``headrace check --online``: asks AWS, by calls that change nothing, whether each mapping can do its work, and names each fix."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from config import parse_arn
from config.models import DynamoDBMapping, KinesisMapping, Mapping, SqsMapping
from pollers.aws import services
from pollers.aws.api import StartAt
from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, NotFound, Refused
from pollers.destinations import DestinationUnusable, make_destination

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from config.models import Config, StreamMapping
    from pollers.aws.api import Aws, SqsApi, StreamApi

RECEIVES_ADVISED = 5
"""docs/lambda 2.5: with fewer, a throttled or retried message is dead-lettered without ever having failed for good."""
VISIBILITY_MULTIPLE = 6
"""docs/lambda 2.6: the queue's visibility timeout should be six times the function's timeout."""
ANSWER_SECONDS = 20.0
AT_ONCE = 8
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


async def examine(config: Config, aws: Aws) -> list[Finding]:
    """Everything found, in the order of the mappings; several are looked at at a time. Never raises for what AWS answers."""
    found: dict[str, list[Finding]] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def look(mapping: Mapping) -> None:
        async with limit:
            found[mapping.name] = await _examined(mapping, config, aws)

    async with anyio.create_task_group() as group:
        for mapping in config.event_source_mappings.values():
            group.start_soon(look, mapping)
    return [finding for name in config.event_source_mappings for finding in found[name]]


async def _examined(mapping: Mapping, config: Config, aws: Aws) -> list[Finding]:
    if not mapping.enabled:
        return [Finding(mapping.name, Level.NOTE, "is disabled: not looked at")]
    found: list[Finding] = []
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            if isinstance(mapping, SqsMapping):
                await _examine_queue(mapping, config.functions[mapping.function_name].timeout, aws, found)
            elif isinstance(mapping, KinesisMapping | DynamoDBMapping):
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
    sqs = await aws.client(services.SQS, arn.region)
    url = await sqs.queue_url(arn.resource, arn.account)
    attributes = await sqs.attributes(url)
    waiting = attributes.get("ApproximateNumberOfMessages", "?")
    found.append(Finding(mapping.name, Level.OK, f"the queue exists, with about {waiting} messages"))
    found += queue_findings(mapping, timeout_seconds, attributes)
    found += [finding async for finding in _dead_letter_queue(mapping, sqs, attributes)]
    covered = int(attributes.get("VisibilityTimeout", 30)) >= timeout_seconds
    found += [finding async for finding in _queue_permissions(mapping, sqs, url, extension_needed=not covered)]


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
    receives, target = _redrive_policy(policy)
    if target is None:
        what = "no redrive policy: a message that always fails is retried until its retention ends"
        fix = f"give the queue a dead-letter queue, maxReceiveCount {RECEIVES_ADVISED} or more"
        yield Finding(mapping.name, Level.NOTE, what, fix)
    elif receives < RECEIVES_ADVISED:
        what = f"maxReceiveCount is {receives}: a few restarts or throttles dead-letter a good message"
        yield Finding(mapping.name, Level.NOTE, what, f"set it to {RECEIVES_ADVISED} or more")
    else:
        yield Finding(mapping.name, Level.OK, f"dead-letter queue {target} after {receives} receives")


def _redrive_policy(policy: str | None) -> tuple[int, str | None]:
    """maxReceiveCount and the dead-letter queue's ARN; None where there is no such policy."""
    try:
        told = json.loads(policy or "{}")
        return int(told["maxReceiveCount"]), str(told["deadLetterTargetArn"])
    except (ValueError, KeyError, TypeError):
        return 0, None


async def _dead_letter_queue(mapping: SqsMapping, sqs: SqsApi, attributes: dict[str, str]) -> AsyncIterator[Finding]:
    """Whether it is there: SQS does not say so when it has been deleted."""
    _, target = _redrive_policy(attributes.get("RedrivePolicy"))
    if target is None:
        return
    try:
        arn = parse_arn(target)
        await sqs.queue_url(arn.resource, arn.account)
    except (NotFound, ValueError):
        what = f"the dead-letter queue {target} does not exist: what fails for good stays in the queue"
        yield Finding(mapping.name, Level.FAULT, what, "create it, or correct the redrive policy")
    except AccessDenied:
        what = f"whether the dead-letter queue {target} exists cannot be asked"
        yield Finding(mapping.name, Level.NOTE, what, "make sure that it does")


async def _queue_permissions(
    mapping: SqsMapping, sqs: SqsApi, url: str, *, extension_needed: bool
) -> AsyncIterator[Finding]:
    """Calls on a handle that no message has: refused for the handle when permitted, for the permission when not."""
    yield await _permitted(mapping, "sqs:DeleteMessage", sqs.delete(url, [BOGUS_HANDLE]), Level.FAULT)
    extending = sqs.change_visibility(url, [(BOGUS_HANDLE, 30)])
    level = Level.FAULT if extension_needed else Level.NOTE
    yield await _permitted(mapping, "sqs:ChangeMessageVisibility", extending, level)
    fix = "it cannot be tried without receiving: make sure that it is allowed"
    yield Finding(mapping.name, Level.NOTE, "sqs:ReceiveMessage was not tried", fix)


async def _permitted(mapping: SqsMapping, permission: str, call: Awaitable[object], level: Level) -> Finding:
    try:
        await call
    except AccessDenied as error:
        return Finding(mapping.name, level, str(error), f"allow {permission} on {mapping.event_source_arn}")
    except Refused:
        pass
    return Finding(mapping.name, Level.OK, f"{permission} is permitted")


# -- streams -------------------------------------------------------------------------------------------------------------


async def _examine_stream(mapping: KinesisMapping | DynamoDBMapping, aws: Aws, found: list[Finding]) -> None:
    region = mapping.arn.region
    api: StreamApi = (
        await aws.client(services.KINESIS, region)
        if isinstance(mapping, KinesisMapping)
        else await aws.client(services.DYNAMODB_STREAMS, region)
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
    if not still_open:
        return
    if "/consumer/" in mapping.event_source_arn:
        fix = "it cannot be tried without subscribing: make sure that it is allowed on the consumer"
        found.append(Finding(mapping.name, Level.NOTE, "kinesis:SubscribeToShard was not tried", fix))
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
