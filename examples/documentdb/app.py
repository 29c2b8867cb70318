"""Follows the orders of a shop by the changes of their documents."""

import json
import os


def handler(event, context):
    """One line of the journal, or of the log, for each change, in the order in which they were made."""
    lines = []
    for one in event["events"]:
        change = one["event"]
        order = change.get("documentKey", {}).get("_id")  # the end of a collection is an event, too
        lines.append({"operation": change["operationType"], "order": order, "token": change["_id"]["_data"]})
    write(lines)


def write(lines):
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    if not os.environ.get("JOURNAL"):
        print(text, end="")
        return
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(text)
