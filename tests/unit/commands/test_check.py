"""``headrace check``, and what a command says of a configuration that cannot be used, as the user sees it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pollers.cli import main
from pollers.commands.first_steps import FIRST_STEPS

if TYPE_CHECKING:
    from click.testing import Result

    from tests.unit.config.conftest import Folder

ROOT = Path(__file__).parents[3]
GOOD = """\
functions:
  orders: {code: ., handler: app.handler}
event_source_mappings:
  orders-queue:
    event_source_arn: arn:aws:sqs:us-east-1:000000000000:orders
    function_name: orders
    batch_size: 100
    maximum_batching_window_in_seconds: 5
    function_response_types: [ReportBatchItemFailures]
    scaling_config: {maximum_concurrency: 20}
    Tags: {team: a}
  clicks:
    event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
    function_name: orders
    starting_position: LATEST
    enabled: false
    destination_config: {on_failure: {destination: "arn:aws:s3:::failed"}}
"""


def run(*arguments: str) -> Result:
    """A command's outcome, run in this process."""
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that changes signals and logging, in a process of its own."""
    command = [sys.executable, "-m", "pollers", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_check_prints_notes_and_a_line_for_each_mapping(folder: Folder) -> None:
    """And exits with 0, with nothing on stderr."""
    file = folder.write(GOOD)

    result = run("check", str(file))

    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"note: {file}:11: event_source_mappings.orders-queue.Tags: Tags has no effect outside AWS",
        "orders-queue  arn:aws:sqs:us-east-1:000000000000:orders -> orders: batches of 100, gathered for up to 5 s, "
        "partial batch responses, concurrency 20",
        "clicks        arn:aws:kinesis:us-east-1:000000000000:stream/clicks -> orders: batches of 100, from LATEST, "
        "failures to arn:aws:s3:::failed, disabled",
        "2 mappings, 1 function, no faults",
    ]


def test_check_prints_each_fault_on_a_line_and_exits_with_2(folder: Folder) -> None:
    """On stderr, with nothing on stdout."""
    file = folder.write("aws: {regin: x}\nfunctions:\n  f: {handler: app.handler, timeout: -1}\n")

    result = run("check", str(file))

    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{file}:1", f"{file}:3", f"{file}:3"]
    assert lines[0] == (
        f"{file}:1: aws.regin: found an unknown key (did you mean 'region'?), expected one of region, endpoint_url, endpoint_urls"
    )


def test_check_takes_headrace_yaml_by_default(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working directory."""
    monkeypatch.chdir(folder.path)

    missing = run("check")
    folder.write(GOOD)

    assert missing.exit_code == 2
    assert missing.stderr.startswith("headrace.yaml:1: found a file that cannot be read")
    assert run("check").exit_code == 0


@pytest.mark.parametrize("arguments", [(), ("run",), ("check",)])
def test_an_empty_folder_is_told_what_to_do_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """With an example that can be used as it is; exit 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    result = process(*arguments)

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.endswith(FIRST_STEPS)
    for word in ("headrace demo", "headrace check", "headrace run"):
        assert word in FIRST_STEPS
    example = textwrap.dedent("".join(line for line in FIRST_STEPS.splitlines(keepends=True) if line.startswith("  ")))
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "headrace.yaml").write_text(example)
    assert run("check").exit_code == 0
    assert FIRST_STEPS not in run().stderr


@pytest.mark.parametrize("name", ["headrace.yml", "headrace.json"])
def test_a_configuration_of_another_ending_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever wrote one needs no example."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("{}")
    for arguments in ((), ("check",)):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr.endswith(f"There is a {name}: name it, as in `headrace check {name}`.\n")


def test_a_configuration_that_was_asked_for_is_no_first_step(tmp_path: Path) -> None:
    """Whoever names a file knows what it is."""
    assert FIRST_STEPS not in run("check", str(tmp_path / "other.yaml")).stderr


def test_warnings_of_the_code_that_is_looked_at_are_not_ours(folder: Folder) -> None:
    """Python's own about an invalid escape, which would be an error here."""
    (folder.path / "app.py").write_text("def handler(event, context): return '\\d'\n")
    assert run("check", str(folder.write(GOOD))).stderr == ""


@pytest.mark.parametrize("command", ["run", "check"])
def test_credentials_that_cannot_be_sent_are_refused_at_once(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """By the variable's name and without its value; exit 2."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush\n")

    result = process(command, str(folder.write(GOOD)))

    assert result.returncode == 2
    assert "environment variable AWS_SECRET_ACCESS_KEY: found a line break at its end" in result.stderr
    assert "hush" not in result.stderr + result.stdout


def test_check_fills_in_the_environment(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own."""
    monkeypatch.setenv("HEADRACE_TEST_REGION", "eu-west-1")
    file = folder.write("aws: {region: '${HEADRACE_TEST_REGION}'}\n")

    assert run("check", str(file)).exit_code == 0


def test_check_finds_what_is_wrong_inside_a_pattern(folder: Folder) -> None:
    """With the line inside the pattern, from the filters' own check."""
    file = folder.write(
        """\
        functions: {orders: {code: ., handler: app.handler}}
        event_source_mappings:
          m:
            event_source_arn: arn:aws:sqs:us-east-1:000000000000:orders
            function_name: orders
            filter_criteria:
              filters:
                - pattern:
                    body:
                      type: []
        """
    )

    result = run("check", str(file))

    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"{file}:10: event_source_mappings.m.filter_criteria.filters[0].pattern.body.type: "
    )
    assert "Invalid filter pattern definition." in result.stderr


def test_check_prints_the_next_three_runs_of_each_schedule(folder: Folder) -> None:
    """In the schedule's zone and in UTC, with no note that nothing is polled."""
    file = folder.write("""\
        functions:
          orders: {code: ., handler: app.handler}
        schedules:
          nightly:
            schedule_expression: cron(0 2 * * ? 2190)
            schedule_expression_timezone: Europe/Berlin
            function_name: orders
        """)

    result = run("check", str(file))

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "nightly  cron(0 2 * * ? 2190) in Europe/Berlin -> orders",
        "  next: Fri 2190-01-01 02:00:00 +0100, 2190-01-01T01:00:00Z",
        "  next: Sat 2190-01-02 02:00:00 +0100, 2190-01-02T01:00:00Z",
        "  next: Sun 2190-01-03 02:00:00 +0100, 2190-01-03T01:00:00Z",
        "0 mappings, 1 function, 1 schedule, no faults",
    ]
