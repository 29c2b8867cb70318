"""What counts of a function: its configuration before the API, option by option."""

from __future__ import annotations

from dataclasses import replace

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources.made import Invoking, Made, Url
from pollers.resources.precedence import overruled, settled, sighted
from tests.unit.resources.examples import DEAD, DONE, FAILED, model

BY_API = Made(
    invoking=Invoking(EventInvokeConfig.model_validate({"maximum_retry_attempts": 0}), 5.0),
    url=Url(FunctionUrl(auth_type="AWS_IAM"), 5.0, 6.0),
    reserved=2,
    recursion="Allow",
)


def test_where_nobody_said_anything_the_defaults_count() -> None:
    """Those of Lambda."""
    settings = settled(model(), Made())
    assert (settings.maximum_retry_attempts, settings.maximum_event_age_seconds) == (2, 21_600)
    assert (settings.on_success, settings.on_failure, settings.dead_letters) == (None, None, None)
    assert (settings.url, settings.reserved, settings.allows_recursion) == (None, None, False)


def test_what_the_api_made_counts_where_the_configuration_is_silent() -> None:
    """All of it."""
    settings = settled(model(dead_letter_config={"target_arn": DEAD}), BY_API)
    assert (settings.maximum_retry_attempts, settings.maximum_event_age_seconds) == (0, 21_600)
    assert (settings.url, settings.reserved, settings.allows_recursion) == (BY_API.url, 2, True)
    assert settings.dead_letters == DEAD


def test_the_configuration_counts_option_by_option() -> None:
    """Within an option nothing is mixed: what the configuration's does not give has its default."""
    destinations = {"on_success": {"destination": DONE}, "on_failure": {"destination": FAILED}}
    settings = settled(model(event_invoke_config={"destination_config": destinations}), BY_API)
    assert (settings.maximum_retry_attempts, settings.on_success, settings.on_failure) == (2, DONE, FAILED)
    assert settings.url == BY_API.url


def test_an_empty_option_of_the_configuration_counts_too() -> None:
    """Whoever writes it down says that the defaults hold."""
    assert settled(model(event_invoke_config={}), BY_API).maximum_retry_attempts == 2


def test_a_function_that_is_not_configured_has_what_the_api_made() -> None:
    """Its events may still wait to be reported."""
    assert settled(None, BY_API).maximum_retry_attempts == 0


def test_an_empty_destination_is_none() -> None:
    """Clients send an empty text to take one away."""
    empty = {"on_success": {"destination": ""}, "on_failure": {}}
    made = Made(invoking=Invoking(EventInvokeConfig.model_validate({"destination_config": empty}), 0.0))
    assert settled(model(), made).on_success is None


def test_what_the_configuration_overrules_is_named() -> None:
    """Only what there is twice."""
    given = model(event_invoke_config={}, function_url={"auth_type": "NONE"})
    assert overruled("orders", given, BY_API) == [
        "functions.orders.event_invoke_config",
        "functions.orders.function_url",
    ]
    assert overruled("orders", given, replace(BY_API, url=None)) == ["functions.orders.event_invoke_config"]
    assert overruled("orders", model(), BY_API) == []
    assert overruled("orders", given, Made()) == []


def test_the_times_of_what_is_configured_are_those_of_its_first_and_last_change() -> None:
    """A restart with the same configuration changes none of them."""
    first = sighted(model(function_url={"auth_type": "NONE"}), Made(), 10.0)
    assert sighted(model(function_url={"auth_type": "NONE"}), first, 20.0) is first
    changed = sighted(model(function_url={"auth_type": "AWS_IAM"}), first, 30.0)
    url = settled(model(function_url={"auth_type": "AWS_IAM"}), changed).url
    assert url is not None
    assert (url.created_at, url.modified_at) == (10.0, 30.0)
    assert changed.seen["function"].modified_at == 10.0


def test_an_option_that_was_taken_out_begins_anew_when_it_is_back() -> None:
    """As a URL that was deleted and made again."""
    given = model(function_url={"auth_type": "NONE"})
    without = sighted(model(), sighted(given, Made(), 10.0), 20.0)
    assert sighted(given, without, 30.0).seen["function_url"].created_at == 30.0


def test_a_changed_function_has_another_time() -> None:
    """Its timeout, for one."""
    seen = sighted(model(timeout=5), sighted(model(), Made(), 10.0), 20.0).seen["function"]
    assert (seen.created_at, seen.modified_at) == (10.0, 20.0)


def test_secrets_are_not_in_what_is_remembered() -> None:
    """Not even as a digest that could be guessed."""
    one = sighted(model(environment={"TOKEN": "1234"}), Made(), 10.0)
    assert sighted(model(environment={"TOKEN": "5678"}), one, 20.0) is one
