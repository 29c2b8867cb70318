"""What was made of a function, as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources.documents import read, written
from pollers.resources.made import Invoking, Made, Seen, Url

times = st.floats(min_value=0, max_value=1e11)
texts = st.text(max_size=30)
configs = st.fixed_dictionaries(
    {},
    optional={
        "maximum_retry_attempts": st.integers(0, 2),
        "maximum_event_age_in_seconds": st.integers(60, 21_600),
        "destination_config": st.fixed_dictionaries(
            {},
            optional={
                side: st.fixed_dictionaries({}, optional={"destination": texts})
                for side in ("on_success", "on_failure")
            },
        ),
    },
).map(EventInvokeConfig.model_validate)
urls = st.fixed_dictionaries(
    {"auth_type": st.sampled_from(["NONE", "AWS_IAM"])},
    optional={
        "invoke_mode": st.sampled_from(["BUFFERED", "RESPONSE_STREAM"]),
        "cors": st.fixed_dictionaries(
            {},
            optional={
                "max_age": st.integers(0, 86_400),
                "allow_methods": st.lists(st.sampled_from(["GET", "*"]), max_size=6),
            },
        ),
    },
).map(FunctionUrl.model_validate)
everything = st.builds(
    Made,
    invoking=st.none() | st.builds(Invoking, configs, times),
    url=st.none() | st.builds(Url, urls, times, times),
    reserved=st.none() | st.integers(0, 10_000),
    recursion=st.none() | st.sampled_from(["Allow", "Terminate"]),
    seen=st.dictionaries(texts, st.builds(Seen, texts, times, times), max_size=3),
)


@given(everything)
def test_what_is_read_is_what_was_written(made: Made) -> None:
    """With what was given, and no more: a reply must show the same after a restart."""
    again = read(written(made))
    assert again == made
    for before, after in ((made.invoking, again.invoking), (made.url, again.url)):
        if before is not None and after is not None:
            assert after.config.model_dump(exclude_unset=True) == before.config.model_dump(exclude_unset=True)


@given(st.dictionaries(texts, st.fixed_dictionaries({"Sid": texts}), max_size=4), st.integers(1, 9))
def test_a_policy_keeps_its_order_and_its_count(statements: dict[str, dict[str, str]], changes: int) -> None:
    """The count is its revision, so it stays even when nothing is left."""
    again = read(written(Made(statements=statements, policy_changes=changes)))
    assert list(again.statements.items()) == list(statements.items())
    assert again.policy_changes == changes


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": {}}', '{"invoking": {"config": {"a": 1}, "modified_at": 1}}'])
def test_what_was_not_written_is_not_read(text: str) -> None:
    """Whoever reads it learns that the state is damaged."""
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        read(text)
