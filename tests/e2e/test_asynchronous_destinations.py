"""What becomes of asynchronous events, as a user sees it: records and dead letters in an emulator of AWS, status and metrics."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from aiohttp.test_utils import unused_port

from tests.e2e.lambda_api import LambdaApiPlace
from tests.emulators import unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(600)
PATIENCE_SECONDS = 120.0
ARN = "arn:aws:{}:us-east-1:000000000000:{}"
FUNCTION = """
def handler(event, context):
    if isinstance(event, dict) and "fail" in event:
        raise ValueError(event["fail"])
    return {"did": event}
"""


@dataclass
class Cloud:
    """An emulator's queues and a bucket, by names that no other test uses."""

    endpoint_url: str
    names: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        """botocore's."""
        session = botocore.session.Session()
        session.set_credentials("x", "y")
        return session.create_client(service, region_name="us-east-1", endpoint_url=self.endpoint_url)

    def arn(self, queue: str) -> str:
        """A queue's, whether it is there or not."""
        return ARN.format("sqs", self.names.setdefault(queue, unique(queue)))

    def create(self, queue: str) -> None:
        """Make it."""
        self.client("sqs").create_queue(QueueName=self.arn(queue).rpartition(":")[2])

    def message(self, queue: str) -> dict[str, Any]:
        """The next message, waited for."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=self.names[queue])["QueueUrl"]
        asked = {"QueueUrl": url, "WaitTimeSeconds": 5, "MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
        found = until(lambda: sqs.receive_message(**asked).get("Messages"), f"a message in {queue}")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        message: dict[str, Any] = found[0]
        return message


def until(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - what the condition gives
    """Poll for it; what it gives."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_SECONDS} s"
        time.sleep(0.05)
    return found


