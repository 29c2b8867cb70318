"""Whether change streams are enabled for what is watched, as DocumentDB lists it."""

from __future__ import annotations

import pytest

from config.models import DocumentDBMapping
from pollers.aws.findings import Level
from pollers.sources.documentdb.checking import judged
from pollers.sources.documentdb.kind import DOCUMENTDB


@pytest.mark.parametrize(
    ("collection", "listed", "level"),
    [
        ("orders", [("", "")], Level.OK),
        ("orders", [("shop", "")], Level.OK),
        ("orders", [("shop", "orders")], Level.OK),
        ("orders", [("shop", "others"), ("other", "orders"), ("other", "")], Level.FAULT),
        ("orders", [], Level.FAULT),
        (None, [("", "")], Level.OK),
        (None, [("shop", "")], Level.OK),
        (None, [("shop", "orders")], Level.NOTE),
        (None, [("other", "")], Level.FAULT),
    ],
)
def test_what_is_enabled_must_have_what_is_watched(
    collection: str | None, listed: list[tuple[str, str]], level: Level
) -> None:
    """By itself, with its database, or with the whole cluster."""
    assert judged("changes", "shop", collection, listed).level is level


def test_what_is_not_enabled_is_told_with_the_command() -> None:
    """What is watched stands in it."""
    fix = judged("changes", "shop", "orders", []).fix
    assert 'modifyChangeStreams: 1, database: "shop", collection: "orders", enable: true' in fix


@pytest.mark.parametrize(
    ("uri", "secret", "asked"),
    [
        (None, True, ["rds", "secretsmanager"]),
        ("mongodb://localhost/?authSource=admin", True, ["secretsmanager"]),
        ("mongodb://localhost/", True, []),
        ("mongodb://localhost/", False, []),
    ],
)
def test_services_of_aws_that_are_not_needed_are_not_asked(uri: str | None, secret: bool, asked: list[str]) -> None:
    """Not even for the time: MongoDB is read where there is no AWS."""
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop"
    mapping = DocumentDBMapping.model_validate(
        {
            "name": "changes",
            "event_source_arn": "arn:aws:rds:us-east-1:000000000000:cluster:shop",
            "function_name": "work",
            "starting_position": "LATEST",
            "document_db_event_source_config": {"database_name": "shop"},
            "source_access_configurations": [{"type": "BASIC_AUTH", "uri": arn}] if secret else [],
            "connection_uri": uri,
        }
    )
    assert [service.name for service in DOCUMENTDB.services(mapping)] == asked
