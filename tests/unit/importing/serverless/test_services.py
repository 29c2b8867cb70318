"""What becomes of a service of the Serverless Framework: its variables, its defaults, its functions, and what calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported, imported_from, options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

NAME = "serverless.yml"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:jobs"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


def service(functions: str, rest: str = "", provider: str = "") -> str:
    """A service with these functions, in flow style."""
    return f"service: shop\nprovider: {{name: aws, runtime: python3.12, {provider}}}\nfunctions: {functions}\n{rest}"


def one(folder: Path, function: str, rest: str = "", provider: str = "", **asked: Any) -> Outcome:  # noqa: ANN401 - a request's
    """What comes of a service with one function, orders."""
    text = service(f"{{orders: {{handler: src/app.handler, {function}}}}}", rest, provider)
    return imported(folder, text, NAME, **asked)


def variable(folder: Path, text: str, rest: str = "", provider: str = "", **asked: Any) -> object:  # noqa: ANN401 - a request's
    """What this text is, as a function's environment variable."""
    found = one(folder, f"environment: {{IT: {text}}}", rest, provider, **asked)
    return options(found, "functions", "shop-dev-orders").get("environment", {}).get("IT", "absent")


REST = """\
custom:
  size: 25
  stages: {dev: {name: developing}}
  list: [a, b]
  again: ${self:custom.size}
  round: ${self:custom.about}
  about: ${self:custom.round}
  empty:
params:
  default: {domain: example.com, other: x}
  dev: {domain: dev.example.com}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("'${self:custom.size}'", "25"),
        ("'${self:custom.again}-${self:service}'", "25-shop"),
        ("'${self:custom.stages.${sls:stage}.name}'", "developing"),
        ("'${self:custom.list.1}'", "b"),
        ("'${opt:stage, ''x''}'", "x"),
        ("\"${opt:stage, self:provider.stage, 'x'}\"", "x"),
        ("'${self:custom.nothing, self:custom.empty, 7}'", "7"),
        ("'${param:domain}/${param:other}'", "dev.example.com/x"),
        ("'${env:LEVEL, \"info\"}'", "info"),
        ("'${env:LEVEL}'", "${LEVEL}"),
        ("'a-${env:LEVEL}'", "a-${LEVEL}"),
        ("'${opt:size}'", "${SIZE}"),
        ("'${ssm:/shop/${sls:stage}/key}'", "${SSM_SHOP_DEV_KEY}"),
        ("'${ssm:/shop/key, ''x''}'", "${SSM_SHOP_KEY}"),
        ("'${cf:other.Output}'", "${CF_OTHER_OUTPUT}"),
        ("'${aws:region}'", "us-east-1"),
        ("'${aws:accountId}'", "${AWS_ACCOUNT_ID}"),
        ("'${file(values.yml):a.b}'", "from a file"),
        ("'${file(values.yml):size}'", "25"),
        ("'${file(nowhere.yml):a, ''x''}'", "x"),
        ("'${file(code.js):a}'", "${FILE_CODE_JS_A}"),
        ("'${self:custom.round}'", "${SELF_CUSTOM_ROUND}"),
        ("'${self:custom.${env:LEVEL}}'", "${SELF_CUSTOM_ENV_LEVEL}"),
        ("'${self:custom.stages}'", "absent"),
        ("!Sub '${AWS::Region}/${self:custom.size}'", "us-east-1/25"),
        ("!GetAtt OrdersLambdaFunction.Arn", "arn:aws:lambda:us-east-1:${AWS_ACCOUNT_ID}:function:shop-dev-orders"),
    ],
)
def test_a_variable_is_what_the_framework_makes_of_it_or_a_variable(tmp_path: Path, text: str, expected: str) -> None:
    """What only the framework can ask is never guessed, and this machine's environment does not count."""
    (tmp_path / "values.yml").write_text("a: {b: from a file}\nsize: ${self:custom.size}\n")
    assert variable(tmp_path, text, REST) == expected


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("'${opt:size}'", {"size": "3"}, "3"),
        ("'${env:LEVEL, ''info''}'", {"LEVEL": "debug"}, "debug"),
        ("'${param:domain}'", {"domain": "mine"}, "mine"),
        ("'${ssm:/a/b}'", {"ssm:/a/b": "known"}, "known"),
        ("'${aws:accountId}'", {"AWS::AccountId": "1"}, "1"),
        ("'${env:LEVEL}'", {"LEVEL": "${x}"}, "$${x}"),
    ],
)
def test_a_variable_may_be_given(tmp_path: Path, text: str, parameters: dict[str, str], expected: str) -> None:
    """With --parameter, by its name."""
    assert variable(tmp_path, text, REST, parameters=parameters) == expected


