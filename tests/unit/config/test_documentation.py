"""The examples of docs/configuration.md load and mean what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import yaml

from config import load
from config.schema import json_schema

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


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


def test_every_example_of_the_documentation_loads(folder: Folder) -> None:
    """Without a fault and without a note, and the schema agrees."""
    prepared(folder)
    blocks = yaml_blocks(DOCUMENT)

    assert len(blocks) >= 2
    for text in blocks:
        loaded = folder.load(text)
        assert not loaded.notes
        jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(text))


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


def test_loading_twice_gives_equal_configurations(folder: Folder) -> None:
    """A reload compares models to see what changed."""
    prepared(folder)
    folder.load(yaml_blocks(DOCUMENT)[0])
    file = folder.path / "headrace.yaml"

    assert load(file, environ={}).config == load(file, environ={}).config
