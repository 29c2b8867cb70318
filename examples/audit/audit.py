"""Keeps an audit trail of whatever comes: messages, stream records, changes of a table. An async function for `in_process`.

Order counts here, so it stops at the first event of a message group that fails and hands back what follows it in that
group, as a function on a FIFO queue should. Records of streams never fail.
"""

import asyncio
import base64
import json
import os


async def handle(event, context):
    failed, failed_groups, lines = [], set(), []
    for record in event["Records"]:
        entry = ENTRIES[record["eventSource"]](record)
        group = record.get("attributes", {}).get("MessageGroupId")
        if group is not None and group in failed_groups:
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        ok = not entry.get("poison")
        if not ok:
            failed.append({"itemIdentifier": record["messageId"]})
            failed_groups.add(group)
        lines.append({"id": entry["id"], "ok": ok, "source": record["eventSourceARN"]})
    await asyncio.to_thread(note, lines)
    return {"batchItemFailures": failed}


def message(record):
    return json.loads(record["body"])


def stream_record(record):
    return json.loads(base64.b64decode(record["kinesis"]["data"]))


def change(record):
    image = record["dynamodb"].get("NewImage") or record["dynamodb"]["Keys"]
    return {"id": image.get("change", image["id"])["S"]}


ENTRIES = {"aws:sqs": message, "aws:kinesis": stream_record, "aws:dynamodb": change}


def note(lines):
    """Append to the journal named by JOURNAL, if any, in one write: invocations run side by side."""
    path = os.environ.get("JOURNAL")
    if not path:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    finally:
        os.close(descriptor)