@dataclass
class Place(LambdaApiPlace):
    """With health, metrics and status."""

    http: int = field(default_factory=unused_port)

    def get(self, path: str) -> str:
        """What the operator's server answers, whatever its status."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=30) as reply:
                return str(reply.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def status(self) -> dict[str, Any]:
        """The status document."""
        found: dict[str, Any] = json.loads(self.get("/api/status"))
        return found

    def printed_status(self) -> str:
        """What ``headrace status`` prints."""
        command = [sys.executable, "-m", "pollers", "status", "--url", f"http://127.0.0.1:{self.http}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def send(self, function: str, event: object) -> str:
        """Invoke asynchronously; the request id."""
        reply = self.client().invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
        assert reply["StatusCode"] == 202
        return str(reply["ResponseMetadata"]["RequestId"])


@pytest.fixture(scope="module")
def cloud(ministack: Emulator) -> Cloud:
    """Every target but ``later``, which does not exist at first."""
    cloud = Cloud(ministack.endpoint_url)
    for queue in ("done", "dead", "audited"):
        cloud.create(queue)
    cloud.names["bucket"] = unique("failed")
    cloud.client("s3").create_bucket(Bucket=cloud.names["bucket"])
    return cloud


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Place]:
    """One process for all tests of this module, which ends with balanced books."""
    place = Place(tmp_path_factory.mktemp("asynchronous"))
    configure(place, cloud, place.folder)
    place.start()
    try:
        yield place
        assert place.end() == 0
        (books,) = (
            line for line in place.log[-40:] if line.get("service") == "asynchronous queue" and "7" in line["event"]
        )
        assert books["balanced"]
        assert books["queued"] == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def configure(place: Place, cloud: Cloud, folder: Path) -> None:
    """Functions, each with targets of its own."""

    def told(retries: int = 0, **targets: str) -> dict[str, Any]:
        destinations = {name: {"destination": arn} for name, arn in targets.items()}
        return {"event_invoke_config": {"maximum_retry_attempts": retries, "destination_config": destinations}}

    functions = {
        "works": told(on_success=cloud.arn("done")),
        "fails": {
            **told(on_failure=ARN.format("lambda", "function:audit")),
            "dead_letter_config": {"target_arn": cloud.arn("dead")},
        },
        "stores": told(on_failure=f"arn:aws:s3:::{cloud.names['bucket']}"),
        "waits": told(on_failure=cloud.arn("later")),
        "audit": told(on_success=cloud.arn("audited")),
    }
    place.configure(
        functions,
        aws={"region": "us-east-1", "endpoint_url": cloud.endpoint_url},
        runtime={"http": {"port": place.http}, "state": str(folder / "state")},
    )
    (folder / "code" / "app.py").write_text(FUNCTION)


def test_a_success_is_told_to_its_queue(place: Place, cloud: Cloud) -> None:
    """The record, with the request id that the caller got, and a trace header."""
    request_id = place.send("works", {"order": 1})
    message = cloud.message("done")
    record = json.loads(message["Body"])
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": ARN.format("lambda", "function:works:$LATEST"),
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == {"order": 1}
    assert record["responsePayload"] == {"did": {"order": 1}}
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-")


def test_a_failure_goes_to_the_dead_letter_queue_and_to_a_function_of_ours(place: Place, cloud: Cloud) -> None:
    """The event itself there; the record here, as the event of another function, which tells of it in its turn."""
    request_id = place.send("fails", {"fail": "no stock"})
    letter = cloud.message("dead")
    assert json.loads(letter["Body"]) == {"fail": "no stock"}
    given = {name: (one["DataType"], one["StringValue"]) for name, one in letter["MessageAttributes"].items()}
    assert given == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no stock"),
    }
    outer = json.loads(cloud.message("audited")["Body"])
    inner = outer["requestPayload"]
    assert outer["requestContext"]["functionArn"].endswith(":function:audit:$LATEST")
    assert inner["requestContext"]["requestId"] == request_id
    assert inner["requestContext"]["condition"] == "RetriesExhausted"
    assert inner["responsePayload"]["errorMessage"] == "no stock"


def test_a_bucket_gets_the_record_as_an_object(place: Place, cloud: Cloud) -> None:
    """Under the function's name."""
    request_id = place.send("stores", {"fail": "x" * 300_000})
    s3, bucket = cloud.client("s3"), cloud.names["bucket"]
    (found,) = until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), "an object")
    assert found["Key"].startswith("aws/lambda/async/stores/")
    record = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert record["requestContext"]["requestId"] == request_id


def test_a_report_waits_for_its_target_over_a_kill_and_is_seen_to_wait(place: Place, cloud: Cloud) -> None:
    """Status, metrics and log say what it waits for. The process stays live and ready: a restart would change nothing."""
    request_id = place.send("waits", {"fail": "later"})
    notice = until(lambda: place.status()["asynchronous"]["notices"], "a notice")[0]
    assert notice["mapping"] == cloud.arn("later")
    assert "1 report waits for it" in notice["reason"]
    assert "NonExistentQueue" in notice["reason"] or "QueueDoesNotExist" in notice["reason"]
    assert 'headrace_async_reporting{function="waits"} 1.0' in place.get("/metrics")
    assert json.loads(place.get("/readyz"))["status"] == "ok"
    (shown,) = (one for one in place.status()["functions"] if one["name"] == "waits")
    assert shown["asynchronous"]["last_error"] == "ValueError: later"
    printed = place.printed_status()
    assert "asynchronous events" in printed
    assert notice["mapping"] in printed
    explained = json.loads(place.get(f"/api/explain/{request_id}"))
    whats = [moment["what"] for moment in explained["moments"]]
    assert whats[:5] == ["queued", "invoked", "failed", "given up", "not told"]
    assert explained["conclusions"][-1].startswith(f"{cloud.arn('later')} has not been told yet: ")
    (said,) = place.logged("a report cannot be delivered and is tried again")
    assert (said["function"], said["request_id"]) == ("waits", request_id)

    place.kill()
    place.start()
    cloud.create("later")
    record = json.loads(cloud.message("later")["Body"])
    assert record["requestContext"]["requestId"] == request_id
    until(lambda: not place.status()["asynchronous"]["notices"], "the end of the notice")
