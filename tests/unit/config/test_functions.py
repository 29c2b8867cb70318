"""The functions section: which settings each runtime takes, and what is refused before anything is started."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from config.models import HttpFunction, InProcessFunction, LambdaFunction, ProvidedFunction, PythonFunction

if TYPE_CHECKING:
    from config.models import FunctionModel
    from tests.unit.config.conftest import Folder

ARN = "arn:aws:lambda:us-east-1:000000000000:function:billing"


def function(folder: Folder, settings: str) -> FunctionModel:
    """The function ``f`` with these settings, in YAML's flow style."""
    return folder.load(f"functions:\n  f: {{{settings}}}\n").config.functions["f"]


def faults(folder: Folder, settings: str) -> list[str]:
    """The faults of such a function, without file, line and its own path."""
    found = folder.faults(f"functions:\n  f: {{{settings}}}\n")
    return [fault.removeprefix("headrace.yaml:2: functions.f").removeprefix(".").removeprefix(": ") for fault in found]


@pytest.fixture
def program(folder: Folder) -> Folder:
    """The folder with an executable ``bootstrap``."""
    file = folder.path / "bootstrap"
    file.write_text("#!/bin/sh\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return folder


def test_python_is_the_default_runtime(folder: Folder) -> None:
    """With Lambda's timeout of three seconds."""
    found = function(folder, "code: ., handler: app.handler")

    assert isinstance(found, PythonFunction)
    assert (found.code, found.handler, found.timeout) == (folder.path, "app.handler", 3)


def test_every_runtime_has_its_model(program: Folder) -> None:
    """One example each."""
    loaded = program.load(
        f"""\
        functions:
          python: {{runtime: python, code: ., handler: app.handler, layers: [.], interpreter: bootstrap, memory_size: 128}}
          in_process: {{runtime: in_process, code: ., handler: app.handler}}
          provided: {{runtime: provided, code: ., command: [./bootstrap, --flag], credentials: none}}
          lambda: {{runtime: lambda, function_arn: "{ARN}", qualifier: live}}
          http: {{runtime: http, urls: ["http://a:8080/x", "https://b"], headers: {{X-A: 1}}, tls: {{verify: false}}}}
        """
    )

    models = [PythonFunction, InProcessFunction, ProvidedFunction, LambdaFunction, HttpFunction]
    assert [type(found) for found in loaded.config.functions.values()] == models
    python = loaded.config.functions["python"]
    assert isinstance(python, PythonFunction)
    assert (python.layers, python.interpreter) == ([program.path], program.path / "bootstrap")


def test_code_may_be_a_zip_file(folder: Folder) -> None:
    """For python; anything else must be a folder."""
    with zipfile.ZipFile(folder.path / "code.zip", "w") as archive:
        archive.writestr("app.py", "")
    (folder.path / "code.txt").write_text("x")

    assert function(folder, "code: code.zip, handler: app.handler")
    assert "is neither a folder nor a .zip file" in faults(folder, "code: code.txt, handler: app.handler")[0]
    assert "is no folder" in faults(folder, "runtime: in_process, code: code.zip, handler: app.handler")[0]


@pytest.mark.parametrize(
    "handler", ["app.handler", "pkg.app.handler", "pkg/sub/app.handler", "my-app.handler", "app.ünïcode"]
)
def test_handlers_have_lambdas_form(folder: Folder, handler: str) -> None:
    """A module, possibly in packages, and a function."""
    assert function(folder, f"code: ., handler: {handler}")


@pytest.mark.parametrize(
    "handler",
    ["app", ".handler", "app.", "a b.handler", "app..handler", "app.1x", "'app:handler'", "''", "app.handler()"],
)
def test_other_handlers_are_refused(folder: Folder, handler: str) -> None:
    """For python and in_process."""
    for runtime in ("python", "in_process"):
        (fault,) = faults(folder, f"runtime: {runtime}, code: ., handler: {handler}")
        assert fault.startswith("handler: found ")
        assert fault.endswith("expected module.function, such as app.handler")


REFUSED = [
    ("handler: app.handler", "code is missing, expected the path of a folder or a .zip file"),
    ("code: .", "handler is missing, expected text"),
    ("code: nowhere, handler: app.handler", "code: found 'nowhere', which does not exist ("),
    ("code: '', handler: app.handler", "code: found '', expected the path of a folder or a .zip file"),
    ('code: "a\\0b", handler: app.handler', "code: found 'a\\u0000b', expected the path of"),
    ("code: ., handler: app.handler, interpreter: app.py", "interpreter: found 'app.py', which is not executable ("),
    ("code: ., handler: app.handler, layers: [., nowhere]", "layers[1]: found 'nowhere', which does not exist ("),
    ("code: ., handler: app.handler, timeout: 0", "timeout: found 0, expected a number above 0 and at most 43200"),
    ("code: ., handler: app.handler, timeout: .nan", "timeout: found .nan, expected a number above 0"),
    ("code: ., handler: app.handler, concurrency: 0", "concurrency: found 0, expected an integer from 1 to 10000"),
    (
        "code: ., handler: app.handler, memory_size: 127",
        "memory_size: found 127, expected an integer from 128 to 32768",
    ),
    ("code: ., handler: app.handler, credentials: some", "credentials: found 'some', expected one of inherit, none"),
    (
        "code: ., handler: app.handler, Timeout: 3",
        "Timeout: found an unknown key (did you mean 'timeout'?), expected one of timeout, ",
    ),
    (
        "code: ., handler: app.handler, url: x",
        "url: found a setting of http functions, expected one of python functions: ",
    ),
    (
        "runtime: http, url: 'http://a', handler: x",
        "handler: found a setting of python and in_process and provided functions",
    ),
    ("runtime: http", "url is missing, expected url, or urls for several endpoints of one function"),
    ("runtime: http, url: 'http://a', urls: ['http://b']", "urls: found it together with url, expected one of them"),
    ("runtime: http, urls: []", "urls: found an empty list, expected at least one URL"),
    ("runtime: http, url: 'ftp://a'", "url: found 'ftp://a', expected a URL (http://HOST:PORT or https://HOST)"),
    ("runtime: http, url: 'http://:80'", "url: found 'http://:80', expected a URL"),
    ("runtime: http, url: 'http://[a'", "url: found 'http://[a', expected a URL"),
    ("runtime: http, url: 'http://a:99999'", "url: found 'http://a:99999', expected a URL"),
    (
        "runtime: http, url: 'http://a', headers: {'A B': x}",
        "headers.A B: found a name or a value that HTTP does not allow",
    ),
    (
        'runtime: http, url: "http://a", headers: {A: "x\\ny"}',
        "headers.A: found a name or a value that HTTP does not allow",
    ),
    (
        "runtime: http, url: 'http://a', tls: {key_file: app.py}",
        "tls.key_file: found a key without cert_file, expected both",
    ),
    ("runtime: http, url: 'http://a', tls: {ca_file: .}", "tls.ca_file: found '.', which is no file ("),
    ("runtime: lambda", "function_arn is missing, expected an ARN"),
    ("runtime: lambda, function_arn: billing", "function_arn: found 'billing', expected an ARN"),
    (
        "runtime: lambda, function_arn: 'arn:aws:sqs:a:1:b'",
        "function_arn: found 'arn:aws:sqs:a:1:b', expected a function's ARN",
    ),
    (
        f"runtime: lambda, function_arn: '{ARN}:1', qualifier: live",
        "qualifier: found 'live', expected nothing, since function_arn has",
    ),
    ("runtime: provided, code: .", "command is missing, expected a list of at least 1 item, each text"),
    (
        "runtime: provided, code: ., command: []",
        "command: found 0 items, expected a list of at least 1 item, each text",
    ),
    (
        "runtime: provided, code: ., command: [./nowhere]",
        "command[0]: found './nowhere', which is no executable file (",
    ),
    ("runtime: provided, code: ., command: ['']", "command[0]: found an empty word or a null character"),
    (
        "runtime: python3.12, code: .",
        "runtime: found 'python3.12', expected one of python, in_process, provided, lambda, http (python runs",
    ),
    (
        "runtime: nodejs22.x, code: .",
        "runtime: found 'nodejs22.x', expected one of python, in_process, provided, lambda, http (provided",
    ),
    (
        "runtime: inprocess, code: .",
        "runtime: found 'inprocess', expected one of python, in_process, provided, lambda, http (did you",
    ),
    ("runtime: [python]", "runtime: found a list, expected one of python, in_process, provided, lambda, http"),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_function_can_be_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = faults(folder, settings)

    assert found.startswith(fault)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ],
)
def test_reserved_environment_variables_are_refused(folder: Folder, name: str) -> None:
    """In AWS's words, also where they are to be inherited, and whatever else is wrong."""
    found = faults(
        folder, f"code: ., handler: app.handler, environment: {{{name}: x, OTHER: [1]}}, inherit_environment: [{name}]"
    )

    where = [fault.split(": ")[0] for fault in found]
    assert sorted(where) == sorted(["environment.OTHER", f"environment.{name}", "inherit_environment[0]"])
    assert f"Reserved keys used in this request: {name}" in found[where.index(f"environment.{name}")]


