"""What becomes of a Terraform state: what was told to it, and nothing of what the provider writes for what does not apply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported, imported_from, options
from tests.unit.importing.terraform.states import (
    ACCOUNT,
    QUEUE,
    STREAM,
    TABLE,
    WORKER,
    entry,
    function,
    mapping,
    resource,
    shown,
    state,
    stream,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

FUNCTION = resource("aws_lambda_function", "worker", function())
MAPPING = "aws_lambda_event_source_mapping"


def imported_state(folder: Path, *resources: dict[str, object]) -> Outcome:
    """What comes of a state with a function and these resources."""
    return imported(folder, state(FUNCTION, *resources), "terraform.tfstate")


def test_a_state_gives_what_is_deployed_by_its_arns(tmp_path: Path) -> None:
    """A function whose code is not here is called where it is; a mapping says only what it was told."""
    found = imported_state(tmp_path, resource(MAPPING, "jobs", mapping(batch_size=5)))
    assert found.text == (
        "# Imported by `headrace import` from the Terraform state terraform.tfstate.\n"
        "\n"
        "functions:\n"
        "  # aws_lambda_function.worker, terraform.tfstate:12\n"
        "  worker:\n"
        "    runtime: lambda\n"
        f"    function_arn: {WORKER}\n"
        "\n"
        "event_source_mappings:\n"
        "  # aws_lambda_event_source_mapping.jobs, terraform.tfstate:53\n"
        "  jobs:\n"
        f"    event_source_arn: {QUEUE}\n"
        "    function_name: worker\n"
        "    batch_size: 5\n"
    )
    assert found.loaded().event_source_mappings["jobs"].batch_size == 5
    assert found.variables == ()


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (mapping(), {"batch_size": 10}),
        (mapping(batch_size=0), {}),
        (mapping(enabled=False), {"batch_size": 10, "enabled": False}),
        (mapping(enabled=None), {"batch_size": 10}),
        (mapping(state="Disabled"), {"batch_size": 10, "enabled": False}),
        (
            mapping(scaling_config=[{"maximum_concurrency": 4}], function_response_types=["ReportBatchItemFailures"]),
            {
                "batch_size": 10,
                "scaling_config": {"maximum_concurrency": 4},
                "function_response_types": ["ReportBatchItemFailures"],
            },
        ),
        (
            mapping(filter_criteria=[{"filter": [{"pattern": '{"body":{"a":["${x}"]}}'}]}]),
            {"batch_size": 10, "filter_criteria": {"filters": [{"pattern": {"body": {"a": ["$${x}"]}}}]}},
        ),
        (stream(), {"starting_position": "LATEST", "batch_size": 100}),
        (
            stream(maximum_retry_attempts=0, maximum_record_age_in_seconds=60, bisect_batch_on_function_error=True),
            {
                "starting_position": "LATEST",
                "batch_size": 100,
                "maximum_retry_attempts": 0,
                "maximum_record_age_in_seconds": 60,
                "bisect_batch_on_function_error": True,
            },
        ),
        (
            stream(starting_position="AT_TIMESTAMP", starting_position_timestamp="2026-01-01T00:00:00Z"),
            {
                "starting_position": "AT_TIMESTAMP",
                "starting_position_timestamp": "2026-01-01T00:00:00Z",
                "batch_size": 100,
            },
        ),
        (
            stream(destination_config=[{"on_failure": [{"destination_arn": QUEUE}], "on_success": []}]),
            {
                "starting_position": "LATEST",
                "batch_size": 100,
                "destination_config": {"on_failure": {"destination": QUEUE}},
            },
        ),
    ],
)
def test_what_says_nothing_is_no_setting(
    tmp_path: Path, attributes: dict[str, object], expected: dict[str, object]
) -> None:
    """Zeros, empty texts and blocks of nothing; and no note is made of them."""
    found = imported_state(tmp_path, resource(MAPPING, "m", attributes))
    written = dict(options(found, "event_source_mappings", "m"))
    assert written.pop("event_source_arn") == attributes["event_source_arn"]
    assert written.pop("function_name") == "worker"
    assert written == expected
    assert not any("left out" in note for note in found.notes)
    found.loaded()


def test_zeros_of_a_stream_that_was_not_asked_about_are_no_settings(tmp_path: Path) -> None:
    """AWS tells a factor of 1 at least; without it, 0 retries would throw records away."""
    found = imported_state(tmp_path, resource(MAPPING, "m", stream(parallelization_factor=0, maximum_retry_attempts=0)))
    assert "maximum_retry_attempts" not in options(found, "event_source_mappings", "m")
    assert any("left out maximum_retry_attempts: 0" in note for note in found.notes)


def test_settings_of_another_source_are_left_out_with_a_note(tmp_path: Path) -> None:
    """Only those that say something."""
    found = imported_state(tmp_path, resource(MAPPING, "m", mapping(bisect_batch_on_function_error=True)))
    assert any("left out bisect_batch_on_function_error" in note for note in found.notes)
    found.loaded()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"event_source_arn": f"arn:aws:kafka:{ACCOUNT}:cluster/c/u-1"}, "Kafka"),
        ({"event_source_arn": "", "self_managed_event_source": [{"endpoints": {"K": "b:9"}}]}, "no ARN of a source"),
        ({"function_name": "", "function_arn": ""}, "its function is not known"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_left_out(tmp_path: Path, attributes: dict[str, object], words: str) -> None:
    """The note says why."""
    found = imported_state(tmp_path, resource(MAPPING, "m", mapping(**attributes)))
    assert any("left out the mapping" in note and words in note for note in found.notes)
    assert "event_source_mappings" not in found.text


def test_code_is_the_folder_that_an_archive_was_made_of(tmp_path: Path) -> None:
    """By the archive's path, or by its hash."""
    (tmp_path / "src").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "app.py").write_text("")
    archives = [
        resource("archive_file", "a", {"output_path": "app.zip", "source_dir": "./src"}, mode="data"),
        resource("archive_file", "b", {"output_base64sha256": "xyz=", "source_file": "one/app.py"}, mode="data"),
    ]
    other = function(function_name="other", arn=f"{WORKER}2", filename="/elsewhere/b.zip", source_code_hash="xyz=")
    found = imported_state(tmp_path, *archives, resource("aws_lambda_function", "other", other))
    assert options(found, "functions", "worker")["code"] == "./src"
    assert options(found, "functions", "other")["code"] == "./one"
    found.loaded()


