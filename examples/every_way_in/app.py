"""Takes orders, in every way in which a function is called (runs unchanged on Lambda).

An order is {"id": ..., "amount": ...}. Two events look different: the batch of a queue, and the request of a function URL. A call
and a schedule bring the order itself. Whichever way an order came, `take` is what is done with it.
"""

import base64
import html
import json
import urllib.parse

PAGE = """<!doctype html>
<title>Orders</title>
<h1>Orders</h1>
<form method="post">
  <label>Order <input name="id" required></label>
  <label>Amount <input name="amount" value="1"></label>
  <button>Send</button>
</form>
<p id="answer">{answer}</p>
"""


def handler(event, context):
    if "Records" in event:
        return from_queue(event["Records"])
    if "http" in event.get("requestContext", {}):
        return from_browser(event)
    return take(event)


def take(order):
    """Handling an order twice must do no harm: all ways but the synchronous ones are at least once."""
    identifier, amount = order.get("id"), float(order.get("amount", 0))
    if amount <= 0:
        raise ValueError(f"order {identifier} has no amount")
    print(f"order {identifier} taken")
    return {"id": identifier, "total": amount * 1.25}


def from_queue(records):
    """Only what failed comes back (ReportBatchItemFailures)."""
    failed = []
    for record in records:
        try:
            take(json.loads(record["body"]))
        except ValueError:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def from_browser(request):
    """A page with a form, and the answer to it."""
    answer, status = "", 200
    if request["requestContext"]["http"]["method"] == "POST":
        try:
            answer = f"The total is {take(form(request))['total']}."
        except ValueError as problem:
            answer, status = f"Not taken: {problem}", 400
    page = PAGE.format(answer=html.escape(answer))
    return {"statusCode": status, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page}


def form(request):
    """Its fields. A form's body is base64 in the event, as every body that is not known to be text."""
    body = request.get("body", "")
    text = base64.b64decode(body).decode() if request["isBase64Encoded"] else body
    return dict(urllib.parse.parse_qsl(text))