@pytest.mark.parametrize(
    "name", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_LAMBDA_EXEC_WRAPPER", "Aa", "A1_"]
)
def test_other_environment_variables_may_be_set(folder: Folder, name: str) -> None:
    """Region and credentials among them: a worker on a laptop has no role."""
    found = function(folder, f"code: ., handler: app.handler, environment: {{{name}: x}}")

    assert isinstance(found, PythonFunction)
    assert found.environment == {name: "x"}


@pytest.mark.parametrize("name", ["1A", "A", "A-B", "A B", "A=B"])
def test_names_that_lambda_does_not_take_are_refused(folder: Folder, name: str) -> None:
    """A letter, and then letters, digits and underscores."""
    (fault,) = faults(folder, f"code: ., handler: app.handler, environment: {{'{name}': x}}")

    assert "expected a letter and then letters, digits and '_'" in fault


@pytest.mark.parametrize("value", ["[x]", "{a: b}", "null"])
def test_an_environment_value_is_one_value(folder: Folder, value: str) -> None:
    """Numbers, true and false become text, as in CloudFormation; nothing else does."""
    (fault,) = faults(folder, f"code: ., handler: app.handler, environment: {{TABLE: {value}}}")

    assert fault.startswith("environment.TABLE: found ")


@pytest.mark.parametrize("name", ["a b", "a.b", "x" * 65, "''"])
def test_function_names_are_lambdas(folder: Folder, name: str) -> None:
    """Letters, digits, hyphens and underscores, 64 at most."""
    (fault,) = folder.faults(f"functions:\n  {name}: {{code: ., handler: app.handler}}\n")

    assert "expected 1 to 64 letters, digits, '-' and '_', as on Lambda" in fault


