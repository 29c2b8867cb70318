"""``${NAME}`` and ``${NAME:-default}`` are filled in from the environment, as values and never as YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.models import PythonFunction, SqsMapping

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

SOURCE = "event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\nfunction_name: orders\n"


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("${REGION}", {"REGION": "eu-west-1"}, "eu-west-1"),
        ("${REGION:-us-east-1}", {}, "us-east-1"),
        ("${REGION:-us-east-1}", {"REGION": ""}, "us-east-1"),
        ("${REGION:-us-east-1}", {"REGION": "eu-west-1"}, "eu-west-1"),
        ("${A}-${B:-west}-1", {"A": "eu"}, "eu-west-1"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$$${A}", {"A": "x"}, "$${A}"),
        ("$A", {"A": "x"}, "$A"),
        ("${A}", {"A": "${B}", "B": "x"}, "${B}"),
        ("${A}", {"A": "b: [c"}, "b: [c"),
        ("${A}", {"A": "10"}, "10"),
        ("${A:-}", {}, "127.0.0.1"),
    ],
)
def test_a_text_is_filled_in(folder: Folder, text: str, environ: dict[str, str], value: str) -> None:
    """Once, with defaults, and with $${ for a plain ${; what is filled in is never read as YAML or filled in again."""
    folder.environ |= environ

    for written, name in (
        (f"runtime:\n  http:\n    token: long-enough\n    host: {text}\n", "headrace.yaml"),
        (f'{{"runtime": {{"http": {{"host": "{text}", "token": "long-enough"}}}}}}', "headrace.json"),
    ):
        http = folder.load(written, name).config.runtime.http
        assert http
        assert http.host == value


def test_what_comes_from_the_environment_may_be_a_number_or_a_truth_value(folder: Folder) -> None:
    """Where the option wants one, since the environment has nothing but texts."""
    folder.environ |= {"SIZE": "7", "ON": "False", "TIMEOUT": " 1.5 "}

    mapping = folder.mapping(
        f"{SOURCE}batch_size: ${{SIZE}}\nenabled: ${{ON}}\nvisibility: {{retry_delay: '${{SIZE}}'}}"
    )
    function = folder.load("functions: {f: {code: ., handler: app.handler, timeout: '${TIMEOUT}'}}").config.functions[
        "f"
    ]

    assert isinstance(mapping, SqsMapping)
    assert (mapping.batch_size, mapping.enabled, mapping.visibility.retry_delay) == (7, False, 7)
    assert function.timeout == 1.5


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("batch_size: '7'", "batch_size: found '7', expected an integer from 1 to 10000 (without quotes)"),
        ("enabled: 'true'", "enabled: found 'true', expected true or false (without quotes)"),
        ("enabled: yes", "enabled: found 'yes', expected true or false"),
        ("enabled: 1", "enabled: found 1, expected true or false"),
        ("batch_size: true", "batch_size: found true, expected an integer from 1 to 10000"),
        ("batch_size: 5.0", "batch_size: found 5.0, expected an integer from 1 to 10000"),
        ("batch_size: ${N:-x}", "batch_size: found 'x' (from ${N}), expected an integer from 1 to 10000"),
        ("batch_size: ${N:-1.5}", "batch_size: found '1.5' (from ${N}), expected an integer from 1 to 10000"),
        ("batch_size: ${N:-99999}", "batch_size: found '99999' (from ${N}), expected an integer from 1 to 10000"),
        ("batch_size: {a: 1}", "batch_size: found a mapping, expected an integer from 1 to 10000"),
        ("filter_criteria: x", "filter_criteria: found 'x', expected a mapping of filters"),
        (
            "function_response_types: ReportBatchItemFailures",
            "function_response_types: found 'ReportBatchItemFailures', expected a list",
        ),
    ],
)
def test_anything_else_of_another_type_is_refused(folder: Folder, line: str, fault: str) -> None:
    """A quoted number is a text, a truth value is no number, and where a value came from is said."""
    (found,) = folder.mapping_faults(SOURCE + line)

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "${NOWHERE}",
            "found ${NOWHERE}, which the environment does not set, expected it to be set or ${NOWHERE:-default}",
        ),
        ("a ${} b", "found '${}', expected ${NAME} or ${NAME:-default} (write $${ for a plain ${)"),
        ("${A-b}", "found '${A-b}', expected ${NAME} or ${NAME:-default} (write $${ for a plain ${)"),
        ("${A", "found '${A', expected ${NAME} or ${NAME:-default} (write $${ for a plain ${)"),
        ("${1A}", "found '${1A}', expected ${NAME} or ${NAME:-default} (write $${ for a plain ${)"),
    ],
)
def test_what_cannot_be_filled_in_is_a_fault(folder: Folder, text: str, message: str) -> None:
    """Just one, wherever it stands; the value is not judged otherwise."""
    faults = folder.faults(f'event_source_mappings:\n  m:\n    event_source_arn: "{text}"\nx-unused:\n  - "{text}"\n')

    assert faults == [
        "headrace.yaml:2: event_source_mappings.m: function_name is missing, expected text",
        f"headrace.yaml:3: event_source_mappings.m.event_source_arn: {message}",
        f"headrace.yaml:5: x-unused[0]: {message}",
    ]


def test_comments_are_not_filled_in(folder: Folder) -> None:
    """Nor keys."""
    loaded = folder.load("# ${NOWHERE}\naws: {} # ${NOWHERE\nx-${NOWHERE}: 1\n")

    assert loaded.config.aws.region is None


def test_environment_variables_that_are_no_utf8_are_a_fault(folder: Folder) -> None:
    """Python hands them on as halves of surrogate pairs, which nothing can print."""
    folder.environ["REGION"] = "\udcff"

    (fault,) = folder.faults("aws: {region: '${REGION}'}")

    assert (
        fault
        == "headrace.yaml:1: aws.region: found bytes in the environment variable REGION that are not UTF-8, expected UTF-8"
    )


def test_a_variable_used_by_alias_is_reported_once(folder: Folder) -> None:
    """At the place where it is written."""
    faults = folder.faults("x-region: &region ${NOWHERE}\naws: {region: *region}\n")

    assert len(faults) == 1
    assert faults[0].startswith("headrace.yaml:1: ")


def test_a_functions_environment_gets_what_is_filled_in(folder: Folder) -> None:
    """An empty value stays one there, since a variable may be empty."""
    folder.environ["TABLE"] = "orders"

    loaded = folder.load(
        "functions: {f: {code: ., handler: app.handler, environment: {TABLE: '${TABLE}', EMPTY: '${NOWHERE:-}', "
        "PORT: 010, FLAG: true}}}"
    )

    function = loaded.config.functions["f"]
    assert isinstance(function, PythonFunction)
    assert function.environment == {"TABLE": "orders", "EMPTY": "", "PORT": "010", "FLAG": "true"}


def test_secrets_are_never_shown(folder: Folder) -> None:
    """Neither in faults nor where a configuration is printed."""
    folder.environ["TOKEN"] = "s3cret"

    faults = folder.faults("runtime: {http: {token: '${TOKEN}'}}\n")
    loaded = folder.load(
        "runtime: {http: {token: '${TOKEN}${TOKEN}'}}\n"
        "functions:\n  a: {runtime: http, url: 'http://a', bearer_token: '${TOKEN}', headers: {X: '${TOKEN}'}}\n"
        "  b: {code: ., handler: app.handler, environment: {TOKEN: '${TOKEN}'}}\n"
    )

    assert faults == [
        "headrace.yaml:1: runtime.http.token: found a value that is not shown, "
        "expected a token of printable ASCII characters without spaces of at least 8 characters"
    ]
    assert "s3cret" not in repr(loaded)


@pytest.mark.parametrize(
    "uri",
    [
        "http://u:s3cret@db",
        "mongodb://",
        "mongodb://u:s3cret@",
        "mongodb://u:s3 cret@db",
        "mongodb://u:s3@cret@db",
        "5",
    ],
)
def test_a_connection_uri_is_never_shown(folder: Folder, uri: str) -> None:
    """It may have a password: not in a fault about it, and not where a configuration is printed."""
    folder.environ["MONGO_URI"] = uri

    assert folder.faults("aws: {endpoint_urls: {documentdb: '${MONGO_URI}'}}\n") == [
        "headrace.yaml:1: aws.endpoint_urls.documentdb: found a value that is not shown, expected a MongoDB connection URI "
        "(mongodb://HOST:PORT/ or mongodb+srv://HOST/)"
    ]
    loaded = folder.load("aws: {endpoint_urls: {documentdb: 'mongodb://u:s3cret@db/'}}\n")
    assert "s3cret" not in repr(loaded)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://localhost:27017",
        "mongodb://a:27017,b:27018/?replicaSet=rs0&tls=true",
        "mongodb+srv://cluster.example.com/shop?retryWrites=false",
        "mongodb://user:pass%40word@db:27017/?authSource=admin",
        "mongodb://[::1]:27017/",
        "mongodb://%2Ftmp%2Fmongodb.sock/",
        "mongodb://db/?authMechanismProperties=SERVICE_NAME:x,HOST:a@b",
    ],
)
def test_connection_uris_are_taken_as_the_driver_takes_them(folder: Folder, uri: str) -> None:
    """Several hosts, options, a database, a user, a socket."""
    loaded = folder.load(f"aws: {{endpoint_urls: {{documentdb: '{uri}'}}}}\n")
    assert loaded.config.aws.endpoint_urls.documentdb == uri


def test_a_connection_uri_that_the_environment_leaves_empty_is_not_given(folder: Folder) -> None:
    """So that one configuration serves with and without."""
    loaded = folder.load("aws: {endpoint_urls: {documentdb: '${MONGO_URI:-}'}}\n")
    assert loaded.config.aws.endpoint_urls.documentdb is None
