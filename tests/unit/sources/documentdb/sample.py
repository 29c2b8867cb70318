"""The sample of the kind DocumentDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import bson
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

from pollers.sources.documentdb.events import ChangeReader
from pollers.sources.documentdb.kind import DOCUMENTDB
from pollers.sources.documentdb.services import RDS
from tests.unit.sources.sample import Sample

if TYPE_CHECKING:
    from pollers.aws.api import Wire

ARN = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
KEY = {"_id": ObjectId("63eeb6e7d418cd98afb1c1d7")}
CHANGE = ChangeReader().read(
    bson.encode(
        {
            "_id": {"_data": "0163eeb6e7000000090100000009000041e1"},
            "operationType": "insert",
            "clusterTime": Timestamp(1676588775, 9),
            "fullDocument": {**KEY, "total": 12.5},
            "ns": {"db": "shop", "coll": "orders"},
            "documentKey": KEY,
        }
    )
)

SAMPLE = Sample(
    DOCUMENTDB,
    ARN,
    settings={
        "starting_position": "LATEST",
        "document_db_event_source_config": {"database_name": "shop", "collection_name": "orders"},
    },
    services=lambda: {RDS.name: object()},
    wire=cast("Wire", CHANGE),
    event=CHANGE.event,
    payload=b'{"_id":{"_data":"0163eeb6e7',
    pattern=None,
    examined_in="tests/contract/test_documentdb_check.py",
)
