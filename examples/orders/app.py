"""Takes orders from a queue. Reports the messages that failed, so that only those come back (runs unchanged on Lambda).

An order is {"id": ..., "amount": ..., "poison": bool}; a poison one cannot be handled, however often it is delivered.
"""

import json
import os


def handler(event, context):
    failed, lines = [], []
    for record in event["Records"]:
        order = json.loads(record["body"])
        try:
            take(order)
        except ValueError:
            failed.append({"itemIdentifier": record["messageId"]})
        lines.append({"id": order["id"], "ok": not order.get("poison"), "source": record["eventSourceARN"]})
    note(lines)
    return {"batchItemFailures": failed}


def take(order):
    """What the shop does with an order. Handling one twice must do no harm: delivery is at least once."""
    if order.get("poison"):
        raise ValueError(f"order {order['id']} cannot be handled")


def note(lines):
    """Append what was done to the journal named by JOURNAL, if any, in one write: workers share the file."""
    path = os.environ.get("JOURNAL")
    if not path:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    finally:
        os.close(descriptor)
