"""Which of the lines that a function prints are metrics in CloudWatch's embedded format."""

from __future__ import annotations

import pytest

from handlers.logs.embedded_metrics import is_embedded_metric

METRIC = (
    '{"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"orders","Dimensions":[["service"]],'
    '"Metrics":[{"Name":"time","Unit":"Milliseconds"}]}]},"service":"a","time":100}'
)


def test_a_metric_is_one() -> None:
    """As Amazon's specification has it."""
    assert is_embedded_metric(METRIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        METRIC[:-1],
        f"[{METRIC}]",
        f"INFO {METRIC}",
        '{"_aws":{"Timestamp":1},"CloudWatchMetrics":[]}',
        '{"_aws":{"CloudWatchMetrics":"x"}}',
        '{"_aws":["CloudWatchMetrics"]}',
        '{"message":"\\"_aws\\" \\"CloudWatchMetrics\\""}',
        '{"CloudWatchMetrics":' + "[" * 5000,
    ],
)
def test_other_lines_are_none(text: str) -> None:
    """However alike they are."""
    assert not is_embedded_metric(text)
