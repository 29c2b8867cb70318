"""``runtime: lambda``, functions in AWS: what is refused before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


ARN = "arn:aws:lambda:us-east-1:000000000000:function:billing"


REFUSED = [
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
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_function_in_aws_can_be_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)
