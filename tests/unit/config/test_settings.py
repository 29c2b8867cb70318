"""The sections aws, runtime and console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


def test_defaults_of_aws_runtime_and_console(folder: Folder) -> None:
    """With nothing given, checkpoints are beside the configuration, whatever the working directory."""
    config = folder.load("functions: {}").config

    assert (config.aws.region, config.aws.endpoint_url, config.console.payloads) == (None, None, False)
    assert config.runtime.checkpoints == f"sqlite:{folder.path}/.headrace/checkpoints.db"
    assert config.runtime.shutdown_grace == 30
    assert config.runtime.http
    assert (config.runtime.http.host, config.runtime.http.port, config.runtime.http.token) == (
        "127.0.0.1",
        8787,
        None,
    )


def test_every_option_of_aws_runtime_and_console_can_be_given(folder: Folder) -> None:
    """Each option reaches its model."""
    config = folder.load(
        """\
        aws:
          region: us-east-1
          endpoint_url: http://localhost:4566
          endpoint_urls: {sqs: "http://a:1", lambda: "https://b"}
        runtime:
          checkpoints: sqlite:/var/lib/headrace/checkpoints.db
          shutdown_grace: 1.5
          http: {host: 0.0.0.0, port: 0, token: 12345678abc}
        console: {payloads: true}
        """
    ).config

    assert (config.aws.endpoint_urls.sqs, config.aws.endpoint_urls.lambda_) == ("http://a:1", "https://b")
    assert str(config.runtime.sqlite_path) == "/var/lib/headrace/checkpoints.db"
    assert config.runtime.http
    assert config.runtime.http.token == "12345678abc"
    assert config.console.payloads


def test_http_may_be_off(folder: Folder) -> None:
    """``false`` turns it off, from the environment too; nothing leaves the default."""
    folder.environ["HTTP"] = "false"

    assert folder.load("runtime: {http: false}").config.runtime.http is False
    assert folder.load("runtime: {http: '${HTTP}'}").config.runtime.http is False
    assert folder.load("runtime: {http: }").config.runtime.http
    (fault,) = folder.faults("runtime: {http: true}")
    assert fault.endswith("runtime.http: found true, expected a mapping of host, port, token or false")


def test_a_relative_checkpoint_file_is_beside_its_file(folder: Folder) -> None:
    """Relative to the file that names it."""
    assert (
        folder.load("runtime: {checkpoints: 'sqlite:state/c.db'}").config.runtime.sqlite_path
        == folder.path / "state/c.db"
    )


@pytest.mark.parametrize("text", ["checkpoints.db", "sqlite:", "sqlite::memory:", "sqlite://x", "redis:x", "''"])
def test_other_checkpoint_stores_are_refused(folder: Folder, text: str) -> None:
    """A file or a table."""
    (fault,) = folder.faults(f"runtime: {{checkpoints: '{text.strip(chr(39))}'}}")

    assert fault.endswith("expected sqlite:PATH or dynamodb:TABLE")


STREAMS = """\
functions: {f: {code: ., handler: app.handler}}
event_source_mappings:
  clicks: {event_source_arn: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", function_name: f, starting_position: LATEST}
  users:
    event_source_arn: arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2026-01-01T00:00:00.000
    function_name: f
    starting_position: LATEST
  orders: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:orders", function_name: f}
"""


def with_streams(runtime: str) -> str:
    """A configuration of two stream mappings and a queue's."""
    return f"runtime: {{{runtime}}}\n{STREAMS}"


def test_each_stream_mapping_may_have_a_table(folder: Folder) -> None:
    """Its checkpoints are in no file then; leases are as they are by default."""
    folder.write("", "app.py")
    runtime = folder.load(with_streams("checkpoints: 'dynamodb:headrace-{mapping}'")).config.runtime

    assert (runtime.lease_table("clicks"), runtime.lease_table("users")) == ("headrace-clicks", "headrace-users")
    assert runtime.sqlite_path is None
    assert (runtime.leases.failover, runtime.leases.interval, runtime.leases.with_kcl) == (10, 1, False)


def test_leases_are_read(folder: Folder) -> None:
    """Beside a table."""
    text = "runtime: {checkpoints: 'dynamodb:leases', leases: {failover: 30, interval: 0.5, with_kcl: true}}"
    leases = folder.load(text).config.runtime.leases

    assert (leases.failover, leases.interval, leases.with_kcl) == (30, 0.5, True)


@pytest.mark.parametrize("text", ["dynamodb:", "dynamodb:le ases", "dynamodb:leases-{name}"])
def test_a_table_has_a_name_that_dynamodb_takes(folder: Folder, text: str) -> None:
    """At its place in the file."""
    (fault,) = folder.faults(f"runtime:\n  checkpoints: '{text}'\n")

    assert fault.startswith(
        f"headrace.yaml:2: runtime.checkpoints: found '{text}', expected dynamodb:TABLE with TABLE of"
    )


def test_a_stream_mapping_whose_table_is_that_of_schedules_is_refused(folder: Folder) -> None:
    """Only where there are schedules; at the place of the table."""
    folder.write("", "app.py")
    text = with_streams("checkpoints: 'dynamodb:headrace-{mapping}'").replace("clicks:", "schedules:")
    assert folder.load(text).config.runtime.schedules_table == "headrace-schedules"
    (fault,) = folder.faults(f"{text}schedules:\n  s: {{schedule_expression: rate(1 hour), function_name: f}}\n")

    assert fault.startswith("headrace.yaml:1: runtime.checkpoints: found the stream mapping schedules, whose table")


def test_one_table_for_two_stream_mappings_is_refused(folder: Folder) -> None:
    """By their names; queues need no checkpoints, so they do not count."""
    folder.write("", "app.py")
    (fault,) = folder.faults(with_streams("checkpoints: 'dynamodb:leases'"))

    assert fault == (
        "headrace.yaml:1: runtime.checkpoints: found one table 'leases' for the stream mappings clicks and users, expected "
        "{mapping} in its name, such as dynamodb:leases-{mapping}: each mapping has a table of its own"
    )


def test_a_mapping_that_makes_a_tables_name_too_long_is_refused(folder: Folder) -> None:
    """It is named."""
    folder.write("", "app.py")
    (fault,) = folder.faults(with_streams(f"checkpoints: 'dynamodb:{'x' * 250}{{mapping}}'"))

    assert fault.startswith("headrace.yaml:1: runtime.checkpoints: found 'dynamodb:xxx")
    assert fault.endswith("a table name of 256 characters for the mapping clicks, expected 3 to 255")


@pytest.mark.parametrize("checkpoints", ["", "checkpoints: 'sqlite:c.db', "])
def test_leases_without_a_table_are_refused(folder: Folder, checkpoints: str) -> None:
    """Nothing would be shared."""
    (fault,) = folder.faults(f"runtime: {{{checkpoints}leases: {{failover: 5}}}}")

    assert fault.startswith("headrace.yaml:1: runtime.leases: found options of leases with checkpoints in sqlite:")
    assert fault.endswith(
        "expected checkpoints: dynamodb:TABLE beside them (or no leases): one process owns a file, replicas share a table"
    )


@pytest.mark.parametrize(
    ("leases", "said"),
    [
        ("failover: 1.9", "leases.failover: found 1.9, expected a number from 2 to 3600"),
        ("failover: 3601", "leases.failover: found 3601, expected a number from 2 to 3600"),
        ("interval: -1", "leases.interval: found -1, expected a number from 0 to 60"),
        ("interval: 61, failover: 100", "leases.interval: found 61, expected a number from 0 to 60"),
        ("with_kcl: 1", "leases.with_kcl: found 1, expected true or false"),
    ],
)
def test_leases_have_limits(folder: Folder, leases: str, said: str) -> None:
    """Seconds, but for ``with_kcl``."""
    (fault,) = folder.faults(f"runtime: {{checkpoints: 'dynamodb:leases', leases: {{{leases}}}}}")

    assert said in fault


@pytest.mark.parametrize("interval", [5, 6])
def test_checkpoints_are_written_more_often_than_leases_expire(folder: Folder, interval: int) -> None:
    """Else what another replica takes over would be older than the lease."""
    (fault,) = folder.faults(
        f"runtime:\n  checkpoints: dynamodb:leases\n  leases:\n    failover: 5\n    interval: {interval}\n"
    )

    assert (
        fault == f"headrace.yaml:5: runtime.leases.interval: found {interval}, expected less than failover, which is 5"
    )


def test_console_under_runtime_is_refused(folder: Folder) -> None:
    """With the place where it belongs."""
    (fault,) = folder.faults("runtime: {console: {payloads: true}}")

    assert fault.endswith("runtime.console: found a section, expected it at the top level of the file, beside runtime")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "headrace.example", "localhost.example"])
