"""What the soak runs: it notes what it has done, and until it is told to be calm fails in the ways that functions do."""

from __future__ import annotations

import base64
import json
import os
import random
import time
from typing import Any

CHANCE = 0.03
"""Of a whole invocation to fail; a single record fails with a tenth of it."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Lambda's entry point."""
    chance = 0.0 if os.path.exists(os.environ["CALM"]) else CHANCE
    drawn = random.random()
    if drawn < chance * 0.3:
        os._exit(3)
    if drawn < chance * 0.4:
        time.sleep(60)  # until its timeout
    if drawn < chance * 0.6:
        raise RuntimeError("the soak's function fails")
    if drawn < chance * 0.8:
        return {"batchItemFailures": [{"itemIdentifier": "nobody"}]}
    done: list[str] = []
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        identifier, note = _read(record)
        # In order nothing may be done behind a record that failed.
        if (failed and os.environ["ORDERED"] == "yes") or random.random() < chance / 10:
            failed.append({"itemIdentifier": identifier})
        else:
            done.append(note)
    _note(done)
    if drawn < chance:
        os._exit(4)  # all done, and nobody hears of it
    return {"batchItemFailures": failed}


def _read(record: dict[str, Any]) -> tuple[str, str]:
    """What a failure names the record by, and the id that its producer gave it."""
    if "body" in record:
        return record["messageId"], record["body"]
    if "kinesis" in record:
        return record["kinesis"]["sequenceNumber"], base64.b64decode(record["kinesis"]["data"]).decode()
    return record["dynamodb"]["SequenceNumber"], record["dynamodb"]["NewImage"]["change"]["S"]


def _note(done: list[str]) -> None:
    """One line, whole, whatever happens afterwards."""
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, (json.dumps(done) + "\n").encode())
    os.close(journal)
