"""The sections of a configuration, in one file or in a folder of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import ConfigError, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.config.conftest import Folder


def test_unknown_sections_are_faults_with_a_suggestion(folder: Folder) -> None:
    """But for those that begin with x-."""
    faults = folder.faults("event_source_mapping: {}\nFunctions: {}\nx-anything: 1\nother: 1\n")

    known = "expected one of aws, runtime, lambda_api, console, functions, event_source_mappings, schedules"
    assert faults == [
        f"headrace.yaml:1: event_source_mapping: found an unknown key (did you mean 'event_source_mappings'?), {known}",
        f"headrace.yaml:2: Functions: found an unknown key (did you mean 'functions'?), {known}",
        f"headrace.yaml:4: other: found an unknown key, {known}",
    ]


@pytest.mark.parametrize("section", ["functions", "event_source_mappings"])
def test_a_section_of_another_type_is_a_fault(folder: Folder, section: str) -> None:
    """A list where names are wanted."""
    (fault,) = folder.faults(f"{section}:\n  - a\n")

    expected = f"headrace.yaml:1: {section}: found a list, expected a mapping of names to {section.replace('_', ' ')}"
    assert fault.startswith(expected)


def test_a_configuration_without_mappings_is_noted(folder: Folder) -> None:
    """``headrace invoke`` needs functions only."""
    loaded = folder.load("functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n")

    assert [note.message for note in loaded.notes] == ["there are no event_source_mappings: nothing would be polled"]


URLS = """
functions:
  hello: {code: ., handler: app.handler, function_url: {auth_type: NONE}}
  Hello: {code: ., handler: app.handler, function_url: {auth_type: NONE}}
"""


def test_a_function_url_that_nothing_serves_is_noted(folder: Folder) -> None:
    """And one that cannot be told from another in a host name, where upper and lower case are the same."""
    unserved = "it is not served without lambda_api, which says on which address"
    alike = "it is served by path only: in a host name, Hello cannot be told from hello"

    notes = [(note.line, note.path, note.message) for note in folder.load(URLS).notes if note.path]
    assert notes == [
        (3, "functions.hello.function_url", unserved),
        (4, "functions.Hello.function_url", unserved),
        (4, "functions.Hello.function_url", alike),
    ]
    assert [note.message for note in folder.load(f"lambda_api: {{}}\n{URLS}").notes] == [alike]


@pytest.mark.parametrize("name", ["headrace.yaml", "headrace.json"])
def test_a_repeated_key_is_a_fault_wherever_it_is(folder: Folder, name: str) -> None:
    """Each with the line of the repetition."""
    faults = folder.faults(
        '{"aws": {"region": "a",\n "region": "b"},\n"x-a": {"b": {"c": 1,\n"c": 2}},\n"x-a2": 1, "x-a2": 2}', name
    )

    assert faults == [
        f"{name}:2: aws.region: found the key a second time, expected it once",
        f"{name}:4: x-a.b.c: found the key a second time, expected it once",
        f"{name}:5: x-a2: found the key a second time, expected it once",
    ]


def test_its_files_make_one_configuration(folder: Folder) -> None:
    """Functions, mappings and settings from different files find each other; other files are let alone."""
    folder.write("aws: {region: eu-west-1}", "10-aws.yaml")
    folder.write("functions: {orders: {code: ., handler: app.handler}}", "20-functions.yml")
    folder.write(
        '{"event_source_mappings": {"m": {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q", "FunctionName": '
        '"orders"}}}',
        "30-mappings.json",
    )
    folder.write("not: {ours", ".hidden.yaml")
    folder.write("not: {ours", "notes.txt")
    (folder.path / "sub.yaml").mkdir()

    loaded = folder.load()

    assert loaded.config.aws.region == "eu-west-1"
    assert loaded.config.event_source_mappings["m"].function_name == "orders"
    assert [file.name for file in loaded.files] == ["10-aws.yaml", "20-functions.yml", "30-mappings.json"]


def test_a_folder_without_files_is_a_fault(folder: Folder) -> None:
    """It says what was looked for."""
    with pytest.raises(
        ConfigError,
        match=r":1: found a folder without files, expected at least one file \*\.yaml, \*\.yml, \*\.json",
    ):
        load(folder.path, environ={})


def test_a_name_in_two_files_is_a_fault_that_names_both(folder: Folder) -> None:
    """For functions and mappings alike."""
    folder.write("functions:\n  orders: {code: ., handler: app.handler}\n", "a.yaml")
    folder.write("\n\nfunctions:\n  orders: {code: ., handler: app.handler}\n", "b.yaml")

    (fault,) = folder.faults()

    assert fault == (
        "b.yaml:4: functions.orders: found 'orders' a second time, expected it once: it is also defined in a.yaml:2"
    )


@pytest.mark.parametrize("section", ["aws", "runtime", "console"])
def test_a_single_section_in_two_files_is_a_fault(folder: Folder, section: str) -> None:
    """It names both files."""
    folder.write(f"{section}: {{}}", "a.yaml")
    folder.write(f"\n{section}: {{}}", "b.yaml")

    (fault,) = folder.faults()

    assert fault.startswith(f"b.yaml:2: {section}: found the section a second time")
    assert fault.endswith("a.yaml:1")


def test_faults_of_every_file_are_reported(folder: Folder) -> None:
    """One that cannot be read hides neither the others' faults nor invents any: its functions may be those that are missing."""
    folder.write("functions: {orders: [", "a.yaml")
    folder.write(
        """\
        event_source_mappings:
          m: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:q", function_name: orders, batch_size: 0}
        """,
        "b.yaml",
    )

    faults = folder.faults()

    assert len(faults) == 2
    assert faults[0].startswith("a.yaml:1: found malformed YAML")
    assert faults[1] == "b.yaml:2: event_source_mappings.m.batch_size: found 0, expected an integer from 1 to 10000"


def test_paths_are_relative_to_the_file_that_names_them(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever the command is run."""
    monkeypatch.chdir(tmp_path)
    (folder.path / "conf").mkdir()
    folder.write("functions: {orders: {code: .., handler: app.handler}}", "conf/a.yaml")

    loaded = load("conf", environ={})

    assert loaded.config.functions["orders"].model_dump()["code"] == folder.path
    assert loaded.config.runtime.sqlite_path == folder.path / "conf/.headrace/checkpoints.db"
