"""Event patterns are kept as the text that AWS would get, and checks of other packages find their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.models import KinesisMapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.models import Mapping
    from tests.unit.config.conftest import Folder

SOURCE = "event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\nfunction_name: orders\n"


def patterns(folder: Folder, text: str) -> list[str]:
    """The patterns of a mapping with these filters."""
    return [
        item.pattern for item in folder.mapping(f"{SOURCE}filter_criteria:\n  filters:\n{text}").filter_criteria.filters
    ]


def test_a_json_text_is_kept_to_the_letter(folder: Folder) -> None:
    """Spaces, repeated keys and spellings of numbers included."""
    text = '{"body": {"b": [1.0], "a": [3.0e2], "b": ["x"]}}'

    assert patterns(folder, f"    - pattern: '{text}'") == [text]


def test_a_mapping_becomes_json_in_its_own_order(folder: Folder) -> None:
    """Numbers keep their spelling, since AWS compares them as text; keys keep their order."""
    text = "    - pattern: {body: {z: [300, 300.0, 3.0e2, 1e3, 0x10], a: [true, null, 'é', {prefix: x}]}}"

    assert patterns(folder, text) == ['{"body":{"z":[300,300.0,3.0e2,1e3,16],"a":[true,null,"é",{"prefix":"x"}]}}']


def test_yaml_words_stay_text_in_patterns(folder: Folder) -> None:
    """Neither ``no`` nor a date turns into something that AWS would not match."""
    assert patterns(folder, "    - pattern: {body: {country: [no], on: [2026-01-01, 12:30]}}") == [
        '{"body":{"country":["no"],"on":["2026-01-01","12:30"]}}'
    ]


def test_a_key_repeated_in_a_pattern_counts_last_with_a_note(folder: Folder) -> None:
    """As in event patterns on AWS; elsewhere a repeated key is a fault."""
    loaded = folder.load(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n  m:\n"
        "    event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\n    function_name: orders\n"
        "    filter_criteria:\n      filters:\n      - pattern:\n          body:\n            a: [1]\n            "
        "b: [2]\n            a: [3]\n"
    )

    assert loaded.config.event_source_mappings["m"].filter_criteria.filters[0].pattern == '{"body":{"a":[3],"b":[2]}}'
    (note,) = loaded.notes
    assert (note.line, note.path) == (12, "event_source_mappings.m.filter_criteria.filters[0].pattern.body.a")


def test_the_environment_fills_in_patterns(folder: Folder) -> None:
    """As text, in both forms."""
    folder.environ["TYPE"] = 'a"b'

    assert patterns(folder, '    - pattern: {body: ["${TYPE}"]}\n    - pattern: \'{"body": ["${OTHER:-c}"]}\'') == [
        '{"body":["a\\"b"]}',
        '{"body": ["c"]}',
    ]


def check(mapping: Mapping) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
    """A check as another package would bring it: about each pattern, about something inside it, and a note."""
    for number, item in enumerate(mapping.filter_criteria.filters):
        path = ("filter_criteria", "filters", number, "pattern")
        if "fault" in item.pattern:
            yield (*path, "body", "fault", 1), "found a fault", False
        if "note" in item.pattern:
            yield path, "found something to note", True


def test_a_check_finds_the_line_inside_a_pattern(folder: Folder) -> None:
    """The path goes on inside a pattern that is written as a mapping."""
    folder.checks = (check,)

    (fault,) = folder.faults(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n  m:\n"
        "    EventSourceArn: arn:aws:sqs:us-east-1:000000000000:jobs\n    FunctionName: orders\n    "
        "FilterCriteria:\n      Filters:\n"
        "      - Pattern:\n          body:\n            fault:\n            - 1\n            - 2\n"
    )

    assert (
        fault
        == "headrace.yaml:12: event_source_mappings.m.FilterCriteria.Filters[0].Pattern.body.fault[1]: found a fault"
    )


def test_a_check_inside_a_json_text_has_the_texts_line(folder: Folder) -> None:
    """The path is shown whole all the same; notes stay notes."""
    folder.checks = (check,)

    faults = folder.mapping_faults(SOURCE + "filter_criteria: {filters: [{pattern: '{\"fault\": [1]}'}]}")
    loaded = folder.load(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n  m:\n"
        "    event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\n    function_name: orders\n"
        "    filter_criteria: {filters: [{pattern: note}]}\n"
    )

    assert faults == ["filter_criteria.filters[0].pattern.body.fault[1]: found a fault"]
    assert [str(note).partition(": ")[2] for note in loaded.notes] == [
        "event_source_mappings.m.filter_criteria.filters[0].pattern: found something to note"
    ]


def test_checks_are_asked_about_faulty_mappings_too(folder: Folder) -> None:
    """What is wrong elsewhere, even in another filter, does not hide what a check finds."""
    folder.checks = (check,)

    faults = folder.mapping_faults(
        "event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks\nfunction_name: nobody\nbatch_size: x\n"
        "filter_criteria: {filters: [{pattern: 5}, {}, {pattern: {fault: [1]}}]}"
    )

    assert [fault.split(": ")[0] for fault in faults] == [
        "starting_position is missing, expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS",
        "function_name",
        "batch_size",
        "filter_criteria.filters[0].pattern",
        "filter_criteria.filters[1]",
        "filter_criteria.filters[2].pattern.body.fault[1]",
    ]


def test_a_later_fault_is_located_by_what_was_loaded(folder: Folder) -> None:
    """What is found by asking AWS afterwards names the file's line and spelling too."""
    loaded = folder.load(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n  m:\n"
        "    EventSourceArn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks\n    FunctionName: orders\n    "
        "StartingPosition: LATEST\n"
    )

    assert isinstance(loaded.config.event_source_mappings["m"], KinesisMapping)
    fault = loaded.fault(("event_source_mappings", "m", "event_source_arn"), "found no such stream")
    assert str(fault).endswith("headrace.yaml:4: event_source_mappings.m.EventSourceArn: found no such stream")
    note = loaded.note(("event_source_mappings", "m", "batch_size"), "is large")
    assert (note.line, note.path) == (3, "event_source_mappings.m.batch_size")
    assert (loaded.fault(("aws", "region"), "x").line, loaded.fault(("aws", "region"), "x").path) == (1, "aws.region")
