"""What a kind of source needs beside Headrace is asked for before anything starts."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from config import ConfigError
from config.models import DocumentDBMapping, SqsMapping
from config.sources import extra
from config.sources.extra import Extra, check_extra
from pollers.supervisor.loading import load_checked

if TYPE_CHECKING:
    from pathlib import Path


def without_driver(name: str) -> object:
    """As where pymongo is not installed."""
    return None if name == "pymongo" else find_spec(name)


def test_what_is_installed_is_not_missed() -> None:
    """Every module of it must be there."""
    assert Extra("it needs x", ("json", "email"), "pip install x").missing() is None
    assert Extra("it needs x", ("json", "no_such_module"), "pip install x").missing() == (
        "it needs x, which is not installed: pip install x"
    )


def test_kinds_that_need_nothing_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most need what Headrace has."""
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    settings = {"name": "q", "event_source_arn": "arn:aws:sqs:us-east-1:000000000000:q", "function_name": "work"}
    assert list(check_extra(SqsMapping.model_validate(settings))) == []


def test_a_change_stream_without_the_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it, where the mapping says what it reads."""
    mapping = DocumentDBMapping.model_validate(
        {
            "name": "changes",
            "event_source_arn": "arn:aws:rds:us-east-1:000000000000:cluster:shop",
            "function_name": "work",
            "starting_position": "LATEST",
            "document_db_event_source_config": {"database_name": "shop"},
            "connection_uri": "mongodb://localhost/",
        }
    )
    assert list(check_extra(mapping)) == []
    monkeypatch.setattr(extra, "find_spec", without_driver)
    (finding,) = check_extra(mapping)
    assert finding.path == ("event_source_arn",)
    assert 'pip install "headrace[documentdb]"' in finding.message


def test_a_configuration_is_refused_with_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By check, run and whatever else loads one."""
    file = tmp_path / "headrace.yaml"
    file.write_text(
        """\
functions:
  work: {runtime: python, handler: app.handler, code: .}
event_source_mappings:
  changes:
    event_source_arn: arn:aws:rds:us-east-1:000000000000:cluster:shop
    function_name: work
    starting_position: LATEST
    document_db_event_source_config: {database_name: shop}
    connection_uri: mongodb://localhost/
"""
    )
    load_checked(file)
    monkeypatch.setattr(extra, "find_spec", without_driver)
    with pytest.raises(ConfigError) as refused:
        load_checked(file)
    (fault,) = refused.value.faults
    assert str(fault).startswith(f"{file}:5: event_source_mappings.changes.event_source_arn: change streams need")