def test_code_may_be_the_archive_itself_or_what_the_user_names(tmp_path: Path) -> None:
    """An archive runs as it is; --code-folder wins over everything."""
    (tmp_path / "app.zip").write_bytes(b"")
    (tmp_path / "mine").mkdir()
    assert options(imported_state(tmp_path), "functions", "worker")["code"] == "./app.zip"
    chosen = imported(tmp_path, state(FUNCTION), "terraform.tfstate", code_folders={"worker": tmp_path / "mine"})
    assert options(chosen, "functions", "worker")["code"] == "./mine"


def test_what_a_worker_gets_comes_along_and_the_rest_is_said(tmp_path: Path) -> None:
    """Environment, memory, log format; layers and roles are told of."""
    (tmp_path / "app.zip").write_bytes(b"")
    layer = f"arn:aws:lambda:{ACCOUNT}:layer:deps:3"
    attributes = function(
        environment=[{"variables": {"STAGE": "dev", "HOME_URL": "${x}"}}],
        layers=[layer],
        memory_size=512,
        timeout=60,
        reserved_concurrent_executions=7,
        dead_letter_config=[{"target_arn": QUEUE}],
        logging_config=[
            {"log_format": "JSON", "application_log_level": "WARN", "system_log_level": "", "log_group": "/g"}
        ],
    )
    found = imported(tmp_path, state(resource("aws_lambda_function", "worker", attributes)), "terraform.tfstate")
    assert options(found, "functions", "worker") == {
        "code": "./app.zip",
        "handler": "app.handler",
        "timeout": 60,
        "memory_size": 512,
        "concurrency": 7,
        "environment": {"STAGE": "dev", "HOME_URL": "$${x}"},
        "logging_config": {"log_format": "JSON", "application_log_level": "WARN", "log_group": "/g"},
        "dead_letter_config": {"target_arn": QUEUE},
    }
    assert any(layer in note for note in found.notes)
    assert any("roles" in note for note in found.notes)


