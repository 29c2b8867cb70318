"""Takes orders; a broken one comes back, the others of its batch do not."""

import json


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            take(json.loads(record["body"]))
        except (ValueError, KeyError) as error:
            print("cannot take", record["messageId"], repr(error))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def take(order):
    total = order["amount"] * 2
    print("order", order["id"], "costs", total)
    return total