def test_an_open_address_without_token_is_refused(folder: Folder, host: str) -> None:
    """Whoever reaches it could pause mappings."""
    (fault,) = folder.faults(f"runtime:\n  http:\n    host: '{host}'\n")

    assert fault.startswith(f"headrace.yaml:2: runtime.http: found host {host} without a token, expected a token of 8")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_loopback_needs_no_token(folder: Folder, host: str) -> None:
    """What only this machine reaches is open to it."""
    assert not folder.load(f"runtime: {{http: {{host: '{host}'}}}}").config.runtime.http.token  # type: ignore[union-attr]


@pytest.mark.parametrize("section", ["aws", "runtime", "console"])
def test_an_empty_section_is_one_that_is_not_given(folder: Folder, section: str) -> None:
    """Everything in it may be commented out."""
    assert folder.load(f"{section}:\n") == folder.load("functions: {}\n")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("aws: {endpoint_url: localhost:4566}", "aws.endpoint_url: found 'localhost:4566', expected a URL"),
        (
            "aws: {endpoint_urls: {sqss: 'http://a'}}",
            "aws.endpoint_urls.sqss: found an unknown key (did you mean 'sqs'?), expected one of sqs, kinesis",
        ),
        ("aws: {endpoint_urls: {s3: 5}}", "aws.endpoint_urls.s3: found 5, expected a URL"),
        ("aws: [a]", "aws: found a list, expected a mapping of region, endpoint_url, endpoint_urls"),
        ("runtime: {http: {port: 65536}}", "runtime.http.port: found 65536, expected an integer from 0 to 65535"),
        ("runtime: {shutdown_grace: -1}", "runtime.shutdown_grace: found -1, expected a number from 0 to 86400"),
        ("console: {payloads: 1}", "console.payloads: found 1, expected true or false"),
    ],
)
def test_what_they_do_not_take_is_refused(folder: Folder, text: str, fault: str) -> None:
    """Found and expected are named."""
    (found,) = folder.faults(text)

    assert found.removeprefix("headrace.yaml:1: ").startswith(fault)
