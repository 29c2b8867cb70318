"""``headrace filter`` as a user runs it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from pollers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CREATED = {"body": {"type": ["created"]}}


@dataclass(frozen=True)
class Done:
    """What a run of the command left."""

    returncode: int
    stdout: str
    stderr: str


def filter_events(*arguments: str, events: list[Any] | str = "") -> Done:
    """Run the command in this process, with EVENTS on standard input."""
    text = events if isinstance(events, str) else "".join(json.dumps(event) + "\n" for event in events)
    result = CliRunner().invoke(main, ["filter", *arguments, "-"], input=text.encode("utf-8", "surrogateescape"))
    return Done(result.exit_code, result.stdout, result.stderr)


def sqs_record(body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A record of an SQS event."""
    return {"messageId": "1", "body": body if isinstance(body, str) else json.dumps(body), "eventSource": "aws:sqs"}


def test_prints_one_line_an_event_in_order() -> None:
    """match or no match for each event, as it stands; empty lines are no events."""
    done = filter_events("--pattern", '{"a": [1]}', events='{"a": 1}\n\n{"a": 2}\n{"a": [2, 1]}\n7\n')
    assert (done.returncode, done.stdout, done.stderr) == (0, "match\nno match\nmatch\nno match\n", "")


def test_prints_objects_as_json() -> None:
    """One object a line, with the event's number from 1."""
    done = filter_events("--json", "--pattern", '{"a": [1]}', events=[{"a": 1}, {"a": 2}])
    assert done.stdout == '{"event": 1, "match": true}\n{"event": 2, "match": false}\n'
    assert done.returncode == 0


def test_explains_which_condition_failed_first() -> None:
    """The first in the order of the pattern, with what was found."""
    pattern = '{"a": [1], "b": {"c": [{"prefix": "x"}], "d": [{"exists": false}]}}'
    events = [
        {"a": 1, "b": {"c": "xy"}},
        {"a": 1, "b": {"c": "y", "d": 1}},
        {"b": {"c": "x"}},
        {"a": 1, "b": {"c": "x", "d": 5}},
    ]
    done = filter_events("--explain", "--pattern", pattern, events=events)
    assert done.stdout.splitlines() == [
        "match",
        'no match: b.c is "y", must be [{"prefix": "x"}]',
        "no match: a has no value, must be [1]",
        'no match: b.d is 5, must be [{"exists": false}]',
    ]


def test_explains_as_json() -> None:
    """A reason for each filter that failed."""
    criteria = {"Filters": [{"Pattern": '{"a": [1]}'}, {"Pattern": {"b": [2]}}]}
    done = filter_events("--explain", "--json", "--pattern", json.dumps(criteria), events=[{"a": 2}, {"b": 2}])
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"event": 1, "match": False, "failed": ["a is 2, must be [1]", "b has no value, must be [2]"]},
        {"event": 2, "match": True},
    ]


