"""Messages and mails: SNS, SES, and what a mapping makes of SQS (docs/lambda 5.1 and 15.3)."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample

ORDER: Final = json.dumps({"order": "1001", "amount": 42})
"""What every message says."""


def sns(at: Circumstances) -> Document:
    """A notification of a topic."""
    topic = at.arn("sns", "orders")
    subscription, host = f"{topic}:{at.uuid()}", f"https://sns.{at.region}.amazonaws.com"
    notification = {
        "Type": "Notification",
        "MessageId": at.uuid(),
        "TopicArn": topic,
        "Subject": "Order placed",
        "Message": ORDER,
        "Timestamp": at.milliseconds,
        "SignatureVersion": "1",
        "Signature": at.base64(256),
        "SigningCertUrl": f"{host}/SimpleNotificationService-{at.hex(32)}.pem",
        "UnsubscribeUrl": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {
            "kind": {"Type": "String", "Value": "placed"},
            "amount": {"Type": "Number", "Value": "42"},
        },
    }
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "EventSource": "aws:sns",
        "Sns": notification,
    }
    return {"Records": [record]}


def sqs(at: Circumstances) -> Document:
    """A batch of one message, as a mapping makes it."""
    record = {
        "messageId": at.uuid(),
        "receiptHandle": at.base64(120),
        "body": ORDER,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(at.epoch_milliseconds - 40),
            "SenderId": f"AIDA{at.hex(17).upper()}",
            "ApproximateFirstReceiveTimestamp": str(at.epoch_milliseconds),
        },
        "messageAttributes": {
            "kind": {
                "stringValue": "placed",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
        },
        "md5OfMessageAttributes": _digest("kind", "String", "placed"),
        "md5OfBody": hashlib.md5(ORDER.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": at.arn("sqs", "orders"),
        "awsRegion": at.region,
    }
    return {"Records": [record]}


def _digest(*texts: str) -> str:
    """SQS's digest of one message attribute: each of its texts after its length, the value after a byte that says text as well."""
    *named, value = (len(text).to_bytes(4, "big") + text.encode() for text in texts)
    return hashlib.md5(b"".join([*named, b"\1", value]), usedforsecurity=False).hexdigest()


def ses(at: Circumstances) -> Document:
    """A mail that a receipt rule hands over. The mail's text is not in it."""
    return {"Records": [{"eventSource": "aws:ses", "eventVersion": "1.0", "ses": _mail(at)}]}


def _mail(at: Circumstances) -> Document:
    sender, recipient, identity = "jane@example.com", "orders@example.org", at.word(40)
    date = f"{at.now:%Y-%m-%d %H:%M:%S} +0000"
    common = {
        "returnPath": sender,
        "from": [f"Jane Doe <{sender}>"],
        "date": date,
        "to": [recipient],
        "messageId": f"<{at.hex(16)}@example.com>",
        "subject": "Order 1001",
    }
    return {
        "mail": {
            "timestamp": at.milliseconds,
            "source": sender,
            "messageId": identity,
            "destination": [recipient],
            "headersTruncated": False,
            "headers": [
                {"name": "Return-Path", "value": f"<{sender}>"},
                {"name": "From", "value": f"Jane Doe <{sender}>"},
                {"name": "To", "value": recipient},
                {"name": "Subject", "value": "Order 1001"},
                {"name": "Date", "value": date},
            ],
            "commonHeaders": common,
        },
        "receipt": {
            "timestamp": at.milliseconds,
            "processingTimeMillis": 412,
            "recipients": [recipient],
            **{f"{what}Verdict": {"status": "PASS"} for what in ("spam", "virus", "spf", "dkim", "dmarc")},
            "dmarcPolicy": "reject",
            "action": {
                "type": "Lambda",
                "functionArn": at.arn("lambda", "function:orders"),
                "invocationType": "Event",
            },
        },
    }


SAMPLES: Final = {
    "ses": Sample("a mail that a receipt rule hands over", ses),
    "sns": Sample("a notification of a topic", sns),
    "sqs": Sample("a batch of a queue, as a mapping makes it", sqs),
}
"""By the names that ``headrace invoke --sample`` takes."""
