"""What ``headrace check --online`` says of destinations and dead-letter queues of functions and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from config.loading import load
from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, NotFound
from pollers.aws.findings import Level
from pollers.destinations.checking import examine_targets
from tests.unit.destinations.cloud import Cloud

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import Config
    from pollers.aws.api import Aws

ACCOUNT = "us-east-1:000000000000"
TEXT = f"""
lambda_api: {{}}
functions:
  orders:
    handler: app.handler
    code: .
    event_invoke_config:
      destination_config:
        on_success: {{destination: "arn:aws:lambda:{ACCOUNT}:function:audit"}}
        on_failure: {{destination: "arn:aws:s3:::failed"}}
    dead_letter_config: {{target_arn: "arn:aws:sns:{ACCOUNT}:dead"}}
  audit: {{handler: app.handler, code: .}}
  plain: {{handler: app.handler, code: .}}
schedules:
  nightly:
    schedule_expression: rate(1 day)
    function_name: orders
    dead_letter_config: {{arn: "arn:aws:sqs:{ACCOUNT}:schedules-dead"}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Two functions, one of them the other's destination; a schedule."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    file = tmp_path / "headrace.yaml"
    file.write_text(TEXT)
    return load(file).config


def arn_of(name: str) -> str:
    """As functions are known where Lambda's API is served."""
    return f"arn:aws:lambda:{ACCOUNT}:function:{name}"


async def told(config: Config, cloud: Cloud) -> list[tuple[str, Level, str]]:
    """Of what, how bad, and what was found."""
    found = await examine_targets(config, cast("Aws", cloud), arn_of)
    return [(one.mapping, one.level, one.what) for one in found]


async def test_targets_that_are_there_are_told_with_their_owner(config: Config) -> None:
    """In the order of the configuration; a function that runs here is not asked for at AWS."""
    cloud = Cloud()
    assert await told(config, cloud) == [
        ("function orders", Level.OK, f"the on-success function {arn_of('audit')} runs here"),
        ("function orders", Level.OK, "the on-failure target arn:aws:s3:::failed is there"),
        ("function orders", Level.OK, f"the dead-letter target arn:aws:sns:{ACCOUNT}:dead is there"),
        ("schedule nightly", Level.OK, f"the dead-letter target arn:aws:sqs:{ACCOUNT}:schedules-dead is there"),
    ]


@pytest.mark.parametrize("error", [NotFound("NoSuch", "none"), AccessDenied("AccessDenied", "no")])
async def test_a_missing_target_is_a_warning(config: Config, error: AwsError) -> None:
    """The function runs all the same; what it tells waits."""
    found = await examine_targets(config, cast("Aws", Cloud(error=error)), arn_of)
    assert [one.level for one in found] == [Level.OK, Level.NOTE, Level.NOTE, Level.NOTE]
    assert all("s3:::failed" in one.what or ACCOUNT in one.what for one in found)
    assert all(one.fix for one in found[1:])


async def test_of_a_missing_target_is_said_what_becomes_of_what_it_should_have(config: Config) -> None:
    """A schedule tries for as long as its retry policy says."""
    found = await examine_targets(config, cast("Aws", Cloud(error=NotFound("NoSuch", "none"))), arn_of)
    assert [one.fix for one in found[1:]] == [
        f"what cannot be delivered to it is tried for {tried}, and then lost"
        for tried in ("six hours", "six hours", "86400 s")
    ]


async def test_what_keeps_aws_from_answering_is_a_fault(config: Config) -> None:
    """As for mappings."""
    found = await examine_targets(config, cast("Aws", Cloud(error=CredentialsExpired("ExpiredToken"))), arn_of)
    assert [one.level for one in found] == [Level.OK, Level.FAULT, Level.FAULT, Level.FAULT]