@pytest.mark.parametrize(
    ("source", "pattern", "matching", "other"),
    [
        ("sqs", CREATED, sqs_record({"type": "created"}), sqs_record("created")),
        ("sqs", {"body": ["created"]}, sqs_record("created"), sqs_record({"type": "created"})),
        (
            "kinesis",
            {"partitionKey": ["1"], "data": {"type": ["buy"]}},
            {"kinesis": {"partitionKey": "1", "data": base64.b64encode(b'{"type": "buy"}').decode()}},
            {"kinesis": {"partitionKey": "1", "data": base64.b64encode(b"buy").decode()}},
        ),
        (
            "dynamodb",
            {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": ["101"]}}}},
            {"eventName": "INSERT", "dynamodb": {"NewImage": {"n": {"N": "101"}}}},
            {"eventName": "REMOVE", "dynamodb": {"NewImage": {"n": {"N": "101"}}}},
        ),
    ],
)
def test_events_of_a_source_are_its_records(source: str, pattern: Any, matching: Any, other: Any) -> None:  # noqa: ANN401
    """The data is decoded as the mapping's poller would decode it."""
    done = filter_events("--source", source, "--pattern", json.dumps(pattern), events=[matching, other])
    assert (done.stdout, done.returncode) == ("match\nno match\n", 0)


def test_without_a_source_the_body_is_not_decoded() -> None:
    """As it stands, a body is a string."""
    done = filter_events(
        "--pattern", json.dumps(CREATED), events=[sqs_record({"type": "created"}), {"body": {"type": "created"}}]
    )
    assert done.stdout == "no match\nmatch\n"


def test_pattern_and_events_come_from_files(tmp_path: Path) -> None:
    """--pattern names a file, and so does EVENTS."""
    pattern, events = tmp_path / "pattern.json", tmp_path / "events.jsonl"
    pattern.write_text('\n{"n": [3.0e2]}\n')
    events.write_text('{"n": 300.5}\n{"n": 300}')
    command = [sys.executable, "-m", "pollers", "filter", "--pattern", str(pattern), str(events)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("no match\nmatch\n", 0)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration with a filtered mapping and one without filters."""
    (tmp_path / "app.py").write_text("def handler(event, context):\n    pass\n")
    arn = "arn:aws:sqs:us-east-1:000000000000"
    file = tmp_path / "headrace.yaml"
    mappings = {
        "orders": {
            "event_source_arn": f"{arn}:orders",
            "function_name": "f",
            "filter_criteria": {"filters": [{"pattern": CREATED}]},
        },
        "all": {"event_source_arn": f"{arn}:all", "function_name": "f"},
    }
    functions = {"f": {"handler": "app.handler", "code": str(tmp_path)}}
    file.write_text(json.dumps({"functions": functions, "event_source_mappings": mappings}))
    return file


def test_filters_of_a_mapping(configuration: Path) -> None:
    """With -c and --mapping, patterns and source are the mapping's; a decoded body is taken as it is."""
    events = [sqs_record({"type": "created"}), sqs_record({"type": "x"}), {"body": {"type": "created"}}]
    done = filter_events("-c", str(configuration), "--mapping", "orders", events=events)
    assert (done.stdout, done.returncode) == ("match\nno match\nmatch\n", 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--pattern", '{"a": 1}'],
            'Invalid filter pattern definition. a: a field\'s values stand in an array: write "a": [1]',
        ),
        (["--pattern", '{"Filters": [{"Pattern": {"a": [1]}}, {"Pattern": "{}"}]}'], "filter 2: the object is empty"),
        (["--pattern", '{"Filters": []}'], "1 to 10 filters, not 0"),
        (["--pattern", '{"data": ["x"]}', "--source", "kinesis"], "data: the pattern for data must be an object"),
        (["--pattern", "missing.json"], "missing.json"),
        (["--pattern", "[]"], "a pattern is a JSON object"),
        (["--pattern", "{" * 5000], "at most 4,096 characters"),
        ([], "give either --pattern, or both -c and --mapping"),
        (["-c", "headrace.yaml"], "give either --pattern, or both -c and --mapping"),
        (
            ["--pattern", "{}", "-c", "headrace.yaml", "--mapping", "x"],
            "give either --pattern, or both -c and --mapping",
        ),
    ],
)
def test_unusable_arguments_exit_with_2(arguments: list[str], reason: str) -> None:
    """The reason is on stderr, and nothing on stdout."""
    done = filter_events(*arguments, events=[{"a": 1}])
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


@pytest.mark.parametrize(
    ("mapping", "reason"), [("nope", "no mapping nope: it has orders, all"), ("all", "no filters")]
)
def test_mapping_without_filters_exits_with_2(configuration: Path, mapping: str, reason: str) -> None:
    """There is nothing to match with."""
    done = filter_events("-c", str(configuration), "--mapping", mapping)
    assert done.returncode == 2
    assert reason in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line", "reason"),
    [
        ([], "{broken", "line 3 is not JSON"),
        ([], "\udcff", "line 3 is not JSON"),
        (["--source", "sqs"], "[]", "line 3 is no record"),
        (["--source", "sqs"], '{"Records": [{}]}', "line 3 is a whole event"),
    ],
)
def test_unusable_event_is_named_by_its_line(arguments: list[str], line: str, reason: str) -> None:
    """What came before it has been answered."""
    done = filter_events("--pattern", '{"messageId": ["1"]}', *arguments, events=f'{{"messageId": "1"}}\n\n{line}\n')
    assert (done.returncode, done.stdout) == (2, "match\n")
    assert reason in done.stderr


def test_answers_come_as_events_come() -> None:
    """On a pipe, each event is answered before the next one is sent."""
    command = [sys.executable, "-m", "pollers", "filter", "--pattern", '{"a": [1]}', "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for value, answer in ((1, b"match\n"), (2, b"no match\n")):
            process.stdin.write(b'{"a": %d}\n' % value)
            process.stdin.flush()
            assert process.stdout.readline() == answer
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_exit_code_and_reason_reach_the_shell() -> None:
    """A process of its own, with an invalid pattern."""
    command = [sys.executable, "-m", "pollers", "filter", "--pattern", '{"a": []}', "-"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr
        == b"Invalid filter pattern definition. a: the array is empty: give at least one value or operator\n"
    )


def test_reader_that_stops_early_is_no_error_message(tmp_path: Path) -> None:
    """As in ``headrace filter ... | head -1``: no traceback."""
    events = tmp_path / "events.jsonl"
    events.write_text('{"a": 1}\n' * 200_000)
    command = [sys.executable, "-m", "pollers", "filter", "--pattern", '{"a": [1]}', str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"match\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=60)


def test_notes_stand_on_stderr_when_explaining() -> None:
    """Operators that Lambda does not list, and members that records do not have."""
    pattern = '{"kinesis": {"partitionKey": [{"wildcard": "a*"}]}}'
    done = filter_events("--explain", "--source", "kinesis", "--pattern", pattern, events=[{"kinesis": {}}])
    assert "note: kinesis.partitionKey[0].wildcard: wildcard is EventBridge's" in done.stderr
    assert "note: kinesis: in patterns partitionKey and data stand at the top" in done.stderr
    assert done.returncode == 0
