"""Whether change streams are enabled for what is watched, as DocumentDB lists it."""

from __future__ import annotations

import pytest

from pollers.aws.findings import Level
from pollers.sources.documentdb.checking import judged


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
