"""What becomes of a template's resources: functions, mappings, schedules, and what is left out with a note."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.importing.templates import imported, options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

SAM = "Transform: AWS::Serverless-2016-10-31\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with code of a Python function, of a Node.js one, and a program."""
    (tmp_path / "src" / "node_modules" / "aws-lambda-ric").mkdir(parents=True)
    (tmp_path / "src" / "app.py").write_text("def handler(event, context): ...\n")
    program = tmp_path / "program" / "bootstrap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def function(properties: str, rest: str = "") -> str:
    """A SAM template with one function of these properties, and other resources."""
    return f"{SAM}Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {{{properties}}}\n{rest}"


PYTHON = "Runtime: python3.12, Handler: app.handler, CodeUri: src"
QUEUE = "  Q: {Type: AWS::SQS::Queue}\n"


def told(outcome: Outcome, words: str) -> bool:
    """Whether a note has these words."""
    return any(words in note for note in outcome.notes)


class TestFunctions:
    """How a function of each runtime runs here."""

    @pytest.mark.parametrize(
        ("properties", "expected"),
        [
            (PYTHON, {"code": "./src", "handler": "app.handler"}),
            (
                "Runtime: python3.9, Handler: src/lib/app.handler, CodeUri: ./",
                {"code": ".", "handler": "src.lib.app.handler"},
            ),
            (
                "Runtime: nodejs22.x, Handler: app.handler, CodeUri: src",
                {
                    "runtime": "provided",
                    "command": ["npx", "--no-install", "aws-lambda-ric", "app.handler"],
                    "code": "./src",
                },
            ),
            (
                "Runtime: provided.al2023, Handler: x, CodeUri: program",
                {"runtime": "provided", "command": ["./bootstrap"], "code": "./program", "handler": "x"},
            ),
            (
                "Runtime: provided.al2023, Handler: x, CodeUri: src",
                {"runtime": "provided", "command": ["./bootstrap"], "code": "${F_CODE}", "handler": "x"},
            ),
            (
                "Runtime: python3.12, Handler: app.handler, CodeUri: nowhere",
                {"code": "${F_CODE}", "handler": "app.handler"},
            ),
            ("Runtime: java21, Handler: x.Y, CodeUri: src", {"runtime": "lambda", "function_arn": "${F_ARN}"}),
            (
                "Runtime: python3.12, Handler: a.b, CodeUri: 's3://b/k'",
                {"runtime": "lambda", "function_arn": "${F_ARN}"},
            ),
            (
                "Runtime: python3.12, Handler: a.b, CodeUri: {Bucket: b, Key: k}",
                {"runtime": "lambda", "function_arn": "${F_ARN}"},
            ),
            ("Runtime: python3.12, Handler: a.b, InlineCode: x", {"runtime": "lambda", "function_arn": "${F_ARN}"}),
            ("PackageType: Image, Timeout: 9", {"runtime": "lambda", "function_arn": "${F_ARN}", "timeout": 9}),
            ("", {"runtime": "lambda", "function_arn": "${F_ARN}"}),
        ],
    )
    def test_a_function_runs_here_or_is_called_where_it_is(
        self, folder: Path, properties: str, expected: dict[str, object]
    ) -> None:
        """What cannot be run here stays in AWS."""
        outcome = imported(folder, function(properties))
        assert options(outcome, "functions", "F") == expected
        outcome.loaded()

    def test_a_named_function_that_stays_in_aws_has_its_arn(self, folder: Path) -> None:
        """Only region and account are to be set."""
        found = options(
            imported(folder, function("FunctionName: real, Runtime: ruby3.3, CodeUri: src")), "functions", "real"
        )
        assert found["function_arn"] == "arn:aws:lambda:${AWS_REGION}:${AWS_ACCOUNT_ID}:function:real"

    def test_what_sam_has_built_is_preferred(self, folder: Path) -> None:
        """The template names the source, which may have to be built."""
        built = folder / ".aws-sam" / "build" / "F"
        built.mkdir(parents=True)
        (built / "app.py").write_text("def handler(event, context): ...\n")
        assert options(imported(folder, function(PYTHON)), "functions", "F")["code"] == "./.aws-sam/build/F"

    @pytest.mark.parametrize("name", ["x" * 300, '"a\\0b"', "../" * 50 + "x" * 300])
    def test_a_name_that_no_folder_can_have_is_a_folder_that_is_not_there(self, folder: Path, name: str) -> None:
        """In code, in layers, as a logical id."""
        properties = f"Runtime: python3.12, Handler: app.handler, CodeUri: {name}, Layers: [!Ref L]"
        layer = f"  L: {{Type: AWS::Serverless::LayerVersion, Properties: {{ContentUri: {name}}}}}\n"
        other = (
            f"  {'G' * 300}: {{Type: AWS::Serverless::Function, Properties: {{CodeUri: src, Runtime: python3.12}}}}\n"
        )
        outcome = imported(folder, function(properties, layer + other))
        assert options(outcome, "functions", "F") == {"code": "${F_CODE}", "handler": "app.handler"}

    def test_the_user_may_say_where_code_is(self, folder: Path) -> None:
        """By the logical id, also for code that is in S3."""
        text = function("Runtime: python3.12, Handler: app.handler, CodeUri: 's3://b/k'")
        outcome = imported(folder, text, code_folders={"F": folder / "src"})
        assert options(outcome, "functions", "F") == {"code": "./src", "handler": "app.handler"}

    def test_globals_are_merged_as_sam_merges_them(self, folder: Path) -> None:
        """Plain values are replaced, maps merged, lists added."""
        shared = (
            "Globals:\n  Function:\n    Timeout: 9\n    CodeUri: src\n    Runtime: python3.12\n    Handler: app.handler\n"
            "    Environment: {Variables: {A: 1, B: 1}}\n"
        )
        text = shared + function("Timeout: 20, Environment: {Variables: {B: 2}}")
        assert options(imported(folder, text), "functions", "F") == {
            "code": "./src",
            "handler": "app.handler",
            "timeout": 20,
            "environment": {"A": "1", "B": "2"},
        }

    def test_quoted_numbers_are_numbers_and_variables_are_texts(self, folder: Path) -> None:
        """CloudFormation takes both, Headrace does not."""
        outcome = imported(
            folder, function(PYTHON + ", Timeout: '30', MemorySize: '512', Environment: {Variables: {N: 1}}")
        )
        found = options(outcome, "functions", "F")
        assert (found["timeout"], found["memory_size"], found["environment"]) == (30, 512, {"N": "1"})

    def test_a_function_without_concurrency_is_shut(self, folder: Path) -> None:
        """Reserved concurrency of 0: what would call it is disabled."""
        queue, schedule = "Queue: !GetAtt Q.Arn", "Schedule: rate(1 day)"
        events = (
            f"Events: {{Q: {{Type: SQS, Properties: {{{queue}}}}}, S: {{Type: Schedule, Properties: {{{schedule}}}}}}}"
        )
        outcome = imported(folder, function(f"{PYTHON}, ReservedConcurrentExecutions: 0, {events}", QUEUE))
        config = outcome.loaded()
        assert not config.event_source_mappings["F-Q"].enabled
        assert not config.schedules["F-S"].enabled
        assert told(outcome, "its reserved concurrency is 0")

    def test_how_a_function_is_called_comes_along(self, folder: Path) -> None:
        """Event invoke config, dead letters and URL, from SAM's properties and from resources of their own."""
        sam = imported(
            folder,
            function(
                PYTHON
                + ", EventInvokeConfig: {MaximumRetryAttempts: '1', DestinationConfig: {OnFailure: {Type: SQS}}}, "
                "DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Q.Arn}, FunctionUrlConfig: {AuthType: NONE}",
                QUEUE,
            ),
        ).loaded()
        plain = imported(
            folder,
            "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.12, Handler: app.handler, Code: src, "
            "DeadLetterConfig: {TargetArn: !GetAtt Q.Arn}}}\n"
            "  I: {Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: !Ref F, Qualifier: $LATEST, "
            "MaximumRetryAttempts: 1, DestinationConfig: {OnFailure: {Destination: !GetAtt D.Arn}}}}\n"
            "  U: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !GetAtt F.Arn, AuthType: NONE}}\n"
            "  D: {Type: AWS::SQS::Queue}\n" + QUEUE,
        ).loaded()
        for config in (sam, plain):
            found = config.functions["F"]
            assert found.event_invoke_config.maximum_retry_attempts == 1
            assert found.event_invoke_config.on_failure is not None
            assert found.dead_letter_config.target_arn is not None
            assert found.function_url is not None
            assert config.lambda_api is not None

    def test_blocks_of_a_function_that_cannot_be_known_are_left_out(self, folder: Path) -> None:
        """And the function is imported without them."""
        unknown = ", ".join(
            f"{name}: !Ref U" for name in ("Environment", "Layers", "EventInvokeConfig", "DeadLetterConfig")
        )
        text = function(
            f"{PYTHON}, LoggingConfig: {{LogFormat: JSON, LogGroup: g}}, {unknown}", "Parameters: {U: {Type: String}}\n"
        )
        outcome = imported(folder, text)
        assert options(outcome, "functions", "F") == {
            "code": "./src",
            "handler": "app.handler",
            "logging_config": {"log_format": "JSON", "log_group": "g"},
        }
        assert sum("left out what cannot be known" in note for note in outcome.notes) == 4

    def test_a_url_is_served_where_the_stack_is_if_that_is_known(self, folder: Path) -> None:
        """So that functions have the ARNs that they have there."""
        text = function(PYTHON + ", FunctionUrlConfig: {AuthType: NONE}")
        where = {"AWS::Region": "eu-west-1", "AWS::AccountId": "012345678901"}
        config = imported(folder, text, parameters=where).loaded()
        assert config.lambda_api is not None
        assert (config.lambda_api.region, config.lambda_api.account) == ("eu-west-1", "012345678901")

    def test_what_a_function_is_for_is_told_above_it(self, folder: Path) -> None:
        """On one line, whatever the description is like."""
        text = imported(folder, function(PYTHON + ', Description: "Takes orders\\n  x: 1", Timeout: 3')).text
        assert "  # F (AWS::Serverless::Function), template.yaml:3\n  # Takes orders   x: 1\n  F:\n" in text

    def test_a_local_layer_comes_along_and_another_is_left_out(self, folder: Path) -> None:
        """With a note on how to have it."""
        layer = "  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: src}}\n"
        arn = "arn:aws:lambda:eu-west-1:1:layer:x:3"
        outcome = imported(folder, function(f"{PYTHON}, Layers: [!Ref L, '{arn}']", layer))
        assert options(outcome, "functions", "F")["layers"] == ["./src"]
        assert told(outcome, f"left out the layer {arn}")

    @pytest.mark.parametrize(
        ("properties", "content", "words"),
        [
            ("Runtime: nodejs22.x, Handler: app.handler, CodeUri: src", "src", "layer src: put what is in it into"),
            (PYTHON, "gone", "layer L, whose folder is not here: fetch it"),
            (PYTHON, "s3://b/k", "layer L, whose folder is not here: fetch it"),
        ],
    )
    def test_a_layer_that_is_left_out_is_named(self, folder: Path, properties: str, content: str, words: str) -> None:
        """By its folder, if that is here and the runtime has no layers; else by its logical id."""
        layer = f"  L: {{Type: AWS::Serverless::LayerVersion, Properties: {{ContentUri: '{content}'}}}}\n"
        outcome = imported(folder, function(f"{properties}, Layers: [!Ref L]", layer))
        assert "layers" not in options(outcome, "functions", "F")
        assert told(outcome, f"left out the {words}")

    def test_an_image_stays_one_whatever_code_globals_name(self, folder: Path) -> None:
        """CodeUri in Globals is for the other functions of the template."""
        globals_ = "Globals: {Function: {CodeUri: src}}\n"
        outcome = imported(folder, globals_ + function("PackageType: Image, ImageUri: x"))
        assert options(outcome, "functions", "F") == {"runtime": "lambda", "function_arn": "${F_ARN}"}
        assert told(outcome, "it is an image")


