"""What can be said of the Helm chart without Helm: versions, values, their schema, and the names that it shares with the code."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft7Validator

from pollers.status.gauges import SIZING
from pollers.telemetry.families import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "headrace"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
DOCUMENT = (ROOT / "docs" / "kubernetes.md").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TEMPLATES = "\n".join(file.read_text() for file in sorted((CHART / "templates").iterdir()))


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value that has no values below."""
    for name, value in values.items():
        if isinstance(value, dict) and value and (*path, name) not in WHOLE:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


WHOLE = {("rollingUpdate",), ("podSecurityContext",), ("securityContext",)}
"""Values that the templates take as they are."""


def test_the_chart_is_of_this_version() -> None:
    """The application's version is the distribution's."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == chart["version"] == project["version"]


def test_the_values_keep_to_their_schema_and_it_knows_each() -> None:
    """And a value that is misspelt is a fault, on every level that the chart defines."""
    Draft7Validator.check_schema(SCHEMA)
    assert [fault.message for fault in Draft7Validator(SCHEMA).iter_errors(VALUES)] == []
    assert VALUES.keys() == SCHEMA["properties"].keys() - {"global"}
    for name, section in SCHEMA["properties"].items():
        if "properties" in section:
            assert section["additionalProperties"] is False, name
            if isinstance(VALUES.get(name), dict):
                assert VALUES[name].keys() == section["properties"].keys(), name


def test_every_value_is_used_and_every_use_has_a_value() -> None:
    """By its path, or by one of the short names that templates give to sections."""
    text = TEMPLATES
    for short, long in (("$scaling", "autoscaling"), ("$configuration", "configuration"), ("$values", "")):
        text = text.replace(f"{short}.", f".Values.{long}." if long else ".Values.")
    used = {tuple(path.split(".")) for path in re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", text)}
    known = set(leaves(VALUES))
    assert {path for path in known if not any(path[: len(one)] == one for one in used)} == set()
    assert {one for one in used if not any(path[: len(one)] == one for path in known)} == set()


def test_the_numbers_that_it_scales_on_are_served() -> None:
    """The names in /api/scaling and in /metrics."""
    places = set(re.findall(r"valueLocation: (\w+)", TEMPLATES))
    assert places == {"backlog_seconds", "utilisation"} <= {name for _, _, name in SIZING}
    assert set(re.findall(rf"{PREFIX}\w+", TEMPLATES)) <= {PREFIX + family.name for _, family, _ in SIZING}


def test_no_container_runs_as_root_or_writes_to_its_root() -> None:
    """Before anybody changes a value; the user is the image's."""
    user = VALUES["podSecurityContext"]["runAsUser"]
    assert f"USER {user}:{VALUES['podSecurityContext']['runAsGroup']}" in (ROOT / "Dockerfile").read_text()
    assert VALUES["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_rule_that_matters_most_is_the_first_that_is_read() -> None:
    """In the values and in the document: what two replicas do with checkpoints in SQLite."""
    said = "Two replicas with checkpoints in SQLite process every stream record twice"
    assert said in (CHART / "values.yaml").read_text()[:600]
    assert said in DOCUMENT[:200]
    assert "process every stream record twice" in (ROOT / "docs" / "checkpoints.md").read_text()[:200]


def test_the_policy_of_the_document_permits_what_the_table_of_permissions_lists() -> None:
    """For the sources of the example and for the table, on its indexes too."""
    policy = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])
    table = (ROOT / "docs" / "operations.md").read_text()
    listed = {"sqs": "SQS", "kinesis": "Kinesis", "dynamodb": "checkpoints in DynamoDB"}
    for statement in policy["Statement"]:
        service = statement["Action"][0].partition(":")[0]
        [row] = [line for line in table.splitlines() if re.match(rf"\| {listed[service]}[^|]* \| `", line)]
        assert sorted(statement["Action"]) == sorted(f"{service}:{action}" for action in re.findall(r"`(\w+)`", row))
    assert any(resource.endswith("/index/*") for resource in policy["Statement"][-1]["Resource"])
