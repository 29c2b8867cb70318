"""Functions made through Lambda's API by AWS's own client: waiters, calls, updates under load, kills, mappings, large packages."""

from __future__ import annotations

import io
import json
import random
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.lambda_api import LambdaApiPlace
from tests.emulators import unique
from tests.unit.made_functions.packages import package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)
ROLE = "arn:aws:iam::000000000000:role/anybody"
CODE = """
import json, os, time

def handler(event, context):
    if "Records" in event:
        with open(os.environ["NOTES"], "a") as notes:
            notes.writelines(record["body"] + " {version}\\n" for record in event["Records"])
        return None
    time.sleep(event.get("seconds", 0))
    return "{version}"
"""
BOOTSTRAP = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
    id=$(curl -sSi "$api/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
    curl -sS -o /dev/null -d '"from a shell"' "$api/$id/response"
done
"""


def code(version: str, *more: tuple[str, bytes]) -> bytes:
    """A package whose function answers with its version."""
    return package(("app.py", CODE.replace("{version}", version).encode()), *more)


class Place(LambdaApiPlace):
    """The place, where functions are made through the API."""

    emulator: Emulator

    def create(self, name: str, zipped: bytes, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """CreateFunction."""
        notes = {"Variables": {"NOTES": str(self.folder / "notes")}}
        settings = {"Runtime": "python3.11", "Handler": "app.handler", "Timeout": 10, "Environment": notes, **more}
        made: dict[str, Any] = self.client().create_function(
            FunctionName=name, Role=ROLE, Code={"ZipFile": zipped}, **settings
        )
        return made

    def active(self, name: str) -> None:
        """Wait as clients do."""
        for waiter in ("function_exists", "function_active_v2", "function_updated_v2"):
            self.client().get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})

    def call(self, name: str, **event: Any) -> Any:  # noqa: ANN401 - JSON
        """What it answers."""
        return json.loads(self.client().invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())

    def revisions(self, name: str) -> set[str]:
        """Of its code on the disk."""
        return {path.name for path in (self.folder / ".headrace" / "functions" / name).glob("*")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ministack: Emulator) -> Iterator[Place]:
    """One process for all tests of this module; each leaves it running."""
    place = Place(tmp_path_factory.mktemp("functions"))
    place.emulator = ministack
    aws = {"region": "us-east-1", "endpoint_url": ministack.endpoint_url}
    place.configure({"given": {}}, aws=aws, lambda_api={"port": place.port, "functions": True})
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def test_a_function_is_made_called_changed_and_deleted(place: Place) -> None:
    """Waiters come to their end; its URL and its concurrency are those of any function, and go with it."""
    client = place.client()
    place.create("life", code("one"))
    place.active("life")
    assert place.call("life") == "one"
    client.put_function_concurrency(FunctionName="life", ReservedConcurrentExecutions=2)
    client.create_function_url_config(FunctionName="life", AuthType="NONE")
    assert place.fetched("/function-urls/life/") == b'"one"' or place.fetched("/function-urls/life/") == b"one"
    client.update_function_code(FunctionName="life", ZipFile=code("two"))
    place.active("life")
    assert place.call("life") == "two"
    place.until(lambda: len(place.revisions("life")) == 1, "the end of the old code")
    client.delete_function(FunctionName="life")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="life")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="life")
    place.until(lambda: not place.revisions("life"), "the end of its code")


def test_a_bootstrap_is_run(place: Place) -> None:
    """A program of a provided runtime keeps its right to be executed."""
    info = zipfile.ZipInfo("bootstrap")
    info.external_attr = 0o100755 << 16
    place.create("shell", package((info, BOOTSTRAP.encode())), Runtime="provided.al2023", Handler="x")
    place.active("shell")
    assert place.call("shell") == "from a shell"
    place.client().delete_function(FunctionName="shell")


def test_a_package_without_an_executable_bootstrap_is_made_and_says_what_to_mend(place: Place) -> None:
    """As on AWS, where placeholders are common; the text names no folder of Headrace's own."""
    place.create("plain", package(("bootstrap", BOOTSTRAP.encode())), Runtime="provided.al2023", Handler="x")
    place.active("plain")
    with pytest.raises(
        ClientError, match=r"bootstrap is not executable in its code; chmod [+]x it, before it is zipped"
    ) as it:
        place.client().invoke(FunctionName="plain")
    assert str(place.folder) not in str(it.value)
    place.client().delete_function(FunctionName="plain")


def test_an_update_leaves_running_invocations_alone(place: Place) -> None:
    """They end with the code that they began with, whose files stay until then."""
    place.create("busy", code("one"))
    place.active("busy")
    answers: list[str] = []
    running = threading.Thread(target=lambda: answers.append(place.call("busy", seconds=3)))
    running.start()
    place.until(lambda: place.call("busy") == "one", "a call")
    place.client().update_function_code(FunctionName="busy", ZipFile=code("two"))
    place.active("busy")
    assert (place.call("busy"), answers, len(place.revisions("busy"))) == ("two", [], 2)
    running.join()
    assert answers == ["one"]
    place.until(lambda: len(place.revisions("busy")) == 1, "the end of the old code")
    place.client().delete_function(FunctionName="busy")


def test_of_two_updates_at_once_one_is_told_to_wait(place: Place) -> None:
    """What was answered counts."""
    place.create("twice", code("zero"))
    place.active("twice")
    done: list[str] = []

    def update(version: str) -> None:
        client = place.client()
        try:
            client.update_function_code(FunctionName="twice", ZipFile=code(version))
            done.append(version)
        except client.exceptions.ResourceConflictException:
            pass

    threads = [threading.Thread(target=update, args=(version,)) for version in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place.active("twice")
    assert place.call("twice") in done
    place.client().delete_function(FunctionName="twice")


def test_a_mapping_of_a_made_function_outlives_it(place: Place) -> None:
    """As on AWS it stays when the function is deleted; it waits then, and goes on with the next one of the name."""
    session = botocore.session.Session()
    session.set_credentials("x", "y")
    sqs = session.create_client("sqs", region_name="us-east-1", endpoint_url=place.emulator.endpoint_url)
    url = sqs.create_queue(QueueName=unique("functions"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    notes, client = place.folder / "notes", place.client()

    def noted() -> list[str]:
        return notes.read_text().splitlines() if notes.exists() else []

    place.create("reader", code("one"))
    place.active("reader")
    uuid = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="reader")["UUID"]
    sqs.send_message(QueueUrl=url, MessageBody="a")
    place.until(lambda: noted() == ["a one"], "the first message")
    client.update_function_code(FunctionName="reader", ZipFile=code("two"))
    place.active("reader")
    sqs.send_message(QueueUrl=url, MessageBody="b")
    place.until(lambda: noted() == ["a one", "b two"], "the second message")
    client.delete_function(FunctionName="reader")
    place.until(lambda: not place.revisions("reader"), "the end of the function")
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"  # what AWS shows, from the first moment on
    place.kill()
    place.start()
    sqs.send_message(QueueUrl=url, MessageBody="c")
    place.create("reader", code("three"))
    place.until(lambda: noted() == ["a one", "b two", "c three"], "the third message")
    client.delete_event_source_mapping(UUID=uuid)
    client.delete_function(FunctionName="reader")


def test_what_was_answered_survives_a_kill(place: Place) -> None:
    """At any moment of many changes: each function is as the last answer said, or as the change that was on its way."""
    known: dict[str, set[str | None]] = {}

    def change(number: int) -> None:
        client, seed = place.client(), random.Random(number)
        name = f"killed-{number}"
        known[name] = {None}
        try:
            for version in range(1000):
                before = known[name]
                known[name] = before | {str(version)}
                if None in before:
                    place.create(name, code(str(version)))
                    known[name] = {str(version)}
                    place.active(name)
                elif seed.random() < 0.3:
                    known[name] = before | {None}
                    client.delete_function(FunctionName=name)
                    known[name] = {None}
                else:
                    client.update_function_code(FunctionName=name, ZipFile=code(str(version)))
                    known[name] = {str(version)}
                    place.active(name)
        except (BotoCoreError, ClientError, ConnectionError):
            return

    for _ in range(2):
        threads = [threading.Thread(target=change, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        threading.Event().wait(1.0)
        place.kill()
        for thread in threads:
            thread.join()
        place.start()
        client = place.client()
        there = {one["FunctionName"] for one in client.list_functions()["Functions"]}
        for name, expected in known.items():
            found = place.call(name) if name in there else None
            assert found in expected
            if name in there:
                assert len(place.revisions(name)) == 1
                client.delete_function(FunctionName=name)
        place.until(lambda: not any(place.revisions(name) for name in known), "the end of the code")


def test_a_package_of_the_greatest_size_is_taken_and_a_greater_one_refused(place: Place) -> None:
    """While others are served; several at once come one after another, in bounded memory."""
    kept = io.BytesIO(code("large"))
    with zipfile.ZipFile(kept, "a", zipfile.ZIP_STORED) as opened:
        opened.writestr("data", random.Random(1).randbytes(48_000_000))
    client = place.client()
    errors: list[Exception] = []

    def create(name: str) -> None:
        try:
            place.create(name, kept.getvalue())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=create, args=(f"large-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    place.client().get_function(FunctionName="given")
    for thread in threads:
        thread.join()
    assert not errors
    place.active("large-1")
    assert place.call("large-1") == "large"
    assert client.get_account_settings()["AccountUsage"]["TotalCodeSize"] >= 96_000_000
    for number in range(2):
        client.delete_function(FunctionName=f"large-{number}")
    with pytest.raises(ClientError, match="must be smaller than"):
        place.create("larger", kept.getvalue() + b"\0" * 8_000_000)
