"""How ``headrace check --online`` checks destinations: those of mappings, of functions, and dead-letter queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from config import parse_arn
from pollers.aws.errors import AwsError
from pollers.aws.findings import Finding, Level, fault_of
from pollers.destinations.batches import make_destination
from pollers.destinations.dead_letters import DEAD_LETTER, SCHEDULE_DEAD_LETTER
from pollers.destinations.destination import DestinationUnusable, Purpose, Ways, make
from pollers.destinations.own_functions import is_own
from pollers.destinations.reporting import ON_FAILURE, ON_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.models import Config
    from pollers.aws.api import Aws

ANSWER_SECONDS = 20.0
AT_ONCE = 8


async def examine_destination(arn: str, aws: Aws, *, mapping: str, event_source_arn: str) -> Finding:
    """Whether the destination exists. Raises :class:`pollers.aws.errors.AwsError` for errors that may be temporary."""
    try:
        destination = await make_destination(arn, aws, mapping=mapping, event_source_arn=event_source_arn)
        warning = await destination.check()
    except DestinationUnusable as unusable:
        return Finding(mapping, Level.FAULT, str(unusable), f"create {arn}, or allow its use")
    if warning is not None:
        return Finding(mapping, Level.NOTE, warning, "make sure that it exists and may be written to")
    return Finding(mapping, Level.OK, f"the on-failure destination {arn} is there")


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom ``owner``, a function or a schedule, tells of what it did, and for how long a delivery is tried."""

    owner: str
    arn: str
    purpose: Purpose[Any]
    tried: str = "six hours"


def _targets(config: Config) -> Iterator[_Target]:
    for name, function in config.functions.items():
        invoke = function.event_invoke_config
        for arn, purpose in (
            (invoke.on_success, ON_SUCCESS),
            (invoke.on_failure, ON_FAILURE),
            (function.dead_letter_config.target_arn, DEAD_LETTER),
        ):
            if arn:
                yield _Target(f"function {name}", arn, purpose)
    for name, schedule in config.schedules.items():
        if schedule.dead_letter_config.arn:
            tried = f"{schedule.retry_policy.maximum_event_age_in_seconds} s"
            yield _Target(f"schedule {name}", schedule.dead_letter_config.arn, SCHEDULE_DEAD_LETTER, tried)


async def examine_targets(config: Config, aws: Aws, arn_of: Callable[[str], str]) -> list[Finding]:
    """What AWS says of the destinations and dead-letter queues of functions and schedules. Never raises for what AWS answers.

    ``arn_of`` gives the ARN of a function that runs here: such a destination is there.
    """
    ways = Ways(aws, config.api_region or config.aws.region or "")
    targets = list(_targets(config))
    found: dict[int, Finding] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def look(place: int, target: _Target) -> None:
        async with limit:
            found[place] = await _examined(target, ways)

    async with anyio.create_task_group() as group:
        for place, target in enumerate(targets):
            if is_own(target.arn, config.functions, arn_of):
                found[place] = Finding(
                    target.owner, Level.OK, f"the {target.purpose.use.called} function {target.arn} runs here"
                )
            else:
                group.start_soon(look, place, target)
    return [found[place] for place in range(len(targets))]


async def _examined(target: _Target, ways: Ways) -> Finding:
    """A target that is missing is no fault: the function runs, and what it tells waits for its target."""
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            warning = await (await make(target.arn, target.purpose, ways)).check()
    except DestinationUnusable as unusable:
        fix = f"what cannot be delivered to it is tried for {target.tried}, and then lost"
        return Finding(target.owner, Level.NOTE, str(unusable), fix)
    except AwsError as error:
        return fault_of(target.owner, parse_arn(target.arn), error)
    except TimeoutError:
        what = f"AWS did not answer within {ANSWER_SECONDS:g} s about {target.arn}"
        return Finding(target.owner, Level.FAULT, what, "check region, endpoint_url and the network")
    if warning is not None:
        return Finding(target.owner, Level.NOTE, warning, "make sure that it exists and may be written to")
    return Finding(target.owner, Level.OK, f"the {target.purpose.use.called} target {target.arn} is there")
