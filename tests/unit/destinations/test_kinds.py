"""Every kind of destination, looked at before it is needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest

from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused, Unavailable
from pollers.destinations import DestinationUnusable, OwnFunctions, Ways
from pollers.destinations.batches import BATCH_FAILURE
from pollers.destinations.dead_letters import DEAD_LETTER, SCHEDULE_DEAD_LETTER
from pollers.destinations.destination import make
from pollers.destinations.reporting import ON_FAILURE, ON_SUCCESS
from tests.unit.destinations.cloud import Cloud

if TYPE_CHECKING:
    from pollers.aws.api import Aws

ACCOUNT = "us-east-1:000000000000"
ARNS = {
    "queue": f"arn:aws:sqs:{ACCOUNT}:failed",
    "topic": f"arn:aws:sns:{ACCOUNT}:failed",
    "bucket": "arn:aws:s3:::failed",
    "function": f"arn:aws:lambda:{ACCOUNT}:function:audit",
    "bus": f"arn:aws:events:{ACCOUNT}:event-bus/failed",
}


def ways(cloud: Cloud) -> Ways:
    """To these services."""
    return Ways(cast("Aws", cloud), "us-east-1")


@pytest.mark.parametrize("noun", ARNS)
async def test_one_that_is_there_can_be_used(noun: str) -> None:
    """Nothing is delivered by looking."""
    cloud = Cloud()
    destination = await make(ARNS[noun], ON_FAILURE, ways(cloud))
    assert await destination.check() is None
    assert destination.arn == ARNS[noun]
    assert cloud.deliveries == 0


@pytest.mark.parametrize("noun", ARNS)
@pytest.mark.parametrize("error", [NotFound("NoSuchThing", "none"), Refused("InvalidAddress", "no")])
async def test_one_that_is_missing_is_told_with_what_to_do(noun: str, error: AwsError) -> None:
    """What it is for, its ARN, the service's words, and the setting that names it."""
    destination = await make(ARNS[noun], ON_FAILURE, ways(Cloud(error=error)))
    words = rf"the on-failure {noun} {re.escape(ARNS[noun])} cannot be used \(.*{error.code}.*create it, or correct "
    with pytest.raises(DestinationUnusable, match=words + "event_invoke_config.destination_config"):
        await destination.check()


@pytest.mark.parametrize("noun", sorted(ARNS.keys() - {"bucket"}))
async def test_one_that_may_not_be_looked_at_may_be_there(noun: str) -> None:
    """The permission to deliver does not include the permission to look."""
    destination = await make(ARNS[noun], ON_FAILURE, ways(Cloud(look=AccessDenied("AccessDenied", "no"))))
    warning = await destination.check()
    assert warning is not None
    assert warning.startswith(f"whether the on-failure {noun} {ARNS[noun]} exists cannot be asked")


@pytest.mark.parametrize("noun", ARNS)
async def test_a_lost_connection_says_nothing_of_a_destination(noun: str) -> None:
    """Whoever looks, looks again."""
    destination = await make(ARNS[noun], ON_FAILURE, ways(Cloud(error=Unavailable("ConnectionClosed"))))
    with pytest.raises(Unavailable):
        await destination.check()


async def test_a_function_that_runs_here_is_there() -> None:
    """Nobody is asked."""

    class Own:
        def has(self, function_arn: str) -> bool:
            return True

        async def accept(self, function_arn: str, event: bytes) -> None: ...

    cloud, own = Cloud(), cast("OwnFunctions", Own())
    destination = await make(ARNS["function"], ON_SUCCESS, Ways(cast("Aws", cloud), "us-east-1", own))
    assert await destination.check() is None
    assert cloud.looks == 0


@pytest.mark.parametrize(
    ("purpose", "taken"),
    [
        (BATCH_FAILURE, {"queue", "topic", "bucket"}),
        (ON_SUCCESS, {"queue", "topic", "function", "bus"}),
        (ON_FAILURE, {"queue", "topic", "function", "bus", "bucket"}),
        (DEAD_LETTER, {"queue", "topic"}),
        (SCHEDULE_DEAD_LETTER, {"queue"}),
    ],
    ids=lambda value: value.plural if hasattr(value, "plural") else "",
)
async def test_each_use_has_its_kinds(purpose: object, taken: set[str]) -> None:
    """As on Lambda; for any other ARN the message names the kinds that there are, and the setting."""
    for noun, arn in ARNS.items():
        if noun in taken:
            await make(arn, purpose, ways(Cloud()))  # type: ignore[arg-type]
        else:
            with pytest.raises(DestinationUnusable, match=f"found '{arn}', expected the ARN of a standard SQS queue"):
                await make(arn, purpose, ways(Cloud()))  # type: ignore[arg-type]
