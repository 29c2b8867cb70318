"""Mappings of change streams made through Lambda's API by AWS's own client, which read a server that the configuration names."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import unused_port
from botocore.exceptions import ClientError
from pymongo import MongoClient

from tests.e2e.lambda_api import LambdaApiPlace
from tests.emulators import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators import Emulator

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]
CLUSTER = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
HIDDEN = "part-of-the-uri-that-nobody-may-see"
NOTING = """
import json, os

def handler(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        for one in event["events"]:
            change = one["event"]
            print(change["ns"]["coll"], change["documentKey"]["_id"], "fullDocument" in change, file=notes)
"""


class Place(LambdaApiPlace):
    """The place, with a function that notes changes, and where its server is."""

    port_of_status: int = 0

    def write(self, server: Emulator) -> None:
        """Configure it: clusters are at ``server``, whatever their ARNs."""
        self.port_of_status = unused_port()
        uri = f"mongodb://127.0.0.1:{server.port}/?appName={HIDDEN}"
        self.configure(
            {"orders": {"environment": {"NOTES": str(self.folder / "notes")}}},
            aws={"region": "us-east-1", "endpoint_urls": {"documentdb": uri}},
            runtime={"http": {"port": self.port_of_status}},
        )
        (self.folder / "code" / "app.py").write_text(NOTING)

    def noted(self) -> list[str]:
        """What the function has got."""
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def asked(self, path: str) -> str:
        """What operators are shown."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port_of_status}{path}", timeout=60) as reply:
            return str(reply.read().decode())


@pytest.fixture
def place(tmp_path: object, secantusdb: Emulator) -> Iterator[Place]:
    """A running process, which is killed in the end if the test has not ended it."""
    place = Place(tmp_path)  # type: ignore[arg-type] # a path
    place.write(secantusdb)
    place.start()
    try:
        yield place
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def test_a_made_mapping_reads_the_configured_server(place: Place, secantusdb: Emulator) -> None:
    """By the cluster's ARN alone, without a secret; it outlives a kill, is changed and deleted, and nobody is shown the URI."""
    database = unique("shop")
    client = place.client()
    with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{secantusdb.port}/") as mongo:
        collection = mongo[database]["orders"]
        collection.insert_one({"_id": "first", "n": 1})
        made = client.create_event_source_mapping(
            EventSourceArn=CLUSTER,
            FunctionName="orders",
            StartingPosition="TRIM_HORIZON",
            MaximumBatchingWindowInSeconds=0,
            DocumentDBEventSourceConfig={"DatabaseName": database, "CollectionName": "orders"},
        )
        place.until(lambda: place.noted() == ["orders first True"], "the first change")
        place.kill()
        place.start()
        collection.update_one({"_id": "first"}, {"$set": {"n": 2}})
        place.until(lambda: place.noted()[-1] == "orders first False", "the change after the kill")

        with pytest.raises(ClientError, match="Invalid parameters: collectionName, databaseName"):
            client.update_event_source_mapping(
                UUID=made["UUID"], DocumentDBEventSourceConfig={"DatabaseName": database, "CollectionName": "other"}
            )
        client.update_event_source_mapping(
            UUID=made["UUID"], DocumentDBEventSourceConfig={"FullDocument": "UpdateLookup"}
        )
        place.until(lambda: _state(client, made["UUID"]) == "Enabled", "the end of the update")
        collection.update_one({"_id": "first"}, {"$set": {"n": 3}})
        place.until(lambda: place.noted()[-1] == "orders first True", "the whole document")
        shown = client.get_event_source_mapping(UUID=made["UUID"])
        assert shown["DocumentDBEventSourceConfig"] == {
            "DatabaseName": database,
            "CollectionName": "orders",
            "FullDocument": "UpdateLookup",
        }
        assert shown["LastProcessingResult"] == "OK"

    told = [json.dumps(shown, default=str), place.asked("/api/status"), place.asked("/metrics")]
    client.delete_event_source_mapping(UUID=made["UUID"])
    place.until(lambda: not client.list_event_source_mappings()["EventSourceMappings"], "the end")
    assert place.end() == 0
    assert HIDDEN not in "".join([*told, (place.folder / "log").read_text()])


def _state(client: Any, uuid: str) -> str:  # noqa: ANN401 - botocore makes its clients at run time
    return str(client.get_event_source_mapping(UUID=uuid)["State"])
