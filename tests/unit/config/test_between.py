"""Rules between sections are asked although something else in these sections is wrong: all faults are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

STREAMS = """\
runtime: {{{runtime}}}
functions: {{f: {{code: ., handler: app.h}}}}
event_source_mappings:
  clicks:
    event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
    function_name: f
    starting_position: LATEST
    {mapping}
  users:
    event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/users
    function_name: f
    starting_position: LATEST
"""
ONE_TABLE = "runtime.checkpoints: found one table 'leases' for the stream mappings clicks and users"
OWN = "arn:aws:lambda:{region}:{account}:function:f"


def told(folder: Folder, text: str) -> list[str]:
    """Each fault without its file and line."""
    return [fault.split(": ", 1)[1] for fault in folder.faults(text)]


@pytest.mark.parametrize(
    ("runtime", "mapping", "other"),
    [
        ("shutdown_grace: -1", "", "runtime.shutdown_grace: found -1"),
        ("http: {host: 0.0.0.0}", "", "runtime.http: found host 0.0.0.0 without a token"),
        ("leases: {failover: 1}", "", "runtime.leases.failover: found 1"),
        ("unknown: 1", "", "runtime.unknown: found an unknown key"),
        ("", "batch_size: 0", "event_source_mappings.clicks.batch_size: found 0"),
        ("", "function_name: g", "event_source_mappings.clicks.function_name"),
    ],
)
def test_one_table_for_two_streams_is_told_beside_other_faults(
    folder: Folder, runtime: str, mapping: str, other: str
) -> None:
    """Of the section that gives the table, and of the mappings that would share it."""
    text = STREAMS.format(runtime=f"checkpoints: 'dynamodb:leases', {runtime}", mapping=mapping)
    found = told(folder, text)

    assert [fault for fault in found if fault.startswith(ONE_TABLE)]
    assert [fault for fault in found if fault.startswith(other)]


def test_a_mapping_whose_source_is_unknown_is_not_counted(folder: Folder) -> None:
    """It may be a queue's."""
    text = STREAMS.format(runtime="checkpoints: 'dynamodb:leases'", mapping="").replace("stream/users", "users")
    (fault,) = told(folder, text)

    assert fault.startswith("event_source_mappings.users.event_source_arn: found")


def test_a_table_that_is_wrong_itself_is_told_once(folder: Folder) -> None:
    """What it would be for each mapping says nothing more."""
    (fault,) = told(folder, STREAMS.format(runtime="checkpoints: 'dynamodb:le ases'", mapping=""))

    assert fault.startswith("runtime.checkpoints: found 'dynamodb:le ases', expected dynamodb:TABLE")


@pytest.mark.parametrize(
    ("api", "function", "other"),
    [
        ("queue_seconds: -1", "", "lambda_api.queue_seconds: found -1"),
        ("host: 0.0.0.0", "", "lambda_api.host: found host 0.0.0.0 without credentials"),
        ("", "timeout: 0", "functions.f.timeout: found 0"),
    ],
)
def test_a_function_that_tells_itself_is_told_beside_other_faults(
    folder: Folder, api: str, function: str, other: str
) -> None:
    """Of the section that gives functions their ARNs, and of the function."""
    own = OWN.format(region="us-east-1", account="000000000000")
    config = f"event_invoke_config: {{destination_config: {{on_failure: {{destination: '{own}'}}}}}}"
    found = told(
        folder, f"lambda_api: {{{api}}}\nfunctions: {{f: {{code: ., handler: app.h, {config}, {function}}}}}\n"
    )

    assert [fault for fault in found if "found the function itself" in fault]
    assert [fault for fault in found if fault.startswith(other)]


@pytest.mark.parametrize("sections", ["lambda_api: {account: 12}", "lambda_api: {}\naws: {region: 12}"])
def test_no_arn_is_made_of_what_could_not_be_read(folder: Folder, sections: str) -> None:
    """The default is not what a faulty option means."""
    own = OWN.format(region="us-east-1", account="000000000000")
    config = f"event_invoke_config: {{destination_config: {{on_failure: {{destination: '{own}'}}}}}}"
    (fault,) = told(folder, f"{sections}\nfunctions: {{f: {{code: ., handler: app.h, {config}}}}}\n")

    assert "found 12" in fault


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "runtime: {shutdown_grace: -1, checkpoints: 'nowhere:x', http: {host: 0.0.0.0}}",
            ["runtime.checkpoints", "runtime.http", "runtime.shutdown_grace"],
        ),
        ("runtime: {checkpoints: 5, leases: {failover: 5}}", ["runtime.checkpoints"]),
        ("lambda_api: {port: -1, account: '1234567890ab'}", ["lambda_api.account", "lambda_api.port"]),
        ("lambda_api: {host: 0.0.0.0, credentials: 5}", ["lambda_api.credentials"]),
    ],
)
def test_rules_within_a_section_are_asked_beside_its_faults(folder: Folder, section: str, expected: list[str]) -> None:
    """As far as what they need could be read."""
    assert sorted(fault.split(": ")[0] for fault in told(folder, section)) == expected
