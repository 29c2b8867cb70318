"""Every form of a function's name, and Lambda's words for what is none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.lambda_api.errors import ApiError, invalid_parameter
from pollers.lambda_api.names import NAME_PATTERN, QUALIFIER_PATTERN, Here, named, not_there

HERE = Here("us-east-1", "000000000000")
ARN = "arn:aws:lambda:us-east-1:000000000000:function"


@pytest.mark.parametrize(
    ("name", "qualifier", "expected"),
    [
        ("orders", None, ("orders", None)),
        ("or_d-3rs", None, ("or_d-3rs", None)),
        ("orders:$LATEST", None, ("orders", "$LATEST")),
        ("orders:live", None, ("orders", "live")),
        ("orders", "$LATEST", ("orders", "$LATEST")),
        ("orders:1", "1", ("orders", "1")),
        ("function:orders", None, ("orders", None)),
        ("function:orders:2", None, ("orders", "2")),
        ("000000000000:function:orders", None, ("orders", None)),
        (f"{ARN}:orders", None, ("orders", None)),
        (f"{ARN}:orders:$LATEST", "$LATEST", ("orders", "$LATEST")),
        (ARN, None, ("function", None)),
        ("a" * 65, None, ("a" * 65, None)),
        ("orders:$LATEST.PUBLISHED", None, ("orders", "$LATEST.PUBLISHED")),
    ],
)
def test_every_form_of_a_name_is_read(name: str, qualifier: str | None, expected: tuple[str, str | None]) -> None:
    """Names, parts of ARNs and ARNs, with a version or alias inside or beside (docs/lambda 11.3)."""
    found = named(name, qualifier, HERE)
    assert (found.name, found.qualifier, found.account) == (*expected, HERE.account)


def refused(name: str, qualifier: str | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        named(name, qualifier, HERE)
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "my-function!",
        "12345:function:orders",
        "arn:aws:lambda::000000000000:function:orders",
        "arn:aws:lambda:us-east-1::function:orders",
        "arn:aws:sqs:us-east-1:000000000000:orders",
        f"{ARN}:orders:1:2",
        "orders:$LATES",
        "function:orders:$LATEST:extra",
        "",
        "orders\n",
    ],
)
def test_what_is_no_name_is_refused_with_the_pattern(name: str) -> None:
    """In Lambda's words (docs/lambda 11.3)."""
    error = refused(name)
    assert (error.status, error.error_type) == (400, "ValidationException")
    assert error.message == (
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )


def test_both_wrong_are_one_message_the_qualifier_first() -> None:
    """Recorded so (docs/lambda 11.3)."""
    error = refused("my-function!", "invalid!")
    assert error.message == (
        "2 validation errors detected: Value 'invalid!' at 'qualifier' failed to satisfy constraint: Member must satisfy "
        f"regular expression pattern: {QUALIFIER_PATTERN}; Value 'my-function!' at 'functionName' failed to satisfy "
        f"constraint: Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )


def test_a_qualifier_that_is_too_long_is_refused_by_its_length() -> None:
    """Of 129 characters; 128 are only unknown."""
    assert refused("orders", "q" * 129).message.endswith("Member must have length less than or equal to 128")
    assert named("orders", "q" * 128, HERE).qualifier == "q" * 128


def test_two_qualifiers_that_differ_are_refused() -> None:
    """One in the name, one beside."""
    error = refused("orders:$LATEST", "1")
    assert (error.status, error.error_type) == (400, "InvalidParameterValueException")
    assert error.message == ("The derived qualifier from the function name does not match the specified qualifier.")


def test_another_region_is_named() -> None:
    """404, in Lambda's words."""
    error = refused("arn:aws:lambda:eu-west-1:000000000000:function:orders")
    assert (error.status, error.error_type) == (404, "ResourceNotFoundException")
    assert error.message == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"


@pytest.mark.parametrize(
    ("name", "qualifier", "arn"),
    [
        ("nobody", None, f"{ARN}:nobody:$LATEST"),
        ("nobody", "7", f"{ARN}:nobody:7"),
        (ARN, None, f"{ARN}:function:$LATEST"),
        ("111111111111:function:orders", None, "arn:aws:lambda:us-east-1:111111111111:function:orders:$LATEST"),
        ("orders:$latest".replace("$latest", "latest"), None, f"{ARN}:orders:latest"),
    ],
)
def test_what_is_not_there_is_named_with_its_qualifier(name: str, qualifier: str | None, arn: str) -> None:
    """``$LATEST`` if none was given."""
    assert not_there(named(name, qualifier, HERE), HERE).message == f"Function not found: {arn}"


def test_an_error_tells_whose_fault_it_is_and_its_text_is_where_lambda_has_it() -> None:
    """``Message`` for what is not found, ``message`` for what is wrong; the front end does not tell (docs/lambda 11.7, 16.2)."""
    assert not_there(named("nobody", None, HERE), HERE).body() == (
        b'{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST"}'
    )
    assert invalid_parameter("no").body() == b'{"Type":"User","message":"no"}'
    assert refused("*").body().startswith(b'{"message":"1 validation error detected')


@given(st.text(), st.none() | st.text())
def test_whatever_is_given_is_a_name_or_an_error_of_the_api(name: str, qualifier: str | None) -> None:
    """Nothing else is raised."""
    with suppress(ApiError):
        assert named(name, qualifier or None, HERE).name
