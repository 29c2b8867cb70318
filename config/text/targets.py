"""What records are delivered to, told apart by their ARNs: queues, topics, buckets, functions and event buses."""

from __future__ import annotations

import re
from enum import Enum

from config.text.arns import Arn, parse_arn
from config.text.nodes import quoted

_FUNCTION = re.compile(r"function:[a-zA-Z0-9-_]{1,64}(?::[a-zA-Z0-9$_-]{1,128})?")
_BUS = re.compile(r"event-bus/[/.\-_A-Za-z0-9]{1,256}")


class Target(Enum):
    """A kind of target; the value is what it is called in a list of kinds."""

    QUEUE = "a standard SQS queue"
    TOPIC = "a standard SNS topic"
    BUCKET = "an S3 bucket"
    FUNCTION = "a function"
    BUS = "an EventBridge event bus"


def target_of(arn: Arn) -> Target | None:
    """The kind of target that an ARN names, or None. A FIFO queue or topic is none."""
    plain = "/" not in arn.resource and ":" not in arn.resource
    located = bool(arn.region and arn.account)
    match arn.service:
        case "sqs" | "sns" if located and plain and not arn.resource.endswith(".fifo"):
            return Target.QUEUE if arn.service == "sqs" else Target.TOPIC
        case "s3" if not arn.region and not arn.account and "/" not in arn.resource:
            return Target.BUCKET
        case "lambda" if located and _FUNCTION.fullmatch(arn.resource):
            return Target.FUNCTION
        case "events" if located and _BUS.fullmatch(arn.resource):
            return Target.BUS
    return None


def target_problem(text: str, allowed: tuple[Target, ...], what: str) -> str | None:
    """What is wrong with an ARN that is to be one of ``allowed``; ``what`` is how such targets are called, in the plural."""
    *others, last = [kind.value for kind in allowed]
    wanted = f"the ARN of {', '.join(others)} or {last}" if others else f"the ARN of {last}"
    try:
        arn = parse_arn(text)
    except ValueError:
        return f"found {quoted(text)}, expected {wanted}"
    if arn.service in ("sqs", "sns") and arn.resource.endswith(".fifo"):
        kind = "queue" if arn.service == "sqs" else "topic"
        return f"found a FIFO {kind}, expected {wanted}: FIFO {kind}s are no {what}"
    return None if target_of(arn) in allowed else f"found {quoted(text)}, expected {wanted}"
