"""What SQS declares that depends on a mapping's settings."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import SqsMapping
from pollers.sources.registry import traced
from pollers.sources.sqs.kind import SQS

ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


def mapping(arn: str = ARN, **settings: Any) -> SqsMapping:  # noqa: ANN401 - the mapping's own
    """A queue's mapping."""
    return SqsMapping.model_validate({"name": "m", "event_source_arn": arn, "function_name": "work", **settings})


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, None),
        ({"scaling_config": {"maximum_concurrency": 7}}, 7),
        ({"provisioned_poller_config": {"minimum_pollers": 2, "maximum_pollers": 3}}, 30),
        ({"provisioned_poller_config": {}}, 2_000),
    ],
)
def test_the_limit_of_concurrency(settings: dict[str, Any], limit: int | None) -> None:
    """Its own, or ten for each provisioned poller (docs/lambda 2.3)."""
    assert SQS.polling.concurrency_limit(mapping(**settings)) == limit


@pytest.mark.parametrize(("arn", "form", "label"), [(ARN, "sqs", "SQS"), (ARN + ".fifo", "sqs-fifo", "SQS FIFO")])
def test_a_fifo_queue_is_shown_as_one(arn: str, form: str, label: str) -> None:
    """In the status document and on the console."""
    assert (SQS.names.form(mapping(arn)), SQS.names.label(mapping(arn))) == (form, label)


def test_a_queue_is_traced_by_its_name() -> None:
    """Without what an ARN has around it."""
    names = traced(mapping())
    assert (names.system, names.source, names.region) == ("aws_sqs", "orders", "us-east-1")