class TestMappings:
    """Sources and their settings."""

    def test_events_of_sam_become_mappings(self, folder: Path) -> None:
        """Every kind that Headrace reads, with settings in the types of its options."""
        text = function(
            PYTHON + ", Events: {"
            "Q: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn, BatchSize: '100', MaximumBatchingWindowInSeconds: 2, "
            "Enabled: 'False', FunctionResponseTypes: [ReportBatchItemFailures], ScalingConfig: {MaximumConcurrency: 7}}}, "
            "K: {Type: Kinesis, Properties: {Stream: !GetAtt Stream.Arn, StartingPosition: AT_TIMESTAMP, "
            "StartingPositionTimestamp: 1700000000, BisectBatchOnFunctionError: true, "
            "DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Q.Arn}}}}, "
            "D: {Type: DynamoDB, Properties: {Stream: !GetAtt Table.StreamArn, StartingPosition: LATEST, "
            'FilterCriteria: {Filters: [{Pattern: \'{"eventName": ["INSERT"]}\'}]}}}}',
            QUEUE + "  Stream: {Type: AWS::Kinesis::Stream}\n  Table: {Type: AWS::DynamoDB::Table}\n",
        )
        outcome = imported(folder, text)
        queue, kinesis, table = outcome.loaded().event_source_mappings.values()
        assert (queue.batch_size, queue.enabled, queue.kind) == (100, False, "sqs")
        assert (kinesis.kind, table.kind) == ("kinesis", "dynamodb")
        assert options(outcome, "event_source_mappings", "F-D")["filter_criteria"] == {
            "filters": [{"pattern": {"eventName": ["INSERT"]}}]
        }
        assert options(outcome, "event_source_mappings", "F-K")["destination_config"] == {
            "on_failure": {"destination": "${Q_ARN}"}
        }

    @pytest.mark.parametrize(
        "name",
        [
            "!Ref F",
            "!GetAtt F.Arn",
            "!Sub '${F}:live'",
            "!Ref Alias",
            "!Ref Version",
            "F",
            "arn:aws:lambda:eu-west-1:123456789012:function:F:live",
            "!Join [':', [!GetAtt F.Arn, live]]",
        ],
    )
    def test_a_function_is_found_however_it_is_named(self, folder: Path, name: str) -> None:
        """By an alias and a version as well."""
        rest = (
            f"  M: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{FunctionName: {name}, EventSourceArn: !GetAtt Q.Arn}}}}\n"
            "  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref F, FunctionVersion: !GetAtt Version.Version}}\n"
            "  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref F}}\n"
        )
        found = options(imported(folder, function(PYTHON, QUEUE + rest)), "event_source_mappings", "M")
        assert found == {"event_source_arn": "${Q_ARN}", "function_name": "F"}

    def test_a_function_of_another_stack_stays_in_aws(self, folder: Path) -> None:
        """It is added by its ARN, or a variable for it."""
        text = (
            "Resources:\n"
            + QUEUE
            + (
                "  A: {Type: AWS::Lambda::EventSourceMapping, Properties: {EventSourceArn: !GetAtt Q.Arn,"
                " FunctionName: 'arn:aws:lambda:eu-west-1:123456789012:function:x'}}\n"
                "  B: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !ImportValue orders-function-arn, "
                "EventSourceArn: !GetAtt Q.Arn}}\n"
            )
        )
        outcome = imported(folder, text)
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:x"
        assert options(outcome, "functions", "x") == {"runtime": "lambda", "function_arn": arn}
        assert "ORDERS_FUNCTION_ARN" in outcome.variables
        outcome.loaded()

    @pytest.mark.parametrize("kind", ["MSK", "MQ", "SelfManagedKafka"])
    def test_a_source_that_is_not_read_is_left_out_with_a_note(self, folder: Path, kind: str) -> None:
        """And the function is imported."""
        outcome = imported(folder, function(f"{PYTHON}, Events: {{E: {{Type: {kind}, Properties: {{}}}}}}"))
        assert told(outcome, "which this version does not read")
        assert "event_source_mappings" not in outcome.text

    def test_events_of_services_that_call_are_left_out_with_a_note(self, folder: Path) -> None:
        """They have no mapping on Lambda either."""
        outcome = imported(folder, function(f"{PYTHON}, Events: {{A: {{Type: Api}}, B: {{Type: S3}}, C: 3}}"))
        assert told(outcome, "left out the event A: Api")
        assert told(outcome, "left out the event B: S3")
        assert told(outcome, "left out the event C: found 3")

    def test_a_second_mapping_of_one_source_and_function_is_left_out(self, folder: Path) -> None:
        """An alias is its function here, and Headrace takes a pair once."""
        kind, source = "Type: AWS::Lambda::EventSourceMapping", "EventSourceArn: !GetAtt Q.Arn"
        rest = "".join(
            f"  {name}: {{{kind}, Properties: {{FunctionName: {to}, {source}}}}}\n"
            for name, to in (("One", "!Ref F"), ("Two", "!Sub '${F}:live'"))
        )
        outcome = imported(folder, function(PYTHON, QUEUE + rest))
        assert list(outcome.loaded().event_source_mappings) == ["One"]
        assert told(outcome, "Two: left out a second mapping of the same source and function")

    @pytest.mark.parametrize("block", ["FilterCriteria: !Ref Unsaid", "DestinationConfig: {OnFailure: !Ref Unsaid}"])
    def test_a_block_that_cannot_be_known_is_left_out_with_the_reason(self, folder: Path, block: str) -> None:
        """A variable can only be a single value."""
        properties = f"Stream: !GetAtt S.Arn, StartingPosition: LATEST, {block}"
        events = f"Events: {{E: {{Type: Kinesis, Properties: {{{properties}}}}}}}"
        stream = "  S: {Type: AWS::Kinesis::Stream}\nParameters: {Unsaid: {Type: String}}\n"
        outcome = imported(folder, function(f"{PYTHON}, {events}", stream))
        assert told(outcome, "left out what cannot be known: ")
        assert outcome.loaded(S_ARN="arn:aws:kinesis:eu-west-1:123456789012:stream/s").event_source_mappings

    def test_a_resource_whose_condition_is_false_is_left_out(self, folder: Path) -> None:
        """One whose condition is not known is imported, and that is said."""
        conditions = "Conditions: {No: !Equals [a, b], Perhaps: !Equals [!Ref AWS::Region, x]}\n"
        properties = "FunctionName: F, EventSourceArn: !GetAtt Q.Arn"
        mapping = f"{{{{Type: AWS::Lambda::EventSourceMapping, Condition: {{}}, Properties: {{{{{properties}}}}}}}}}"
        rest = f"  No: {mapping.format('No')}\n  Maybe: {mapping.format('Perhaps')}\n"
        outcome = imported(folder, conditions + function(PYTHON, QUEUE + rest))
        assert "  No:" not in outcome.text
        assert "  Maybe:" in outcome.text
        assert told(outcome, "imported although the condition Perhaps")

    def test_what_has_no_effect_is_said(self, folder: Path) -> None:
        """Tags, keys, metrics."""
        rest = (
            "  M: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: F, EventSourceArn: !GetAtt Q.Arn, "
            "KmsKeyArn: k, Tags: [{Key: a, Value: b}], NewThing: 3}}\n"
        )
        outcome = imported(folder, function(PYTHON, QUEUE + rest))
        assert told(outcome, "KmsKeyArn, Tags: without effect outside AWS")
        assert told(outcome, "left out NewThing")
        outcome.loaded()


