"""What ``headrace check --online`` asks of a queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from config import parse_arn
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.aws.findings import Finding, Level

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from config.models import SqsMapping
    from pollers.aws.api import Aws, SqsApi

RECEIVES_ADVISED = 5
"""docs/lambda 2.5: with fewer, a throttled or retried message is dead-lettered without ever having failed for good."""
VISIBILITY_MULTIPLE = 6
"""docs/lambda 2.6: the queue's visibility timeout should be six times the function's timeout."""
BOGUS_HANDLE = "AQEB-headrace-check-no-such-handle"


async def examine(mapping: SqsMapping, timeout_seconds: float, aws: Aws) -> AsyncIterator[Finding]:
    """See ``SourceKind.examine``."""
    arn = mapping.arn
    sqs = await aws.client(services.SQS, arn.region)
    url = await sqs.queue_url(arn.resource, arn.account)
    attributes = await sqs.attributes(url)
    waiting = attributes.get("ApproximateNumberOfMessages", "?")
    yield Finding(mapping.name, Level.OK, f"the queue exists, with about {waiting} messages")
    for finding in queue_findings(mapping, timeout_seconds, attributes):
        yield finding
    async for finding in _dead_letter_queue(mapping, sqs, attributes):
        yield finding
    covered = int(attributes.get("VisibilityTimeout", 30)) >= timeout_seconds
    async for finding in _queue_permissions(mapping, sqs, url, extension_needed=not covered):
        yield finding


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
