"""An account in memory, for tests: replies by operation and parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pollers.aws.errors import AwsError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "eu-west-1:123456789012"
WORKER = f"arn:aws:lambda:{ACCOUNT}:function:worker"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:jobs"
STREAM = f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"


@dataclass
class Service:
    """Answers what was written down, and refuses what was not as AWS does. ``failures`` come first, one for each call."""

    replies: dict[tuple[str, ...], Any] = field(default_factory=dict)
    failures: list[AwsError] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def reply(self, operation: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """See :class:`pollers.importing.account.calls.Calls`."""
        key = (operation, *(parameters[name] for name in sorted(parameters)))
        self.asked.append(key)
        if self.failures:
            raise self.failures.pop(0)
        if key not in self.replies:
            raise NotFound("ResourceNotFoundException", "no such thing", status=404, operation=operation)
        found = self.replies[key]
        if isinstance(found, AwsError):
            raise found
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def mapping(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - the API's
    """A mapping as the API lists it."""
    return {
        **{"UUID": "u1", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": QUEUE},
        **{"FunctionArn": WORKER, "LastModified": 1.5, "State": "Enabled", "StateTransitionReason": "USER_INITIATED"},
        **{"FunctionResponseTypes": [], "EventSourceMappingArn": f"arn:aws:lambda:{ACCOUNT}:event-source-mapping:u1"},
    } | members


def stream(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - the API's
    """A mapping of a stream as the API lists it."""
    return mapping(
        **{
            **{"EventSourceArn": STREAM, "BatchSize": 100, "StartingPosition": "LATEST", "ParallelizationFactor": 1},
            **{"MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1, "BisectBatchOnFunctionError": False},
            **{"TumblingWindowInSeconds": 0, "DestinationConfig": {"OnFailure": {}}, "LastProcessingResult": "OK"},
        }
        | members
    )


def function(name: str = "worker", **members: Any) -> dict[str, Any]:  # noqa: ANN401 - the API's
    """A function as GetFunction shows it."""
    configuration = {
        **{"FunctionName": name, "FunctionArn": WORKER.replace("worker", name), "Runtime": "python3.12"},
        **{"Handler": "app.handler", "Timeout": 30, "MemorySize": 256, "PackageType": "Zip", "Role": "r"},
        **{"LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/worker"}, "State": "Active"},
    }
    return {"Configuration": configuration | members, "Code": {"RepositoryType": "S3", "Location": "https://x"}}


def account(*mappings: dict[str, Any]) -> Service:
    """A service with these mappings on one page, and one function."""
    found = Service({("ListEventSourceMappings",): {"EventSourceMappings": list(mappings)}})
    found.replies["GetFunction", WORKER] = function()
    return found