@pytest.mark.parametrize("name", [".a", "a b", "a/b", "x" * 129])
def test_mapping_names_are_safe_in_files_and_metrics(folder: Folder, name: str) -> None:
    """They are the mapping's identity everywhere."""
    (fault,) = folder.faults(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n"
        f"  {name}: {{event_source_arn: 'arn:aws:sqs:us-east-1:000000000000:q', function_name: orders}}\n"
    )

    assert "expected 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first" in fault


@pytest.mark.parametrize("value", ["text", "5", "[a]", "null", "true"])
def test_a_function_or_mapping_that_is_no_mapping_is_refused(folder: Folder, value: str) -> None:
    """It says what one has."""
    found = folder.faults(f"functions:\n  f: {value}\nevent_source_mappings:\n  m: {value}\n")

    assert len(found) == 2
    assert found[0].startswith("headrace.yaml:2: functions.f: found ")
    assert found[1].startswith("headrace.yaml:4: event_source_mappings.m: found ")


class TestRuntime:
    """The sections aws, runtime and console."""

    def test_defaults(self, folder: Folder) -> None:
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

    def test_everything_given(self, folder: Folder) -> None:
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

    def test_http_may_be_off(self, folder: Folder) -> None:
        """``false`` turns it off, from the environment too; nothing leaves the default."""
        folder.environ["HTTP"] = "false"

        assert folder.load("runtime: {http: false}").config.runtime.http is False
        assert folder.load("runtime: {http: '${HTTP}'}").config.runtime.http is False
        assert folder.load("runtime: {http: }").config.runtime.http
        (fault,) = folder.faults("runtime: {http: true}")
        assert fault.endswith("runtime.http: found true, expected a mapping of host, port, token or false")

    def test_a_relative_checkpoint_file_is_beside_its_file(self, folder: Folder) -> None:
        """Relative to the file that names it."""
        assert (
            folder.load("runtime: {checkpoints: 'sqlite:state/c.db'}").config.runtime.sqlite_path
            == folder.path / "state/c.db"
        )

    @pytest.mark.parametrize(
        "text", ["checkpoints.db", "sqlite:", "sqlite::memory:", "sqlite://x", "redis:x", "dynamodb:", "''"]
    )
    def test_other_checkpoint_stores_are_refused(self, folder: Folder, text: str) -> None:
        """SQLite is the one there is."""
        (fault,) = folder.faults(f"runtime: {{checkpoints: '{text.strip(chr(39))}'}}")

        assert fault.endswith("expected sqlite:PATH")

    def test_dynamodb_checkpoints_are_not_supported_yet(self, folder: Folder) -> None:
        """And it says so."""
        (fault,) = folder.faults("runtime: {checkpoints: 'dynamodb:leases'}")

        assert fault.endswith(
            "found 'dynamodb:leases', expected sqlite:PATH: checkpoints in DynamoDB are not supported yet"
        )

    def test_console_under_runtime_is_refused(self, folder: Folder) -> None:
        """With the place where it belongs."""
        (fault,) = folder.faults("runtime: {console: {payloads: true}}")

        assert fault.endswith(
            "runtime.console: found a section, expected it at the top level of the file, beside runtime"
        )

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "headrace.example", "localhost.example"])
    def test_an_open_address_without_token_is_refused(self, folder: Folder, host: str) -> None:
        """Whoever reaches it could pause mappings."""
        (fault,) = folder.faults(f"runtime:\n  http:\n    host: '{host}'\n")

        assert fault.startswith(
            f"headrace.yaml:2: runtime.http: found host {host} without a token, expected a token of 8"
        )

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
    def test_loopback_needs_no_token(self, folder: Folder, host: str) -> None:
        """What only this machine reaches is open to it."""
        assert not folder.load(f"runtime: {{http: {{host: '{host}'}}}}").config.runtime.http.token  # type: ignore[union-attr]

    @pytest.mark.parametrize("section", ["aws", "runtime", "console"])
    def test_an_empty_section_is_one_that_is_not_given(self, folder: Folder, section: str) -> None:
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
    def test_what_they_do_not_take_is_refused(self, folder: Folder, text: str, fault: str) -> None:
        """Found and expected are named."""
        (found,) = folder.faults(text)

        assert found.removeprefix("headrace.yaml:1: ").startswith(fault)
