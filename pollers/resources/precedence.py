"""What counts of a function: what its configuration gives, else what the API made. Deciders."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.models import EventInvokeConfig
from pollers.resources.made import Invoking, Seen, Url

if TYPE_CHECKING:
    from config.models import FunctionModel
    from pollers.resources.made import Made

EVENT_INVOKE_CONFIG = "event_invoke_config"
FUNCTION_URL = "function_url"
OPTIONS = (EVENT_INVOKE_CONFIG, FUNCTION_URL)
"""Options of a function that the API has too."""
FUNCTION = "function"
"""What the function as a whole is remembered under."""
_LAMBDAS_OWN = EventInvokeConfig()
"""What counts where nobody said anything. Made once: settings are asked for several times an event."""


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """How a function is invoked now, whoever said so. ``dead_letters``: ARN of the dead-letter queue or topic.

    ``reserved``: reserved concurrency, None for none. ``allows_recursion``: no chain of invocations is stopped.
    """

    maximum_retry_attempts: int
    maximum_event_age_seconds: int
    on_success: str | None
    on_failure: str | None
    dead_letters: str | None
    url: Url | None
    reserved: int | None = None
    allows_recursion: bool = False


def settled(model: FunctionModel | None, made: Made) -> FunctionSettings:
    """The settings that count. Without a ``model`` (the function has left the configuration) those that the API made."""
    invoking = invoking_of(model, made)
    config = invoking.config if invoking is not None else _LAMBDAS_OWN
    return FunctionSettings(
        maximum_retry_attempts=config.maximum_retry_attempts,
        maximum_event_age_seconds=config.maximum_event_age_in_seconds,
        on_success=config.on_success,
        on_failure=config.on_failure,
        dead_letters=(model.dead_letter_config.target_arn or None) if model is not None else None,
        url=url_of(model, made),
        reserved=made.reserved,
        allows_recursion=made.recursion == "Allow",
    )


def gives(model: FunctionModel | None, option: str) -> bool:
    """Whether the configuration gives an option of the function."""
    return model is not None and option in model.model_fields_set and getattr(model, option) is not None


def invoking_of(model: FunctionModel | None, made: Made) -> Invoking | None:
    """The event invoke config that counts; None where nobody said anything."""
    if model is None or not gives(model, EVENT_INVOKE_CONFIG):
        return made.invoking
    seen = made.seen.get(EVENT_INVOKE_CONFIG)
    return Invoking(model.event_invoke_config, seen.modified_at if seen is not None else 0.0)


def url_of(model: FunctionModel | None, made: Made) -> Url | None:
    """The URL config that counts; None where there is none."""
    if model is None or model.function_url is None or not gives(model, FUNCTION_URL):
        return made.url
    seen = made.seen.get(FUNCTION_URL)
    times = (seen.created_at, seen.modified_at) if seen is not None else (0.0, 0.0)
    return Url(model.function_url, *times)


def overruled(name: str, model: FunctionModel | None, made: Made) -> list[str]:
    """Paths of the options that the configuration gives although the API has made them too: the configuration counts."""
    by_api = {EVENT_INVOKE_CONFIG: made.invoking, FUNCTION_URL: made.url}
    return [f"functions.{name}.{option}" for option in OPTIONS if by_api[option] is not None and gives(model, option)]


def sighted(model: FunctionModel, made: Made, now: float) -> Made:
    """What is remembered of the configuration once it has been seen at ``now``; ``made`` itself if that is nothing new."""
    whats = [FUNCTION, *(option for option in OPTIONS if gives(model, option))]
    seen = {what: _seen(made.seen.get(what), _digest(model, what), now) for what in whats}
    return made if seen == dict(made.seen) else replace(made, seen=seen)


def _seen(before: Seen | None, digest: str, now: float) -> Seen:
    if before is None:
        return Seen(digest, now, now)
    return before if before.digest == digest else Seen(digest, before.created_at, now)


def _digest(model: FunctionModel, what: str) -> str:
    """Of the options, without what may be a secret: the state must not tell it."""
    if what == FUNCTION:
        values = model.model_dump(mode="json", exclude={"environment", "headers", "bearer_token", *OPTIONS})
    else:
        values = getattr(model, what).model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