def test_the_stage_and_the_region_may_be_given(tmp_path: Path) -> None:
    """They are in names and ARNs."""
    found = one(
        tmp_path,
        "events: [{sqs: !GetAtt Q.Arn}]",
        "resources: {Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}}}",
        parameters={"stage": "prod", "region": "eu-west-1"},
    )
    assert options(found, "event_source_mappings", "orders-sqs")["function_name"] == "shop-prod-orders"
    assert (
        options(found, "event_source_mappings", "orders-sqs")["event_source_arn"]
        == "arn:aws:sqs:eu-west-1:${AWS_ACCOUNT_ID}:q"
    )


def test_a_value_that_nothing_asks_for_is_a_slip(tmp_path: Path) -> None:
    """The fault names what could be given."""
    with pytest.raises(ConfigError, match="found --parameter Stege, expected one of LEVEL, region, stage"):
        variable(tmp_path, "'${env:LEVEL}'", parameters={"Stege": "prod"})


class TestFunctions:
    """How functions run, with the framework's defaults."""

    def test_the_frameworks_defaults_are_its_own(self, tmp_path: Path) -> None:
        """Six seconds and 1,024 MB; handlers are paths from the service's folder."""
        assert options(one(tmp_path, ""), "functions", "shop-dev-orders") == {
            **{"code": ".", "handler": "src.app.handler", "timeout": 6, "memory_size": 1024},
        }

    def test_a_functions_own_settings_win_over_the_providers(self, tmp_path: Path) -> None:
        """Environments are merged."""
        found = one(
            tmp_path,
            "name: mine, timeout: '${self:custom.t}', reservedConcurrency: 3, environment: {AA: 1, BB: '2'}",
            "custom: {t: 40}",
            "timeout: 20, memorySize: 512, environment: {AA: 0, CC: true}",
        )
        assert options(found, "functions", "mine") == {
            **{"code": ".", "handler": "src.app.handler", "timeout": 40, "memory_size": 512, "concurrency": 3},
            "environment": {"AA": "1", "CC": "true", "BB": "2"},
        }
        found.loaded()

    @pytest.mark.parametrize(
        "functions",
        [
            "['${file(functions.yml)}', {orders: {handler: app.handler}}]",
            "'${file(functions.yml)}'",
            "{audit: '${file(functions.yml):audit}'}",
        ],
    )
    def test_functions_may_be_in_files(self, tmp_path: Path, functions: str) -> None:
        """As a list of mappings, as one file, or each in a file; their lines are those of that file."""
        (tmp_path / "functions.yml").write_text("# functions\naudit:\n  handler: app.audit\n")
        found = imported(tmp_path, service(functions), NAME)
        assert options(found, "functions", "shop-dev-audit")["handler"] == "app.audit"
        found.loaded()

    def test_an_image_stays_in_aws(self, tmp_path: Path) -> None:
        """By its ARN."""
        found = imported(tmp_path, service("{img: {image: x/y}}"), NAME)
        assert options(found, "functions", "shop-dev-img")["runtime"] == "lambda"

    def test_an_archive_that_is_named_is_the_code(self, tmp_path: Path) -> None:
        """And asked for where it is not there."""
        (tmp_path / "a.zip").write_bytes(b"")
        assert options(one(tmp_path, "package: {artifact: a.zip}"), "functions", "shop-dev-orders")["code"] == "./a.zip"
        found = one(tmp_path, "package: {artifact: b.zip}")
        assert options(found, "functions", "shop-dev-orders")["code"] == "${SHOP_DEV_ORDERS_CODE}"

    def test_code_may_be_named_by_the_functions_key(self, tmp_path: Path) -> None:
        """As the user knows it."""
        (tmp_path / "mine").mkdir()
        found = one(tmp_path, "", code_folders={"orders": tmp_path / "mine"})
        assert options(found, "functions", "shop-dev-orders")["code"] == "./mine"

    def test_how_a_function_is_called_comes_along(self, tmp_path: Path) -> None:
        """URL, event invoke config, dead letters."""
        found = one(
            tmp_path,
            "url: {authorizer: aws_iam, invokeMode: RESPONSE_STREAM, cors: {allowedOrigins: ['https://a'], maxAge: 5}}, "
            f"maximumRetryAttempts: 0, maximumEventAge: 90, destinations: {{onFailure: '{QUEUE}'}}, onError: '{QUEUE}'",
        )
        written = options(found, "functions", "shop-dev-orders")
        assert written["function_url"] == {
            **{"auth_type": "AWS_IAM", "invoke_mode": "RESPONSE_STREAM"},
            "cors": {"allow_origins": ["https://a"], "max_age": 5},
        }
        assert written["event_invoke_config"]["destination_config"] == {"on_failure": {"destination": QUEUE}}
        assert written["dead_letter_config"] == {"target_arn": QUEUE}
        found.loaded()
        plain = one(tmp_path, "url: true")
        assert options(plain, "functions", "shop-dev-orders")["function_url"] == {"auth_type": "NONE"}