class TestSchedules:
    """Schedules and rules."""

    def test_each_kind_of_schedule_is_read(self, folder: Path) -> None:
        """Rules are rules here, and schedules of the Scheduler are that."""
        text = function(
            PYTHON + ", Events: {"
            "A: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Input: '{\"a\": 1}', Enabled: false}}, "
            "B: {Type: ScheduleV2, Properties: {ScheduleExpression: cron(0 2 * * ? *), ScheduleExpressionTimezone: Europe/Berlin, "
            "FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: '5'}, DeadLetterConfig: {Type: SQS}}}}",
            "  C: {Type: AWS::Scheduler::Schedule, Properties: {ScheduleExpression: rate(1 day), "
            "FlexibleTimeWindow: {Mode: 'OFF'}, GroupName: g, Target: {Arn: !GetAtt F.Arn, RoleArn: r, "
            "Input: '{}', RetryPolicy: {MaximumRetryAttempts: 3}}}}\n"
            "  D: {Type: AWS::Events::Rule, Properties: {ScheduleExpression: rate(2 hours), State: DISABLED, "
            "Targets: [{Id: x, Arn: !GetAtt F.Arn, Input: '{\"b\": [1.0]}'}, {Id: y, Arn: !GetAtt Q.Arn}]}}\n"
            "  E: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [a]}, Targets: [{Id: x, Arn: !GetAtt F.Arn}]}}\n"
            + QUEUE,
        )
        outcome = imported(folder, text)
        found = outcome.loaded().schedules
        assert {name: (one.event, one.enabled, one.schedule_expression) for name, one in found.items()} == {
            "F-A": ("rule", False, "rate(5 minutes)"),
            "F-B": ("scheduler", True, "cron(0 2 * * ? *)"),
            "C": ("scheduler", True, "rate(1 day)"),
            "D-1": ("rule", False, "rate(2 hours)"),
        }
        assert found["F-B"].window_seconds == 300
        assert found["F-A"].input == '{"a":1}'
        assert found["C"].retry_policy.maximum_retry_attempts == 3
        assert told(outcome, "left out a target of the schedule")


