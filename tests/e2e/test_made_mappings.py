"""Mappings made through Lambda's API by AWS's own client: they run, survive kills and reloads, and end."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.lambda_api import LambdaApiPlace
from tests.emulators import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)
NOTING = """
import json, os, time

def handler(event, context):
    for record in event["Records"]:
        body = record.get("body") or json.dumps(record.get("dynamodb", {}).get("Keys"))
        if body.startswith("slow"):
            time.sleep(4)
        with open(os.path.join(os.environ["NOTES"], context.function_name), "a") as notes:
            notes.write(body + "\\\\n")
"""


@cache
def emulated(url: str, service: str) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
    """A client of an emulator: making one takes longer than most calls."""
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    return session.create_client(service, region_name="us-east-1", endpoint_url=url)


class Place(LambdaApiPlace):
    """The place, with functions that note what they get, and clients of an emulator."""

    emulator: Emulator
    functions: dict[str, dict[str, Any]]

    def write(self, *functions: str, **parts: Any) -> None:  # noqa: ANN401 - YAML
        """Configure these functions."""
        notes = {"environment": {"NOTES": str(self.folder)}, "timeout": 10}
        aws = {"region": "us-east-1", "endpoint_url": self.emulator.endpoint_url}
        self.configure(dict.fromkeys(functions, notes), aws=aws, **parts)
        (self.folder / "code" / "app.py").write_text(NOTING.replace("\\\\n", "\\n"))

    def aws(self, service: str) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        """A client of the emulator."""
        return emulated(self.emulator.endpoint_url, service)

    def queue(self) -> tuple[str, str]:
        """A new queue: URL and ARN."""
        sqs = self.aws("sqs")
        url = sqs.create_queue(QueueName=unique("made"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def table(self) -> tuple[str, str]:
        """A new table: its name, and its stream's ARN."""
        described = self.aws("dynamodb").create_table(
            TableName=(table := unique("table")),
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        return table, str(described["TableDescription"]["LatestStreamArn"])

    def put(self, table: str, key: str) -> None:
        """A record for the table's stream."""
        self.aws("dynamodb").put_item(TableName=table, Item={"id": {"S": key}})

    def noted(self, function: str) -> list[str]:
        """What a function has got."""
        path = self.folder / function
        return path.read_text().splitlines() if path.exists() else []

    def until_state(self, uuid: str, state: str | None) -> None:
        """Wait for a mapping's state; None: that it is gone."""
        client = self.client()

        def reached() -> bool:
            try:
                return bool(client.get_event_source_mapping(UUID=uuid)["State"] == state)
            except client.exceptions.ResourceNotFoundException:
                return state is None

        self.until(reached, f"state {state}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ministack: Emulator) -> Iterator[Place]:
    """One process for all tests of this module; each leaves it running, with no mapping."""
    place = Place(tmp_path_factory.mktemp("made"))
    place.emulator = ministack
    place.write("orders", "audit")
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def restart(place: Place, **parts: Any) -> None:  # noqa: ANN401 - YAML
    """End the process, and start it with another configuration."""
    assert place.end() == 0
    place.write("orders", "audit", **parts)
    place.start()


def end(place: Place, *uuids: str) -> None:
    """Delete mappings, until they are gone."""
    client = place.client()
    for uuid in uuids:
        client.delete_event_source_mapping(UUID=uuid)

    def left() -> set[str]:
        return {one["UUID"] for one in client.list_event_source_mappings()["EventSourceMappings"]} & set(uuids)

    place.until(lambda: not left(), "the end")


def test_the_first_stream_opens_the_checkpoint_store(place: Place) -> None:
    """It reads on after a kill where it was; a deleted one leaves no checkpoint behind."""
    table, arn = place.table()
    # A store of its own, since another test may have opened the usual one.
    store = place.folder / "first.db"
    restart(place, runtime={"http": False, "checkpoints": f"sqlite:{store}"})
    assert not store.exists()
    client = place.client()
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="audit", StartingPosition="TRIM_HORIZON")
    assert made["LastProcessingResult"] == "No records processed"
    place.until_state(made["UUID"], "Enabled")
    place.put(table, "one")
    place.until(lambda: '{"id": {"S": "one"}}' in place.noted("audit"), "the first record")

    def result() -> str:
        return str(place.client().get_event_source_mapping(UUID=made["UUID"])["LastProcessingResult"])

    place.until(lambda: result() == "OK", "the result")
    place.kill()
    place.put(table, "two")
    place.start()
    place.until(lambda: '{"id": {"S": "two"}}' in place.noted("audit"), "the record after the kill")
    end(place, made["UUID"])
    assert made["UUID"].encode() not in store.read_bytes()
    restart(place)


def test_a_source_that_does_not_exist_is_refused(place: Place) -> None:
    """In AWS's words, and nothing is made."""
    client = place.client()
    for source, message in (
        ("sqs:us-east-1:000000000000:none", "The specified queue does not exist."),
        ("kinesis:us-east-1:000000000000:stream/none", "Stream not found: arn:aws:kinesis"),
        (
            "dynamodb:us-east-1:000000000000:table/none/stream/2026-01-01T00:00:00.000",
            "Stream not found: arn:aws:dynamodb",
        ),
    ):
        position = {} if source.startswith("sqs") else {"StartingPosition": "LATEST"}
        with pytest.raises(client.exceptions.InvalidParameterValueException, match=message):
            client.create_event_source_mapping(EventSourceArn=f"arn:aws:{source}", FunctionName="orders", **position)
    assert client.list_event_source_mappings()["EventSourceMappings"] == []


def test_a_mapping_runs_from_its_making_to_its_end(place: Place) -> None:
    """It is made, changed and enabled within seconds, finishes what it holds, and is gone."""
    client, sqs = place.client(), place.aws("sqs")
    url, arn = place.queue()
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders", BatchSize=1, Enabled=False)
    assert (made["State"], made["BatchSize"]) == ("Creating", 1)
    uuid = made["UUID"]
    place.until_state(uuid, "Disabled")
    assert client.update_event_source_mapping(UUID=uuid, FunctionName="audit")["State"] == "Updating"
    place.until_state(uuid, "Disabled")
    sqs.send_message(QueueUrl=url, MessageBody="slow")
    assert client.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    place.until_state(uuid, "Enabled")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def counts() -> dict[str, str]:
        found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return found

    place.until(lambda: counts()[names[1]] == "1", "the slow message with the function")
    assert client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    with pytest.raises(client.exceptions.ResourceInUseException):
        client.update_event_source_mapping(UUID=uuid, BatchSize=2)
    # Another mapping does not wait for that one.
    asked = {"EventSourceArn": place.queue()[1], "FunctionName": "audit", "Enabled": False}
    other = client.create_event_source_mapping(**asked)["UUID"]
    place.until_state(other, "Disabled")
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    place.until_state(uuid, None)
    assert "slow" in place.noted("audit")
    assert set(counts().values()) == {"0"}
    end(place, other)


def test_a_kill_right_after_each_reply_loses_nothing(place: Place) -> None:
    """A new mapping runs after the restart, a change counts, and a deletion comes to its end."""
    url, arn = place.queue()
    client, sqs = place.client(), place.aws("sqs")
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders:live", Tags={"team": "a"})
    place.kill()
    sqs.send_message(QueueUrl=url, MessageBody="after the kill")
    place.start()
    client = place.client()
    place.until(lambda: "after the kill" in place.noted("orders"), "the message after the restart")
    again = client.get_event_source_mapping(UUID=made["UUID"])
    for name in ("FunctionArn", "LastModified", "EventSourceMappingArn", "BatchSize"):
        assert again[name] == made[name]
    assert client.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"team": "a"}
    place.until_state(made["UUID"], "Enabled")
    client.update_event_source_mapping(UUID=made["UUID"], BatchSize=3, Enabled=False)
    place.kill()
    place.start()
    client = place.client()
    place.until_state(made["UUID"], "Disabled")
    assert client.get_event_source_mapping(UUID=made["UUID"])["BatchSize"] == 3
    client.delete_event_source_mapping(UUID=made["UUID"])
    place.kill()
    place.start()
    place.until_state(made["UUID"], None)


