"""The JSON Schema and the option table say what the loader does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from config import Config, ConfigError, Loaded, load
from config.reference import BEGIN, END, main, option_table, with_table
from config.schema import json_schema
from tests.unit.config.test_pasted import SQS_REPLY, STREAM_REPLY, TERRAFORM
from tests.unit.config.test_properties import configurations, load_text, stream_settings

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "configuration.md"
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def yaml_blocks(file: Path) -> list[str]:
    """The YAML examples of a Markdown file."""
    return re.findall(r"^```yaml\n(.*?)^```", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def prepared(folder: Folder) -> Folder:
    """The folder with everything that the documentation's examples name."""
    for name, module in (("orders", "app"), ("audit", "audit"), ("thumbs", "thumbs")):
        (folder.path / "functions" / name).mkdir(parents=True)
        (folder.path / "functions" / name / f"{module}.py").write_text("")
    bootstrap = folder.path / "functions" / "thumbs" / "bootstrap"
    bootstrap.write_text("#!/bin/sh\n")
    bootstrap.chmod(0o755)
    return folder


def test_the_schema_is_a_schema() -> None:
    """Of draft 2020-12, and JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


def test_every_example_of_the_documentation_loads(folder: Folder) -> None:
    """Without a fault and without a note, and the schema agrees."""
    prepared(folder)
    blocks = yaml_blocks(DOCUMENT)

    assert len(blocks) >= 2
    for text in blocks:
        loaded = folder.load(text)
        assert not loaded.notes
        VALIDATOR.validate(yaml.safe_load(text))


def test_the_first_example_means_what_it_says(folder: Folder) -> None:
    """The example that shows everything: each of its values reaches the models."""
    prepared(folder)

    config = folder.load(yaml_blocks(DOCUMENT)[0]).config

    assert list(config.functions) == ["orders", "audit", "thumbs", "billing", "legacy"]
    orders, clicks = config.event_source_mappings.values()
    assert orders.model_dump(mode="json") == {
        "name": "orders-queue",
        "event_source_arn": "arn:aws:sqs:us-east-1:000000000000:orders",
        "function_name": "orders",
        "enabled": True,
        "batch_size": 100,
        "maximum_batching_window_in_seconds": 5,
        "function_response_types": ["ReportBatchItemFailures"],
        "filter_criteria": {"filters": [{"pattern": '{"body":{"type":["created"]}}'}]},
        "scaling_config": {"maximum_concurrency": 20},
        "provisioned_poller_config": None,
        "visibility": {"heartbeat": True, "retry_delay": None, "long_poll_seconds": 20},
    }
    assert clicks.model_dump(mode="json") == {
        "name": "clicks",
        "event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
        "function_name": "audit",
        "enabled": True,
        "batch_size": 100,
        "maximum_batching_window_in_seconds": 0,
        "function_response_types": [],
        "filter_criteria": {"filters": []},
        "starting_position": "TRIM_HORIZON",
        "starting_position_timestamp": None,
        "parallelization_factor": 4,
        "maximum_record_age_in_seconds": -1,
        "maximum_retry_attempts": 3,
        "bisect_batch_on_function_error": True,
        "tumbling_window_in_seconds": 0,
        "destination_config": {"on_failure": {"destination": "arn:aws:sqs:us-east-1:000000000000:clicks-failed"}},
    }


@pytest.mark.parametrize(
    "mapping",
    [
        SQS_REPLY,
        STREAM_REPLY,
        TERRAFORM,
        {"Type": "AWS::Lambda::EventSourceMapping", "Properties": SQS_REPLY},
        SQS_REPLY | {"BatchSize": "${SIZE:-5}", "Tags": {"a": "b"}, "StartingPosition": None},
    ],
)
def test_the_schema_takes_pasted_mappings(folder: Folder, mapping: dict[str, Any]) -> None:
    """As the loader does."""
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "event_source_mappings": {"m": mapping},
    }

    folder.load(json.dumps(document), "headrace.json")
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"batchsize": 1},
        {"batch_size": "5"},
        {"starting_position": "LATEST"},
        {"Topics": ["t"]},
        {"scaling_config": {"maximum_concurrency": 1}},
        {"destination_config": {"on_success": {"destination": "x"}}},
        {"function_name": None},
        {"event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(folder: Folder, change: dict[str, Any]) -> None:
    """As far as it can tell without files and environment."""
    mapping = {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:q", "function_name": "orders"} | change
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "event_source_mappings": {"m": mapping},
    }

    with pytest.raises(ConfigError):
        folder.load(json.dumps(document), "headrace.json")
    assert not VALIDATOR.is_valid(document)


@settings(max_examples=100)
@given(
    configurations
    | stream_settings().map(
        lambda m: {"functions": {"orders": {"code": ".", "handler": "app.handler"}}, "event_source_mappings": {"m": m}}
    )
)
def test_the_schema_takes_whatever_the_loader_takes(document: dict[str, Any]) -> None:
    """An editor must not mark as wrong what works."""
    if isinstance(load_text(json.dumps(document), "headrace.json", {"A": "x"}), Loaded):
        VALIDATOR.validate(document)


def test_every_option_has_a_description() -> None:
    """In the schema, and so in the table."""

    def described(schema: dict[str, Any]) -> bool:
        return all(
            part.get("description")
            for part in schema.get("properties", {}).values()
            if "$ref" not in part and "enum" not in part
        )

    assert described(SCHEMA)
    assert all(described(definition) for name, definition in SCHEMA["$defs"].items() if name != "Mapping")


def test_the_option_table_is_up_to_date() -> None:
    """``python -m config.reference --write docs/configuration.md`` repairs it."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert text == with_table(text)


def test_the_option_table_has_every_option() -> None:
    """Nothing in the models is left out."""
    table = option_table()

    for name in Config.model_fields:
        assert f"**`{name}" in table
    for option in (
        "`http.token`",
        "`endpoint_urls.lambda`",
        "`filter_criteria.filters[].pattern`",
        "`visibility.retry_delay.maximum`",
    ):
        assert f"| {option} |" in table
    assert "| `batch_size` | integer | SQS: `10`; streams: `100` | 1 to 10000 | all |" in table


def test_the_table_is_written_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nowhere else; a file without marks is refused."""
    file = tmp_path / "x.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    main(["--write", str(file)])
    main([])

    assert file.read_text() == f"before\n{BEGIN}\n{option_table()}{END}\nafter\n"
    assert capsys.readouterr().out == option_table()
    with pytest.raises(ValueError, match="no <!-- options:begin -->"):
        with_table("nothing")


def test_loading_twice_gives_equal_configurations(folder: Folder) -> None:
    """A reload compares models to see what changed."""
    prepared(folder)
    folder.load(yaml_blocks(DOCUMENT)[0])
    file = folder.path / "headrace.yaml"

    assert load(file, environ={}).config == load(file, environ={}).config
