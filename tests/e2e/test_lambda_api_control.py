"""The control operations by AWS's own client for Python: typed replies, errors by name, kills, restarts and reloads."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.lambda_api import LambdaApiPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)
FUNCTIONS: dict[str, dict[str, Any]] = {"orders": {"concurrency": 2}, "audit": {}}
QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaApiPlace]:
    """One process for all tests of this module; each leaves it running, with nothing made."""
    place = LambdaApiPlace(tmp_path_factory.mktemp("control"))
    place.configure(FUNCTIONS)
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def without_metadata(reply: dict[str, Any]) -> dict[str, Any]:
    """What was answered, without what the client knows of the HTTP."""
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def test_times_have_the_types_that_the_client_expects(place: LambdaApiPlace) -> None:
    """A number becomes a time where the model says so; the texts of URLs and functions stay texts."""
    client = place.client()
    config = client.put_function_event_invoke_config(FunctionName="orders", MaximumRetryAttempts=1)
    assert abs(datetime.now(UTC) - config["LastModified"]) < timedelta(minutes=5)
    url = client.create_function_url_config(FunctionName=ARN, AuthType="NONE", Cors={"AllowOrigins": ["*"]})
    assert datetime.fromisoformat(url["CreationTime"]).tzinfo is not None
    assert url["FunctionUrl"] == f"http://orders.lambda-url.us-east-1.localhost:{place.port}/"
    function = client.get_function_configuration(FunctionName="orders")
    assert datetime.strptime(function["LastModified"], "%Y-%m-%dT%H:%M:%S.%f%z").tzinfo is not None
    client.delete_function_event_invoke_config(FunctionName="orders")
    client.delete_function_url_config(FunctionName="orders")


def test_errors_are_caught_by_their_names(place: LambdaApiPlace) -> None:
    """And have the client's members for the text."""
    client = place.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName="orders")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found"):
        client.get_function(FunctionName="nobody")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Aliases and versions"):
        client.put_function_concurrency(FunctionName=f"{ARN}:live", ReservedConcurrentExecutions=1)
    client.add_permission(FunctionName="orders", StatementId="a", Action="lambda:*", Principal="*")
    with pytest.raises(client.exceptions.ResourceConflictException, match="provided already exists"):
        client.add_permission(FunctionName="orders", StatementId="a", Action="lambda:*", Principal="*")
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.remove_permission(FunctionName="orders", StatementId="a", RevisionId="another")
    client.remove_permission(FunctionName="orders", StatementId="a")


def test_waiters_and_pages_of_the_client_work(place: LambdaApiPlace) -> None:
    """What scripts do before they call a function."""
    client = place.client()
    for waiter in ("function_exists", "function_active_v2", "function_updated_v2", "function_active"):
        client.get_waiter(waiter).wait(FunctionName="orders", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert [function["FunctionName"] for page in pages for function in page["Functions"]] == ["audit", "orders"]
    assert client.get_account_settings()["AccountUsage"]["FunctionCount"] == 2
    assert client.list_tags(Resource=ARN)["Tags"] == {}
    [version] = client.list_versions_by_function(FunctionName="orders")["Versions"]
    assert version["Version"] == "$LATEST"


def test_reserved_concurrency_counts_for_the_next_call(place: LambdaApiPlace) -> None:
    """0 lets nothing run, and without a reservation the function runs again."""
    client = place.client()
    client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
        client.invoke(FunctionName="orders", Payload=b"{}")
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.delete_function_concurrency(FunctionName="orders")
    assert json.load(client.invoke(FunctionName="orders", Payload=b"1")["Payload"])["echo"] == 1


def test_a_kill_right_after_the_replies_loses_nothing(place: LambdaApiPlace) -> None:
    """A restart shows the same documents, to the time of the last change, and reserved concurrency holds again."""
    client = place.client()
    made = [
        client.put_function_event_invoke_config(
            FunctionName="orders",
            MaximumEventAgeInSeconds=60,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        ),
        client.create_function_url_config(FunctionName="orders", AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM"),
        client.add_permission(FunctionName="orders", StatementId="a", Action="lambda:*", Principal="111111111111"),
        client.put_function_recursion_config(FunctionName="audit", RecursiveLoop="Allow"),
        client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0),
    ]
    place.kill()
    place.start()
    client = place.client()
    assert without_metadata(client.get_function_event_invoke_config(FunctionName="orders")) == without_metadata(made[0])
    url = without_metadata(client.get_function_url_config(FunctionName="orders"))
    assert url == {**without_metadata(made[1]), "LastModifiedTime": url["CreationTime"]}
    policy = json.loads(client.get_policy(FunctionName="orders")["Policy"])
    assert policy["Statement"] == [json.loads(made[2]["Statement"])]
    assert client.get_function_recursion_config(FunctionName="audit")["RecursiveLoop"] == "Allow"
    assert client.get_function(FunctionName="orders")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName="orders", Payload=b"{}")
    undo(client)


