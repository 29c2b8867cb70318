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


@pytest.mark.parametrize(
    "text", ["checkpoints.db", "sqlite:", "sqlite::memory:", "sqlite://x", "redis:x", "dynamodb:", "''"]
)
def test_other_checkpoint_stores_are_refused(folder: Folder, text: str) -> None:
    """SQLite is the one there is."""
    (fault,) = folder.faults(f"runtime: {{checkpoints: '{text.strip(chr(39))}'}}")

    assert fault.endswith("expected sqlite:PATH")


def test_dynamodb_checkpoints_are_not_supported_yet(folder: Folder) -> None:
    """And it says so."""
    (fault,) = folder.faults("runtime: {checkpoints: 'dynamodb:leases'}")

    assert fault.endswith(
        "found 'dynamodb:leases', expected sqlite:PATH: checkpoints in DynamoDB are not supported yet"
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
