"""Which operation a path asks for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.lambda_api.errors import ApiError
from pollers.lambda_api.operations import Call, Operation, Reply, empty_reply
from pollers.lambda_api.routes import Routes


async def nothing(call: Call) -> Reply:
    return empty_reply()


INVOKE = "/2015-03-31/functions/{FunctionName}/invocations"
ROUTES = Routes(
    [
        Operation("Invoke", "POST", INVOKE, nothing),
        Operation("InvokeAsync", "POST", "/2014-11-13/functions/{FunctionName}/invoke-async", nothing),
        Operation("ListFunctions", "GET", "/2015-03-31/functions/", nothing),
        Operation("GetPolicy", "GET", "/2015-03-31/functions/{FunctionName}/policy", nothing),
        Operation("AddPermission", "POST", "/2015-03-31/functions/{FunctionName}/policy", nothing),
        Operation("RemovePermission", "DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", nothing),
        Operation("ListTags", "GET", "/2017-03-31/tags/{ARN}", nothing),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("POST", "/2015-03-31/functions/orders/invocations", "Invoke", {"FunctionName": "orders"}),
        (
            "POST",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Aorders%3A%24LATEST/invocations",
            "Invoke",
            {"FunctionName": "arn:aws:lambda:us-east-1:0:function:orders:$LATEST"},
        ),
        ("POST", "/2015-03-31/functions/orders:$LATEST/invocations", "Invoke", {"FunctionName": "orders:$LATEST"}),
        ("POST", "/2015-03-31/functions/a%2Fb/invocations", "Invoke", {"FunctionName": "a/b"}),
        ("POST", "/2015-03-31/functions/a%252Fb/invocations", "Invoke", {"FunctionName": "a%2Fb"}),
        ("POST", "/2015-03-31/functions//invocations", "Invoke", {"FunctionName": ""}),
        ("POST", "/2015-03-31/functions/%FF/invocations", "Invoke", {"FunctionName": "�"}),
        ("POST", "/2014-11-13/functions/orders/invoke-async", "InvokeAsync", {"FunctionName": "orders"}),
        ("POST", "/2014-11-13/functions/orders/invoke-async/", "InvokeAsync", {"FunctionName": "orders"}),
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions", "ListFunctions", {}),
        (
            "DELETE",
            "/2015-03-31/functions/orders/policy/a.b",
            "RemovePermission",
            {"FunctionName": "orders", "StatementId": "a.b"},
        ),
        ("GET", "/2017-03-31/tags/arn%3Aaws", "ListTags", {"ARN": "arn:aws"}),
    ],
)
def test_a_path_is_cut_as_it_was_sent_and_its_segments_decoded_once(
    method: str, path: str, name: str, parameters: dict[str, str]
) -> None:
    """An encoded slash belongs to its segment (docs/lambda 11.2)."""
    operation, found = ROUTES.find(method, path)
    assert (operation.name, found) == (name, parameters)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/2015-03-31",
        "/2015-03-31/functions/a/b/c",
        "/2015-03-31/functions/a%2Finvocations",
        "//",
        "http://x/",
    ],
)
def test_a_path_that_no_operation_has_is_unknown(path: str) -> None:
    """404, and the text names it."""
    with pytest.raises(ApiError, match="no operation") as caught:
        ROUTES.find("POST", path)
    assert (caught.value.status, caught.value.error_type) == (404, "UnknownOperationException")


def test_another_method_is_told_which_there_are() -> None:
    """405, with Allow."""
    with pytest.raises(ApiError) as caught:
        ROUTES.find("DELETE", "/2015-03-31/functions/orders/policy")
    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "GET, POST"})


def test_two_operations_with_one_path_are_a_fault_of_ours() -> None:
    """Found when the table is made, and not by whoever calls the second."""
    with pytest.raises(ValueError, match="Again and Invoke"):
        Routes([Operation("Invoke", "POST", INVOKE, nothing), Operation("Again", "POST", INVOKE + "/", nothing)])


@given(st.text())
def test_whatever_the_path_is_it_is_found_or_an_error_of_the_api(path: str) -> None:
    """Nothing else is raised."""
    with suppress(ApiError):
        ROUTES.find("GET", path)
