"""Objects of S3: notifications, the same through EventBridge, and tasks of S3 Batch Operations (docs/lambda 15.1 and 15.5)."""

from __future__ import annotations

from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample

BUCKET: Final = "orders-inbox"
KEY: Final = "incoming/order 1001 (café).json"
KEY_ENCODED: Final = "incoming/order+1001+%28caf%C3%A9%29.json"
"""Notifications have keys as forms are encoded: a blank is a plus sign. Handlers that forget to decode it are found so."""
SOURCE: Final = "203.0.113.17"


def put(at: Circumstances) -> Document:
    """An object was made."""
    made = {"key": KEY_ENCODED, "size": 1024, "eTag": at.hex(32), "sequencer": at.hex(18).upper()}
    return _notification(at, "ObjectCreated:Put", made)


def delete(at: Circumstances) -> Document:
    """An object was deleted: neither its size nor its ETag is told."""
    return _notification(at, "ObjectRemoved:Delete", {"key": KEY_ENCODED, "sequencer": at.hex(18).upper()})


def _notification(at: Circumstances, name: str, subject: Document) -> Document:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": at.region,
        "eventTime": at.milliseconds,
        "eventName": name,
        "userIdentity": {"principalId": f"AWS:AIDA{at.hex(17).upper()}"},
        "requestParameters": {"sourceIPAddress": SOURCE},
        "responseElements": {"x-amz-request-id": at.hex(16).upper(), "x-amz-id-2": at.base64(56)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "orders-to-function",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": {"principalId": f"A{at.hex(13).upper()}"},
                "arn": at.bucket(BUCKET),
            },
            "object": subject,
        },
    }
    return {"Records": [record]}


def eventbridge(at: Circumstances) -> Document:
    """The same through EventBridge: other names, and the key as it is."""
    return {
        "version": "0",
        "id": at.uuid(),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": at.account,
        "time": at.seconds,
        "region": at.region,
        "resources": [at.bucket(BUCKET)],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {"key": KEY, "size": 1024, "etag": at.hex(32), "sequencer": at.hex(18).upper()},
            "request-id": at.hex(16).upper(),
            "requester": at.account,
            "source-ip-address": SOURCE,
            "reason": "PutObject",
        },
    }


def batch(at: Circumstances) -> Document:
    """A task of a Batch Operations job: the function answers with a result code for it."""
    task = {
        "taskId": at.base64(18),
        "s3Key": KEY_ENCODED,
        "s3VersionId": None,
        "s3Bucket": BUCKET,
    }
    return {
        "invocationSchemaVersion": "2.0",
        "invocationId": at.base64(40),
        "job": {"id": at.uuid(), "userArguments": {"catalogue": "spring"}},
        "tasks": [task],
    }


SAMPLES: Final = {
    "s3": Sample("an object was made", put),
    "s3-batch": Sample("a task of an S3 Batch Operations job", batch),
    "s3-delete": Sample("an object was deleted", delete),
    "s3-eventbridge": Sample("an object was made, told through EventBridge", eventbridge),
}
"""By the names that ``headrace invoke --sample`` takes."""
