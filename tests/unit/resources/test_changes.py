"""Changes through the API: what they make of a function, and when they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources import AlreadyMade, GivenByConfiguration, NotMade, changes
from tests.unit.resources.examples import DONE, FAILED, before

if TYPE_CHECKING:
    from pollers.resources.changes import Change

NONE = FunctionUrl(auth_type="NONE")


def test_an_event_invoke_config_is_put_whole() -> None:
    """What the one before gave and this one does not give is no longer given."""
    made, _ = changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=0, maximum_event_age_in_seconds=60))(
        before()
    )
    made, invoking = changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=1))(before(made, now=200.0))
    assert made.invoking == invoking
    assert invoking.modified_at == 200.0
    assert invoking.config.model_dump(exclude_unset=True) == {"maximum_retry_attempts": 1}


def test_an_event_invoke_config_is_updated_member_by_member() -> None:
    """The members that are not named stay, and so does what was never given."""
    made, _ = changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=0))(before())
    destinations = {"on_failure": {"destination": FAILED}}
    made, _ = changes.update_invoking({"destination_config": destinations})(before(made))
    _, invoking = changes.update_invoking({"maximum_event_age_in_seconds": 60})(before(made, now=300.0))
    given = {
        "maximum_retry_attempts": 0,
        "destination_config": destinations,
        "maximum_event_age_in_seconds": 60,
    }
    assert invoking.config.model_dump(exclude_unset=True) == given
    assert invoking.modified_at == 300.0


def test_destinations_are_replaced_together() -> None:
    """As on Lambda: an update that names one of them leaves no other."""
    both = {"on_success": {"destination": DONE}, "on_failure": {"destination": FAILED}}
    made, _ = changes.put_invoking(EventInvokeConfig.model_validate({"destination_config": both}))(before())
    one = {"on_success": {"destination": FAILED}}
    _, invoking = changes.update_invoking({"destination_config": one})(before(made))
    assert (invoking.config.on_success, invoking.config.on_failure) == (FAILED, None)


def test_a_url_keeps_the_time_of_its_creation() -> None:
    """An update changes the other time, and what it names."""
    made, _ = changes.create_url(NONE)(before())
    _, url = changes.update_url({"auth_type": "AWS_IAM"})(before(made, now=300.0))
    assert (url.created_at, url.modified_at) == (100.0, 300.0)
    assert url.config.model_dump(exclude_unset=True) == {"auth_type": "AWS_IAM"}


def test_a_second_url_is_refused() -> None:
    """A function has one."""
    made, _ = changes.create_url(NONE)(before())
    with pytest.raises(AlreadyMade, match="function orders has a URL"):
        changes.create_url(NONE)(before(made))


@pytest.mark.parametrize(
    "change",
    [
        changes.update_invoking({"maximum_retry_attempts": 1}),
        changes.delete_invoking,
        changes.update_url({"auth_type": "NONE"}),
        changes.delete_url,
        changes.remove_statement("sid"),
    ],
)
def test_what_is_not_there_is_neither_changed_nor_deleted(change: Change[Any]) -> None:
    """Whoever asks is told so."""
    with pytest.raises(NotMade, match="function orders has no "):
        change(before())


def test_what_was_deleted_is_not_there() -> None:
    """And may be made anew."""
    made, _ = changes.put_invoking(EventInvokeConfig())(before())
    made, _ = changes.create_url(NONE)(before(made))
    made, _ = changes.delete_invoking(before(made))
    made, _ = changes.delete_url(before(made))
    assert (made.invoking, made.url, made.by_api) == (None, None, False)
    _, url = changes.create_url(NONE)(before(made, now=500.0))
    assert url.created_at == 500.0


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("event_invoke_config", changes.put_invoking(EventInvokeConfig())),
        ("event_invoke_config", changes.update_invoking({})),
        ("event_invoke_config", changes.delete_invoking),
        ("function_url", changes.create_url(NONE)),
        ("function_url", changes.update_url({})),
        ("function_url", changes.delete_url),
    ],
)
def test_what_the_configuration_gives_cannot_be_changed(option: str, change: Change[Any]) -> None:
    """The refusal names the option, so that its reader knows where to change it."""
    given: dict[str, Any] = {"event_invoke_config": {}, "function_url": {"auth_type": "NONE"}}
    configured = before(**given)
    with pytest.raises(
        GivenByConfiguration, match=rf"The configuration gives functions\.orders\.{option}, so it cannot"
    ):
        change(configured)


def test_an_option_of_the_configuration_does_not_bind_the_others() -> None:
    """A function with a configured URL may get its event invoke config by the API."""
    made, _ = changes.put_invoking(EventInvokeConfig())(before(function_url={"auth_type": "NONE"}))
    assert made.invoking is not None


def test_statements_keep_their_order() -> None:
    """A policy shows them as they were added; each change is counted."""
    made, _ = changes.add_statement("b", {"Sid": "b"})(before())
    made, _ = changes.add_statement("a", {"Sid": "a"})(before(made))
    made, _ = changes.add_statement("c", {"Sid": "c"})(before(made))
    made, _ = changes.remove_statement("a")(before(made))
    assert (list(made.statements), made.policy_changes) == (["b", "c"], 4)
    with pytest.raises(AlreadyMade):
        changes.add_statement("b", {"Sid": "b"})(before(made))


def test_reserved_concurrency_may_be_nothing_and_is_taken_back() -> None:
    """0 is a reservation; None is none."""
    made, _ = changes.reserve(0)(before())
    assert (made.reserved, made.by_api) == (0, True)
    made, _ = changes.reserve(None)(before(made))
    assert (made.reserved, made.by_api) == (None, False)
