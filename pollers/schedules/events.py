"""The event of a run: the input with its keywords replaced, or the default event (docs/lambda 14.2, 14.3). A decider."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config import partition_of
from pollers.schedules.deciding import instant
from pollers.schedules.identity import event_id, execution_id

if TYPE_CHECKING:
    from config.models import Config, Schedule

DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT = "000000000000"
"""What events name where neither Lambda's API nor AWS is configured."""
_KEYWORD = re.compile(r"<aws\.scheduler\.(schedule-arn|scheduled-time|execution-id|attempt-number)>")


@dataclass(frozen=True, slots=True)
class Home:
    """The region and the account that schedules and functions are said to be in."""

    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """An ARN of something there."""
        return f"arn:{partition_of(self.region)}:{service}:{self.region}:{self.account}:{resource}"


def home_of(config: Config) -> Home:
    """Those of Lambda's API where it is served, so that all ARNs agree."""
    account = config.lambda_api.account if config.lambda_api is not None else DEFAULT_ACCOUNT
    return Home(config.api_region or config.aws.region or DEFAULT_REGION, account)


def schedule_arn(schedule: Schedule, home: Home) -> str:
    """The schedule's ARN, or the rule's."""
    if schedule.of_rule:
        return home.arn("events", f"rule/{schedule.name}")
    return home.arn("scheduler", f"schedule/{schedule.group_name}/{schedule.name}")


def scheduled_time(due: int) -> str:
    """A due time as events and inputs have it."""
    return f"{instant(due):%Y-%m-%dT%H:%M:%SZ}"


def event_of(schedule: Schedule, due: int, attempt: int, home: Home) -> bytes:
    """The event of the run that is due at ``due``. ``attempt``, from 1, counts hand-overs of it."""
    if schedule.input is None:
        return _default_event(schedule, due, home)
    if schedule.of_rule:
        return schedule.input.encode()
    words = {
        "schedule-arn": schedule_arn(schedule, home),
        "scheduled-time": scheduled_time(due),
        "execution-id": execution_id(schedule.name, due),
        "attempt-number": str(attempt),
    }
    return _KEYWORD.sub(lambda found: words[found[1]], schedule.input).encode()


def _default_event(schedule: Schedule, due: int, home: Home) -> bytes:
    """That of a rule has an object as detail, that of a schedule the text of one."""
    event = {
        "version": "0",
        "id": event_id(schedule.name, due),
        "detail-type": "Scheduled Event",
        "source": "aws.events" if schedule.of_rule else "aws.scheduler",
        "account": home.account,
        "time": scheduled_time(due),
        "region": home.region,
        "resources": [schedule_arn(schedule, home)],
        "detail": {} if schedule.of_rule else "{}",
    }
    return json.dumps(event, separators=(",", ":")).encode()