@pytest.mark.parametrize(
    "marks",
    [
        [[{"type": "get_attr", "value": "environment"}]],
        [
            [
                {"type": "get_attr", "value": "environment"},
                {"type": "index", "value": {"value": 0, "type": "number"}},
                {"type": "get_attr", "value": "variables"},
                {"type": "index", "value": {"value": "DB_PASSWORD", "type": "string"}},
            ]
        ],
    ],
)
def test_a_sensitive_value_of_a_state_is_not_written(tmp_path: Path, marks: list[object]) -> None:
    """It becomes a variable of its own name."""
    (tmp_path / "app.zip").write_bytes(b"")
    attributes = function(environment=[{"variables": {"DB_PASSWORD": "hunter2"}}])
    text = state(resource("aws_lambda_function", "worker", attributes, sensitive_attributes=marks))
    found = imported(tmp_path, text, "terraform.tfstate")
    assert "hunter2" not in found.text
    assert found.variables == ("DB_PASSWORD",)


def test_a_sensitive_value_that_is_shown_is_not_written(tmp_path: Path) -> None:
    """``terraform show -json`` marks it in another way."""
    (tmp_path / "app.zip").write_bytes(b"")
    attributes = function(environment=[{"variables": {"DB_PASSWORD": "hunter2", "STAGE": "dev"}}])
    one = entry("aws_lambda_function", "worker", attributes)
    one["sensitive_values"] = {"environment": [{"variables": {"DB_PASSWORD": True}}]}
    text = json.dumps({"format_version": "1.0", "values": {"root_module": {"resources": [one]}}})
    found = imported(tmp_path, text, "shown.json")
    assert options(found, "functions", "worker")["environment"] == {"DB_PASSWORD": "${DB_PASSWORD}", "STAGE": "dev"}


def test_how_a_function_is_called_stands_with_it(tmp_path: Path) -> None:
    """Its URL and its event invoke config have origins of their own; a URL needs Lambda's API."""
    cors = {
        **{"allow_credentials": False, "allow_headers": None, "allow_methods": ["GET"], "allow_origins": ["*"]},
        **{"expose_headers": [], "max_age": 0},
    }
    url = {
        **{"authorization_type": "NONE", "cors": [cors], "function_name": "worker", "invoke_mode": "BUFFERED"},
        **{"function_arn": WORKER, "qualifier": "", "url_id": "x", "function_url": "https://x"},
    }
    config = {
        **{"function_name": "worker", "maximum_retry_attempts": 0, "maximum_event_age_in_seconds": 60, "id": "worker"},
        **{"destination_config": [{"on_failure": [{"destination": QUEUE}], "on_success": []}], "qualifier": ""},
    }
    found = imported_state(
        tmp_path,
        resource("aws_lambda_function_url", "u", url),
        resource("aws_lambda_function_event_invoke_config", "c", config),
    )
    written = options(found, "functions", "worker")
    assert written["event_invoke_config"] == {
        "maximum_retry_attempts": 0,
        "maximum_event_age_in_seconds": 60,
        "destination_config": {"on_failure": {"destination": QUEUE}},
    }
    assert written["function_url"] == {"auth_type": "NONE", "cors": {"allow_methods": ["GET"], "allow_origins": ["*"]}}
    api = found.loaded().lambda_api
    assert api is not None
    assert (api.region, api.account) == ("eu-west-1", "123456789012")


def test_schedules_of_both_kinds_that_call_a_function(tmp_path: Path) -> None:
    """Others are left out with a note."""
    at_night = {
        **{"name": "nightly", "group_name": "default", "schedule_expression": "cron(0 3 * * ? *)", "state": "DISABLED"},
        **{"schedule_expression_timezone": "Europe/Berlin", "start_date": "", "end_date": "", "kms_key_arn": ""},
        "flexible_time_window": [{"maximum_window_in_minutes": 5, "mode": "FLEXIBLE"}],
        "target": [
            {
                **{"arn": WORKER, "role_arn": "r", "input": '{"a":1}', "dead_letter_config": [], "sqs_parameters": []},
                "retry_policy": [{"maximum_event_age_in_seconds": 86400, "maximum_retry_attempts": 185}],
            }
        ],
    }
    rule = {"name": "often", "schedule_expression": "rate(5 minutes)", "is_enabled": True, "state": "ENABLED"}
    waits = {"name": "waits", "schedule_expression": "", "event_pattern": "{}", "event_bus_name": "default"}
    target = {"rule": "often", "arn": WORKER, "input": "", "event_bus_name": "default", "input_transformer": []}
    at_once = at_night | {"name": "off", "flexible_time_window": [{"maximum_window_in_minutes": 0, "mode": "OFF"}]}
    found = imported_state(
        tmp_path,
        resource("aws_scheduler_schedule", "n", at_night),
        resource("aws_scheduler_schedule", "o", at_once),
        resource("aws_scheduler_schedule", "q", at_night | {"name": "queue", "target": [{"arn": QUEUE}]}),
        resource("aws_cloudwatch_event_rule", "r", rule, waits, keys=[0, 1]),
        resource("aws_cloudwatch_event_target", "t", target, target | {"rule": "waits"}, keys=[0, 1]),
    )
    assert options(found, "schedules", "nightly") == {
        "schedule_expression": "cron(0 3 * * ? *)",
        "schedule_expression_timezone": "Europe/Berlin",
        "function_name": "worker",
        "state": "DISABLED",
        "flexible_time_window": {"maximum_window_in_minutes": 5, "mode": "FLEXIBLE"},
        "input": {"a": 1},
    }
    assert options(found, "schedules", "often") == {
        "event": "rule",
        "schedule_expression": "rate(5 minutes)",
        "function_name": "worker",
    }
    assert any("queue: left out the schedule: its target is no function" in note for note in found.notes)
    assert any("waits: left out the rule" in note for note in found.notes)
    assert "flexible_time_window" not in options(found, "schedules", "off")
    assert len(found.loaded().schedules) == 3