@pytest.mark.parametrize("answered_before_the_kill", [1, 7, 20])
def test_a_kill_among_many_changes_keeps_every_one_that_was_answered(
    place: LambdaApiPlace, answered_before_the_kill: int
) -> None:
    """Several clients change one policy; whatever is on its way at the kill is there whole, or not at all."""
    answered: list[str] = []

    def change(number: int) -> None:
        client = place.client()
        for step in range(20):
            sid = f"s{number}-{step}"
            try:
                client.add_permission(FunctionName="audit", StatementId=sid, Action="lambda:*", Principal="*")
            except (BotoCoreError, ClientError):
                return
            answered.append(sid)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    place.until(lambda: len(answered) >= answered_before_the_kill, "some answers")
    place.kill()
    for thread in threads:
        thread.join(60)
    place.start()
    client = place.client()
    statements = json.loads(client.get_policy(FunctionName="audit")["Policy"])["Statement"]
    kept = [statement["Sid"] for statement in statements]
    assert set(answered) <= set(kept)
    assert len(kept) <= len(answered) + len(threads)
    for number in range(len(threads)):
        steps = [sid for sid in kept if sid.startswith(f"s{number}-")]
        assert steps == [f"s{number}-{step}" for step in range(len(steps))]
    for sid in kept:
        client.remove_permission(FunctionName="audit", StatementId=sid)


def test_a_reload_that_gives_what_was_made_counts_and_gives_it_back(place: LambdaApiPlace) -> None:
    """Shown and refused while the configuration has it; what was made counts again when the option is taken out."""
    client = place.client()
    made = client.create_function_url_config(FunctionName="orders", AuthType="AWS_IAM")
    client.put_function_event_invoke_config(FunctionName="orders", MaximumRetryAttempts=0)
    place.configure({**FUNCTIONS, "orders": {**FUNCTIONS["orders"], "function_url": {"auth_type": "NONE"}}})
    place.reload()
    [said] = place.logged(
        "the configuration gives what was made through the API: the configuration counts, and what was made is kept"
    )
    assert said["options"] == ["functions.orders.function_url"]
    assert client.get_function_url_config(FunctionName="orders")["AuthType"] == "NONE"
    assert json.loads(place.fetched("/function-urls/orders/"))["arn"] == ARN
    with pytest.raises(client.exceptions.ResourceConflictException, match=r"gives functions\.orders\.function_url"):
        client.delete_function_url_config(FunctionName="orders")
    assert client.get_function_event_invoke_config(FunctionName="orders")["MaximumRetryAttempts"] == 0
    place.configure(FUNCTIONS)
    place.reload()
    assert client.get_function_url_config(FunctionName="orders")["CreationTime"] == made["CreationTime"]
    undo(client)


def test_a_function_that_leaves_and_comes_back_has_what_was_made_of_it(place: LambdaApiPlace) -> None:
    """While it is gone nobody finds it."""
    client = place.client()
    client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=1)
    place.configure({"audit": {}})
    place.reload()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_concurrency(FunctionName="orders")
    place.configure(FUNCTIONS)
    place.reload()
    assert client.get_function_concurrency(FunctionName="orders")["ReservedConcurrentExecutions"] == 1
    undo(client)


def undo(client: Any) -> None:  # noqa: ANN401 - botocore makes its clients at run time
    """Take back whatever was made."""
    client.delete_function_concurrency(FunctionName="orders")
    client.put_function_recursion_config(FunctionName="audit", RecursiveLoop="Terminate")
    for delete in (
        client.delete_function_event_invoke_config,
        client.delete_function_url_config,
        partial(client.remove_permission, StatementId="a"),
    ):
        with suppress(client.exceptions.ResourceNotFoundException):
            delete(FunctionName="orders")