class TestEvents:
    """What events become."""

    @pytest.mark.parametrize(
        ("event", "name", "expected"),
        [
            (f"{{sqs: '{QUEUE}'}}", "orders-sqs", {"event_source_arn": QUEUE, "batch_size": 10}),
            (
                f"{{sqs: {{arn: '{QUEUE}', batchSize: 0, maximumBatchingWindow: 3, enabled: false, maximumConcurrency: 4, "
                "functionResponseType: ReportBatchItemFailures, filterPatterns: [{body: {a: [1]}}]}}",
                "orders-sqs",
                {
                    **{"event_source_arn": QUEUE, "batch_size": 10, "maximum_batching_window_in_seconds": 3},
                    **{"enabled": False, "scaling_config": {"maximum_concurrency": 4}},
                    "function_response_types": ["ReportBatchItemFailures"],
                    "filter_criteria": {"filters": [{"pattern": {"body": {"a": [1]}}}]},
                },
            ),
            (
                f"{{stream: '{STREAM}'}}",
                "orders-stream",
                {"event_source_arn": STREAM, "batch_size": 10, "starting_position": "TRIM_HORIZON"},
            ),
            (
                f"{{stream: {{arn: '{STREAM}', batchWindow: 2, startingPosition: LATEST, maximumRetryAttempts: 1, "
                f"parallelizationFactor: 2, bisectBatchOnFunctionError: true, destinations: {{onFailure: '{QUEUE}'}}}}}}",
                "orders-stream",
                {
                    **{"event_source_arn": STREAM, "batch_size": 10, "starting_position": "LATEST"},
                    **{"maximum_batching_window_in_seconds": 2, "maximum_retry_attempts": 1},
                    **{"parallelization_factor": 2, "bisect_batch_on_function_error": True},
                    "destination_config": {"on_failure": {"destination": QUEUE}},
                },
            ),
            (
                f"{{stream: {{arn: '{STREAM}', consumer: true}}}}",
                "orders-stream",
                {
                    **{"event_source_arn": "${ORDERS_STREAM_CONSUMER_CONSUMER_ARN}", "batch_size": 10},
                    "starting_position": "TRIM_HORIZON",
                },
            ),
        ],
    )
    def test_queues_and_streams_become_mappings(
        self, tmp_path: Path, event: str, name: str, expected: dict[str, object]
    ) -> None:
        """With the framework's names and defaults."""
        found = one(tmp_path, f"events: [{event}]")
        written = dict(options(found, "event_source_mappings", name))
        assert written.pop("function_name") == "shop-dev-orders"
        assert written == expected
        found.loaded()

    def test_schedules(self, tmp_path: Path) -> None:
        """A rule, several rates, and EventBridge Scheduler."""
        found = one(
            tmp_path,
            "events: [{schedule: rate(5 minutes)}, {schedule: {rate: ['cron(0 1 * * ? *)', rate(1 day)], enabled: false, "
            "input: {a: 1}}}, {schedule: {rate: 'cron(0 1 * * ? *)', method: scheduler, timezone: Europe/Paris, name: mine}}]",
        )
        assert options(found, "schedules", "orders-schedule") == {
            **{"event": "rule", "schedule_expression": "rate(5 minutes)", "function_name": "shop-dev-orders"},
        }
        assert options(found, "schedules", "orders-schedule-2-2") == {
            **{"event": "rule", "schedule_expression": "rate(1 day)", "function_name": "shop-dev-orders"},
            **{"state": "DISABLED", "input": {"a": 1}},
        }
        assert options(found, "schedules", "mine")["schedule_expression_timezone"] == "Europe/Paris"
        assert len(found.loaded().schedules) == 4

    def test_other_events_are_left_out_with_a_note(self, tmp_path: Path) -> None:
        """With what to do instead."""
        found = one(tmp_path, "events: [{httpApi: 'GET /'}, {s3: b}, sns]")
        notes = " ".join(found.notes)
        assert all(f"left out the event {kind}" in notes for kind in ("httpApi", "s3", "sns"))

    def test_two_events_of_a_kind_have_two_names(self, tmp_path: Path) -> None:
        """In the order of the file."""
        found = one(tmp_path, f"events: [{{sqs: '{QUEUE}'}}, {{sqs: '{QUEUE}2'}}]")
        assert set(found.loaded().event_source_mappings) == {"orders-sqs", "orders-sqs-2"}


