"""What the API's changes make of a function. Deciders: each call gives a change, to be given to ``Resources.change``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources.errors import AlreadyMade, GivenByConfiguration, NotMade
from pollers.resources.made import Invoking, Url
from pollers.resources.precedence import EVENT_INVOKE_CONFIG, FUNCTION_URL, gives

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.models import FunctionModel
    from pollers.resources.made import Made

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Before:
    """A function before a change. ``model``: its configuration, if it has one. ``now``: seconds since the epoch."""

    name: str
    model: FunctionModel | None
    made: Made
    now: float

    def refuse_given(self, option: str) -> None:
        """Raises GivenByConfiguration when the configuration gives the option."""
        if gives(self.model, option):
            raise GivenByConfiguration(f"functions.{self.name}.{option}")


Change: TypeAlias = "Callable[[Before], tuple[Made, T]]"
"""What is kept after a change, and what whoever asked for it is told. Raises a ResourceError where it cannot be made."""


def put_invoking(config: EventInvokeConfig) -> Change[Invoking]:
    """Set the event invoke config, whether there is one or not."""

    def change(before: Before) -> tuple[Made, Invoking]:
        before.refuse_given(EVENT_INVOKE_CONFIG)
        invoking = Invoking(config, before.now)
        return replace(before.made, invoking=invoking), invoking

    return change


def update_invoking(members: Mapping[str, Any]) -> Change[Invoking]:
    """Change ``members`` of the event invoke config, which are in the configuration's spelling; the others stay."""

    def change(before: Before) -> tuple[Made, Invoking]:
        before.refuse_given(EVENT_INVOKE_CONFIG)
        old = _there(before.made.invoking, before, "event invoke config")
        merged = {**old.config.model_dump(exclude_unset=True), **members}
        invoking = Invoking(EventInvokeConfig.model_validate(merged), before.now)
        return replace(before.made, invoking=invoking), invoking

    return change


def delete_invoking(before: Before) -> tuple[Made, None]:
    """Delete the event invoke config."""
    before.refuse_given(EVENT_INVOKE_CONFIG)
    _there(before.made.invoking, before, "event invoke config")
    return replace(before.made, invoking=None), None


def create_url(config: FunctionUrl) -> Change[Url]:
    """Make the function's URL."""

    def change(before: Before) -> tuple[Made, Url]:
        before.refuse_given(FUNCTION_URL)
        if before.made.url is not None:
            raise AlreadyMade(f"function {before.name} has a URL")
        url = Url(config, before.now, before.now)
        return replace(before.made, url=url), url

    return change


def update_url(members: Mapping[str, Any]) -> Change[Url]:
    """Change ``members`` of the URL's config, which are in the configuration's spelling; the others stay."""

    def change(before: Before) -> tuple[Made, Url]:
        before.refuse_given(FUNCTION_URL)
        old = _there(before.made.url, before, "URL")
        merged = {**old.config.model_dump(exclude_unset=True), **members}
        url = Url(FunctionUrl.model_validate(merged), old.created_at, before.now)
        return replace(before.made, url=url), url

    return change


def delete_url(before: Before) -> tuple[Made, None]:
    """Delete the function's URL."""
    before.refuse_given(FUNCTION_URL)
    _there(before.made.url, before, "URL")
    return replace(before.made, url=None), None


def reserve(concurrency: int | None) -> Change[None]:
    """Reserve so much concurrency for the function; None takes that back."""
    return lambda before: (replace(before.made, reserved=concurrency), None)


def set_recursion(recursion: str) -> Change[None]:
    """Say what becomes of endless chains of invocations: ``Allow`` or ``Terminate``."""
    return lambda before: (replace(before.made, recursion=recursion), None)


def change_tags(change_them: Callable[[Mapping[str, str]], dict[str, str]]) -> Change[None]:
    """Change the function's tags; an error that ``change_them`` raises is passed on."""
    return lambda before: (replace(before.made, tags=change_them(before.made.tags)), None)


def add_statement(sid: str, statement: Mapping[str, Any]) -> Change[None]:
    """Add a statement to the function's policy."""

    def change(before: Before) -> tuple[Made, None]:
        made = before.made
        if sid in made.statements:
            raise AlreadyMade(f"the policy of function {before.name} has a statement {sid}")
        return _with_policy(made, {**made.statements, sid: statement}), None

    return change


def remove_statement(sid: str) -> Change[None]:
    """Remove a statement from the function's policy."""

    def change(before: Before) -> tuple[Made, None]:
        statements = dict(before.made.statements)
        _there(statements.pop(sid, None), before, f"statement {sid} in its policy")
        return _with_policy(before.made, statements), None

    return change


def _with_policy(made: Made, statements: Mapping[str, Mapping[str, Any]]) -> Made:
    return replace(made, statements=statements, policy_changes=made.policy_changes + 1)


def _there(value: T | None, before: Before, what: str) -> T:
    if value is None:
        raise NotMade(f"function {before.name} has no {what}")
    return value