def test_a_qualifier_is_a_function_of_its_own_where_it_is_called_in_aws(tmp_path: Path) -> None:
    """Version and alias count there, and not for code that runs here."""
    found = imported_state(tmp_path, resource(MAPPING, "m", mapping(function_name=f"{WORKER}:live")))
    assert options(found, "functions", "worker-live") == {
        "runtime": "lambda",
        "function_arn": WORKER,
        "qualifier": "live",
    }
    assert options(found, "event_source_mappings", "m")["function_name"] == "worker-live"
    found.loaded()
    (tmp_path / "app.zip").write_bytes(b"")
    local = imported_state(tmp_path, resource(MAPPING, "m", mapping(function_name=f"{WORKER}:live")))
    assert options(local, "event_source_mappings", "m")["function_name"] == "worker"
    assert any("alias live has no effect" in note for note in local.notes)


def test_a_function_that_is_not_in_the_state_is_called_in_aws(tmp_path: Path) -> None:
    """By its ARN; by a variable where only its name is told."""
    found = imported(
        tmp_path,
        state(
            resource(
                MAPPING, "m", mapping(), mapping(function_name="other", event_source_arn=f"{QUEUE}2"), keys=["a", "b"]
            )
        ),
        "terraform.tfstate",
    )
    assert options(found, "functions", "worker")["function_arn"] == WORKER
    assert options(found, "functions", "other")["function_arn"] == "${OTHER_FUNCTION_ARN}"
    assert set(found.loaded().event_source_mappings) == {"m-a", "m-b"}


def test_a_function_that_some_name_and_some_give_the_arn_of_is_one(tmp_path: Path) -> None:
    """As where Terraform only looks it up."""
    config = {"function_name": "worker", "maximum_retry_attempts": 0, "qualifier": ""}
    data = resource("aws_lambda_function", "w", {"arn": WORKER, "function_name": "worker"}, mode="data")
    for parts in ([resource(MAPPING, "m", mapping())], [data]):
        text = state(resource("aws_lambda_function_event_invoke_config", "c", config), *parts)
        found = imported(tmp_path, text, "terraform.tfstate")
        assert list(found.loaded().functions) == ["worker"]
        assert found.variables == ()


def test_a_function_that_is_shut_calls_nothing(tmp_path: Path) -> None:
    """A reserved concurrency of 0 disables what would call it."""
    shut = resource("aws_lambda_function", "worker", function(reserved_concurrent_executions=0))
    found = imported(tmp_path, state(shut, resource(MAPPING, "m", mapping())), "terraform.tfstate")
    assert options(found, "event_source_mappings", "m")["enabled"] is False