def test_resources_may_be_a_list_and_name_queues(tmp_path: Path) -> None:
    """As CloudFormation has them; their variables are filled in."""
    rest = (
        "resources: [{Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: 'q-${sls:stage}'}}}}, "
        "{Resources: {T: {Type: AWS::DynamoDB::Table}}, extensions: {A: {}}}]"
    )
    found = one(tmp_path, "events: [{sqs: !GetAtt Q.Arn}, {stream: {type: dynamodb, arn: !GetAtt T.StreamArn}}]", rest)
    assert options(found, "event_source_mappings", "orders-sqs")["event_source_arn"].endswith(":q-dev")
    assert options(found, "event_source_mappings", "orders-stream")["event_source_arn"] == "${T_STREAM_ARN}"
    assert any("extensions" in note for note in found.notes)
    found.loaded(T_STREAM_ARN="arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000")


def packaged() -> dict[str, Any]:
    """What the framework packages of a function with a queue."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "OrdersLambdaFunction": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {
                        "S3Bucket": {"Ref": "ServerlessDeploymentBucket"},
                        "S3Key": "serverless/shop/dev/1/shop.zip",
                    },
                    **{"Handler": "src/app.handler", "Runtime": "python3.12", "FunctionName": "shop-dev-orders"},
                    **{"MemorySize": 1024, "Timeout": 6},
                },
            },
            "OrdersEventSourceMappingSQSJobs": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    **{"BatchSize": 10, "EventSourceArn": QUEUE, "Enabled": True},
                    "FunctionName": {"Fn::GetAtt": ["OrdersLambdaFunction", "Arn"]},
                },
            },
            "CustomDashresourceDashapigwDashcwDashroleLambdaFunction": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Handler": "x.handler", "Runtime": "nodejs20.x"},
            },
        },
    }


def test_what_was_packaged_comes_first(tmp_path: Path) -> None:
    """Its code is the service's folder, and the framework's own functions are left out."""
    folder = tmp_path / "shop" / ".serverless"
    folder.mkdir(parents=True)
    (folder / "cloudformation-template-update-stack.json").write_text(json.dumps(packaged()))
    (folder.parent / NAME).write_text(service("{}"))
    texts = []
    for path in (folder.parent, folder, folder / "cloudformation-template-update-stack.json"):
        found = imported_from(path, folder.parent)
        assert options(found, "functions", "shop-dev-orders") == {
            **{"code": ".", "handler": "src.app.handler", "timeout": 6, "memory_size": 1024},
        }
        assert "CustomDash" not in found.text
        found.loaded()
        texts.append([line for line in found.text.splitlines() if not line.lstrip().startswith("#")])
    assert texts[0] == texts[1] == texts[2]
    written = imported_from(folder.parent / NAME, folder.parent)
    assert "functions" not in written.text


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (NAME, "service: a\nprovider: {\n", "serverless.yml:3: "),
        (NAME, "service: a\nprovider: aws\nresources: {Resources: {A: 1}}\n", "serverless.yml:3: Resources.A"),
        ("serverless.ts", "export default {}", "serverless.ts:1: found a program, expected serverless.yml"),
    ],
)
def test_what_cannot_be_read_says_so(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """With file and line."""
    with pytest.raises((Unparsable, ConfigError)) as caught:
        imported(tmp_path, text, name)
    error = caught.value
    shown = str(error.faults[0]) if isinstance(error, ConfigError) else f"{getattr(error, 'place', '')}: {error}"
    assert shown.startswith(expected)


def test_variables_that_multiply_are_bounded(tmp_path: Path) -> None:
    """A few lines cannot fill the memory."""
    lines = "\n".join(
        f"  a{number}: ['${{self:custom.a{number - 1}}}', '${{self:custom.a{number - 1}}}']" for number in range(1, 40)
    )
    with pytest.raises(Unparsable, match="variables filled in"):
        variable(tmp_path, "'${self:custom.a39}'", f"custom:\n  a0: x\n{lines}\n")


JUNK = st.recursive(
    st.sampled_from(
        [
            None,
            True,
            0,
            1.5,
            "",
            "x",
            QUEUE,
            STREAM,
            "rate(1 day)",
            "${self:custom}",
            "${opt:a, 'b'}",
            "${self:a.${env:X}}",
            "${",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "handler",
                    "events",
                    "sqs",
                    "stream",
                    "schedule",
                    "arn",
                    "rate",
                    "environment",
                    "url",
                    "cors",
                    "name",
                    "Ref",
                    "Resources",
                    "input",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.fixed_dictionaries(
        {"service": JUNK, "provider": JUNK, "functions": JUNK},
        optional={"custom": JUNK, "resources": JUNK, "params": JUNK},
    )
)
def test_whatever_a_service_holds_it_is_read_or_refused_in_words(tmp_path: Path, document: dict[str, object]) -> None:
    """Twice the same bytes, and never a traceback."""
    text = yaml.safe_dump(document)
    try:
        found = imported(tmp_path, text, NAME)
        assert imported(tmp_path, text, NAME).text == found.text
    except (Unparsable, ConfigError):
        pass
