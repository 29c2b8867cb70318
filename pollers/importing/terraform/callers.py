"""What else calls functions in a state, and is not imported: the user should know of it. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pollers.importing.model import Imported
    from pollers.importing.terraform.resources import Resource
    from pollers.importing.values import Value

_TO_QUEUE = "let the service send to a queue, or call Lambda's API"
_BY_REQUEST = "call it by its URL or Lambda's API"
_Values = dict[str, "Value"]


def _integrates(values: _Values) -> bool:
    return any(":lambda:" in str(values.get(name)) for name in ("uri", "integration_uri"))


_CALLERS: dict[str, tuple[Callable[[_Values], bool], str]] = {
    "aws_sns_topic_subscription": (lambda values: values.get("protocol") == "lambda", _TO_QUEUE),
    "aws_s3_bucket_notification": (lambda values: bool(values.get("lambda_function")), _TO_QUEUE),
    "aws_cloudwatch_log_subscription_filter": (
        lambda values: ":lambda:" in str(values.get("destination_arn")),
        _TO_QUEUE,
    ),
    "aws_api_gateway_integration": (_integrates, _BY_REQUEST),
    "aws_apigatewayv2_integration": (_integrates, _BY_REQUEST),
    "aws_pipes_pipe": (lambda values: ":lambda:" in str(values.get("target")), _TO_QUEUE),
}


def note_other_callers(imported: Imported, resources: Iterable[Resource]) -> None:
    """Add a note on each resource that calls a function in a way that is not imported."""
    for resource in resources:
        calls, how = _CALLERS.get(resource.type, (None, ""))
        if calls is not None and calls(resource.values):
            message = f"left out: it calls a function, and is no source that Headrace reads; {how}"
            imported.note(resource.place, resource.address, message)