def test_off_without_quotes_is_the_mode_off(folder: Path) -> None:
    """YAML 1.1 takes it for false; templates have it in both ways."""
    text = "S: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), FlexibleTimeWindow: {Mode: OFF}}}"
    outcome = imported(folder, function(f"{PYTHON}, Events: {{{text}}}"))
    assert outcome.loaded().schedules["F-S"].window_seconds == 0
    assert "flexible_time_window" not in outcome.text


def test_importing_twice_gives_the_same_bytes(folder: Path) -> None:
    """Nothing depends on the time or on chance."""
    text = function(f"{PYTHON}, Events: {{Q: {{Type: SQS, Properties: {{Queue: !GetAtt Q.Arn}}}}}}", QUEUE)
    first, second = imported(folder, text), imported(folder, text)
    assert first.text == second.text
    assert first.notes == second.notes


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("CodeUri: 's3://bucket/key.zip'", "its code is in S3, s3://bucket/key.zip (or use"),
        ("CodeUri: {Bucket: bucket, Key: key.zip}", "its code is in S3, s3://bucket/key.zip (or use"),
        ("CodeUri: {Bucket: !Ref Unknown, Key: key.zip}", "its code is in S3 (or use"),
    ],
)
def test_code_in_s3_is_named_where_that_is_known(folder: Path, code: str, named: str) -> None:
    """So that it can be copied, and given with ``--code-folder``."""
    outcome = imported(folder, function(f"Handler: app.handler, Runtime: python3.12, {code}"))
    assert told(outcome, named), outcome.notes


def test_how_a_layer_of_an_account_is_fetched_is_said(folder: Path) -> None:
    """By its ARN."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:common:3"
    outcome = imported(folder, function(f"{PYTHON}, Layers: ['{arn}']"))
    assert told(
        outcome, f"left out the layer {arn}: fetch it (aws lambda get-layer-version-by-arn --arn {arn} shows where"
    )