def test_modules_and_indexes_make_names(tmp_path: Path) -> None:
    """In both forms alike."""
    inner = resource(
        MAPPING, "m", mapping(), mapping(event_source_arn=f"{QUEUE}2"), module='module.a["x"].module.b', keys=[0, 1]
    )
    found = imported_state(tmp_path, inner)
    assert set(found.loaded().event_source_mappings) == {"a-x-b-m-0", "a-x-b-m-1"}
    child = {
        "address": 'module.a["x"].module.b',
        "resources": [
            entry(MAPPING, "m", mapping(), index=0),
            entry(MAPPING, "m", mapping(event_source_arn=f"{QUEUE}2"), index=1),
        ],
    }
    outer = {"address": 'module.a["x"]', "child_modules": [child]}
    text = shown(("aws_lambda_function", "worker", function()), child_modules=[outer])
    again = imported(tmp_path, text, "shown.json")
    assert set(again.loaded().event_source_mappings) == {"a-x-b-m-0", "a-x-b-m-1"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("terraform.tfstate", state(version=3), "terraform.tfstate:2: found a state of version 3, expected 4"),
        ("terraform.tfstate", '{"version": 4,\n "resources": [}', "terraform.tfstate:2: "),
        ("terraform.tfstate", "[]", "terraform.tfstate:1: found an empty list, expected a state"),
        ("terraform.tfstate", "", "terraform.tfstate:1: found an empty file"),
        ("plan.json", '{"format_version": "2.0", "values": {}}', "plan.json:1: found format_version 2.0, expected 1.x"),
        ("main.tf", 'resource "a" "b" {}', "main.tf:1: found Terraform's own language, expected a state or a plan"),
    ],
)
def test_what_is_no_state_says_so(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """With file and line."""
    with pytest.raises(Unparsable) as caught:
        imported(tmp_path, text, name)
    assert f"{caught.value.place}: {caught.value}".startswith(expected)


def test_a_folder_is_read_by_its_state(tmp_path: Path) -> None:
    """And says what to do where it has none."""
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "main.tf").write_text("")
    with pytest.raises(Unparsable, match="terraform show -json"):
        imported_from(folder, tmp_path)
    (folder / "terraform.tfstate").write_text(state(FUNCTION))
    assert "infra/terraform.tfstate:12" in imported_from(folder, tmp_path).text


@pytest.mark.parametrize("text", ['{"format_version": "1.0"}', state(), shown()])
def test_an_empty_state_gives_an_empty_configuration(tmp_path: Path, text: str) -> None:
    """It is no fault."""
    assert imported(tmp_path, text, "state.json").text.count("\n") == 1


def test_what_else_calls_functions_is_told(tmp_path: Path) -> None:
    """It is not imported."""
    found = imported_state(
        tmp_path,
        resource("aws_sns_topic_subscription", "s", {"protocol": "lambda", "endpoint": WORKER}),
        resource("aws_sns_topic_subscription", "q", {"protocol": "sqs", "endpoint": QUEUE}),
        resource("aws_s3_bucket_notification", "b", {"lambda_function": [{"lambda_function_arn": WORKER}]}),
        resource("aws_apigatewayv2_integration", "a", {"integration_uri": WORKER}),
    )
    told = " ".join(note for note in found.notes if "left out: it calls a function" in note)
    assert all(name in told for name in ("subscription.s", "notification.b", "integration.a"))
    assert "subscription.q" not in told


def test_values_that_a_state_does_not_take_are_refused(tmp_path: Path) -> None:
    """A state has its values."""
    with pytest.raises(ConfigError, match="found --parameter stage, expected none"):
        imported(tmp_path, state(FUNCTION), "terraform.tfstate", parameters={"stage": "x"})


JUNK = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 1.5, "", "x", WORKER, QUEUE, STREAM, TABLE, "rate(1 day)", "${x}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*mapping(), *function(), "target"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        *("aws_lambda_function", MAPPING, "aws_scheduler_schedule", "aws_cloudwatch_event_rule"),
        *("aws_cloudwatch_event_target", "aws_lambda_function_url", "aws_lambda_function_event_invoke_config"),
        *("archive_file", "aws_lambda_alias"),
    ]
)
NAMES = st.sampled_from(sorted({*mapping(), *function(), "rule", "name", "arn", "schedule_expression", "target"}))
RESOURCES = st.lists(st.tuples(KINDS, st.dictionaries(NAMES, JUNK, max_size=8)), max_size=5)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RESOURCES)
def test_whatever_a_state_holds_it_is_read_or_refused_in_words(
    tmp_path: Path, resources: list[tuple[str, dict[str, object]]]
) -> None:
    """Twice the same bytes, and never a traceback."""
    parts = [resource(kind, f"r{number}", values) for number, (kind, values) in enumerate(resources)]
    try:
        found = imported(tmp_path, state(*parts), "terraform.tfstate")
        assert imported(tmp_path, state(*parts), "terraform.tfstate").text == found.text
    except (Unparsable, ConfigError):
        pass
