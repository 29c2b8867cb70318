"""Writes invoices. It is called by itself, not through a mapping: by an SDK, by a schedule (runs unchanged on Lambda).

An event is {"id": ..., "source": ..., "poison": bool}. What it returns, or raises, is what its destinations are told.
"""

import json
import os


def handler(event, context):
    poison = bool(event.get("poison"))
    note({"id": event["id"], "ok": not poison, "source": event["source"]})
    if poison:
        raise ValueError(f"invoice {event['id']} cannot be written")
    return {"id": event["id"], "request_id": context.aws_request_id}


def note(line):
    """Append what was done to the journal named by JOURNAL, if any, in one write: workers share the file."""
    path = os.environ.get("JOURNAL")
    if not path:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(descriptor)