def test_many_clients_make_mappings_at_once(place: Place) -> None:
    """Fifty by ten clients: each is there, runs, and is found by page; one that two clients make is made once."""
    arns = [place.queue()[1] for _ in range(50)]
    made: list[str] = []
    conflicts: list[str] = []

    def make(number: int) -> None:
        client = place.client()
        for arn in [*arns[number::10], arns[0]]:
            polls = arns.index(arn) < 5  # a mapping that polls keeps the emulator busy
            asked = {"EventSourceArn": arn, "FunctionName": "orders", "Enabled": polls}
            try:
                made.append(client.create_event_source_mapping(**asked)["UUID"])
            except client.exceptions.ResourceConflictException as conflict:
                conflicts.append(str(conflict))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (len(made), len(conflicts)) == (50, 10)
    client = place.client()

    def listed() -> list[dict[str, Any]]:
        pages = client.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 20})
        return [one for page in pages for one in page["EventSourceMappings"]]

    settled = ["Disabled"] * 45 + ["Enabled"] * 5
    place.until(lambda: sorted(one["State"] for one in listed()) == settled, "all to be settled")
    assert {one["UUID"] for one in listed()} == set(made)
    end(place, *made)
    assert listed() == []


def test_a_kill_among_many_keeps_every_one_that_was_answered(place: Place) -> None:
    """What is on its way at the kill is there whole, or not at all."""
    arns = [place.queue()[1] for _ in range(30)]
    answered: list[str] = []

    def make(number: int) -> None:
        client = place.client()
        for arn in arns[number::3]:
            try:
                asked = {"EventSourceArn": arn, "FunctionName": "orders", "Enabled": False}
                answered.append(client.create_event_source_mapping(**asked)["UUID"])
            except (BotoCoreError, ClientError):
                return

    threads = [threading.Thread(target=make, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    place.until(lambda: len(answered) >= 8, "some answers")
    place.kill()
    for thread in threads:
        thread.join(60)
    place.start()
    client = place.client()
    kept = [one["UUID"] for one in client.list_event_source_mappings()["EventSourceMappings"]]
    assert set(answered) <= set(kept)
    assert len(kept) <= len(answered) + 3

    def states() -> set[str]:
        return {one["State"] for one in client.list_event_source_mappings()["EventSourceMappings"]}

    place.until(lambda: states() == {"Disabled"}, "all to be settled")
    end(place, *kept)


def test_a_function_that_leaves_the_file_is_waited_for(place: Place) -> None:
    """The reload is not refused; the mapping runs again with its function. A twin in the file goes before it."""
    table, arn = place.table()
    client = place.client()
    asked = {"EventSourceArn": arn, "FunctionName": "orders", "StartingPosition": "TRIM_HORIZON"}
    uuid = client.create_event_source_mapping(**asked)["UUID"]
    place.until_state(uuid, "Enabled")
    place.write("audit")
    place.reload()
    waiting = client.get_event_source_mapping(UUID=uuid)
    assert (waiting["State"], waiting["StateTransitionReason"]) == (
        "Enabled",
        "function orders is not configured: it runs when it is",
    )
    mapping = {"event_source_arn": arn, "function_name": "orders", "starting_position": "LATEST"}
    place.write("orders", "audit", event_source_mappings={"twin": mapping})
    place.reload()
    assert "the configuration's mapping twin has" in client.get_event_source_mapping(UUID=uuid)["StateTransitionReason"]
    [twin] = [one for one in client.list_event_source_mappings()["EventSourceMappings"] if one["UUID"] != uuid]
    with pytest.raises(client.exceptions.ResourceConflictException, match=r"twin \(.*headrace.yaml:\d+\)"):
        client.delete_event_source_mapping(UUID=twin["UUID"])
    place.write("orders", "audit")
    place.reload()
    place.put(table, "back")
    place.until(lambda: '{"id": {"S": "back"}}' in place.noted("orders"), "the record after the return")
    end(place, uuid)
