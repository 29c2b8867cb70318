"""Resource policies: statements as AWS writes them, kept in order, with a revision that changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.lambda_api.control.rig import ARN, Rig

PATH = "/2015-03-31/functions/orders/policy"
FUNCTION = "/2015-03-31/functions/orders"
S3 = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}

STATEMENTS: list[tuple[dict[str, Any], Any, dict[str, Any] | None]] = [
    (
        {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::bucket"},
        {"Service": "s3.amazonaws.com"},
        {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}},
    ),
    (
        {"Principal": "*", "SourceAccount": "111111111111"},
        "*",
        {"StringEquals": {"AWS:SourceAccount": "111111111111"}},
    ),
    ({"Principal": "111111111111"}, {"AWS": "arn:aws:iam::111111111111:root"}, None),
    ({"Principal": "arn:aws:iam::111111111111:user/me"}, {"AWS": "arn:aws:iam::111111111111:user/me"}, None),
    (
        {
            "Principal": "*",
            "SourceArn": "arn:aws:s3:::bucket",
            "SourceAccount": "111111111111",
            "FunctionUrlAuthType": "NONE",
            "PrincipalOrgID": "o-1234567890",
        },
        "*",
        {
            "StringEquals": {
                "AWS:SourceAccount": "111111111111",
                "lambda:FunctionUrlAuthType": "NONE",
                "aws:PrincipalOrgID": "o-1234567890",
            },
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    ),
    (
        {"Principal": "*", "EventSourceToken": "amzn1.ask.skill.x"},
        "*",
        {"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.x"}},
    ),
    ({"Principal": "*", "InvokedViaFunctionUrl": True}, "*", {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
]


@pytest.mark.parametrize(("given", "principal", "condition"), STATEMENTS)
async def test_a_statement_is_written_as_on_aws(given: dict[str, Any], principal: object, condition: object) -> None:
    """To the order of its members: clients compare texts."""
    answer = await Rig().ask("POST", PATH, {**S3, **given})
    assert answer.status == 201
    expected = {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": principal,
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
    }
    if condition is not None:
        expected["Condition"] = condition
    assert answer.body == {"Statement": json.dumps(expected, separators=(",", ":"))}


async def test_the_policy_shows_every_statement_until_the_last_is_removed() -> None:
    """Terraform would else see a difference."""
    rig = Rig()
    for sid in ("b", "a"):
        await rig.ask("POST", PATH, {**S3, "StatementId": sid})
    policy = json.loads((await rig.ask("GET", PATH)).body["Policy"])
    assert (policy["Version"], policy["Id"]) == ("2012-10-17", "default")
    assert [statement["Sid"] for statement in policy["Statement"]] == ["b", "a"]
    assert (await rig.ask("DELETE", f"{PATH}/b")).status == 204
    missing = await rig.ask("DELETE", f"{PATH}/b")
    assert (missing.status, missing.message) == (404, "Statement b is not found in resource policy.")
    assert (await rig.ask("DELETE", f"{PATH}/a")).status == 204
    gone = await rig.ask("GET", PATH)
    assert (gone.status, gone.type, gone.message) == (
        404, "ResourceNotFoundException", "The resource you requested does not exist."
    )  # fmt: skip
    assert (await rig.ask("DELETE", f"{PATH}/a")).message == "No policy is associated with the given resource."


async def test_each_change_makes_a_new_revision_which_the_function_shares() -> None:
    """And one that asks for an earlier one is refused."""
    rig = Rig()
    await rig.ask("POST", PATH, S3)
    first = (await rig.ask("GET", PATH)).body["RevisionId"]
    assert (await rig.ask("GET", FUNCTION)).body["Configuration"]["RevisionId"] == first
    assert (await rig.ask("POST", PATH, {**S3, "StatementId": "two", "RevisionId": first})).status == 201
    second = (await rig.ask("GET", PATH)).body["RevisionId"]
    assert second != first
    for refused in (
        await rig.ask("POST", PATH, {**S3, "StatementId": "three", "RevisionId": first}),
        await rig.ask("DELETE", f"{PATH}/two", RevisionId=first),
    ):
        assert (refused.status, refused.type) == (412, "PreconditionFailedException")
    assert (await rig.ask("DELETE", f"{PATH}/two", RevisionId=second)).status == 204


async def test_an_id_is_given_once() -> None:
    """The second statement is refused, and the first stays."""
    rig = Rig()
    await rig.ask("POST", PATH, S3)
    answer = await rig.ask("POST", PATH, {**S3, "Principal": "*"})
    assert (answer.status, answer.type) == (409, "ResourceConflictException")
    assert answer.message == (
        "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement."
    )


@pytest.mark.parametrize(
    ("given", "status", "error", "end"),
    [
        ({"StatementId": "a b"}, 400, "ValidationException",
         "Value 'a b' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: "
         "([a-zA-Z0-9-_]+)"),
        ({"Action": "s3:Get"}, 400, "ValidationException", "pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"),
        ({"Principal": None, "Action": None}, 400, "ValidationException",
         "Value null at 'action' failed to satisfy constraint: Member must not be null; Value null at 'principal' failed to "
         "satisfy constraint: Member must not be null"),
        ({"Principal": "nobody"}, 400, "InvalidParameterValueException",
         "The provided principal was invalid. Please check the principal and try again."),
        ({"SourceAccount": "1"}, 400, "ValidationException", r"pattern: \d{12}"),
        ({"FunctionUrlAuthType": "X"}, 400, "ValidationException", "enum value set: [NONE, AWS_IAM]"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused(given: dict[str, Any], status: int, error: str, end: str) -> None:
    """All of it at once."""
    rig = Rig()
    answer = await rig.ask("POST", PATH, {**S3, **given})
    assert (answer.status, answer.type) == (status, error)
    assert answer.message.endswith(end)
    assert not rig.resources.made_of("orders").statements


async def test_a_policy_is_of_a_function_that_there_is() -> None:
    """Nor of $LATEST, as on AWS."""
    rig, nobody = Rig(), PATH.replace("orders", "nobody")
    arn = ARN.replace("orders", "nobody")
    assert (await rig.ask("POST", nobody, S3)).message == f"Function not found: {arn}"
    assert (await rig.ask("GET", nobody)).message == f"Function not found: {arn}"
    assert (await rig.ask("DELETE", f"{nobody}/s3")).message == f"No policy found for: {arn}"
    latest = await rig.ask("POST", PATH, S3, Qualifier="$LATEST")
    assert (latest.status, latest.message) == (400, "We currently do not support adding policies for $LATEST.")
    assert (await rig.ask("POST", PATH, S3, Qualifier="live")).message == f"Function not found: {ARN}:live"


async def test_a_policy_has_a_bound() -> None:
    """That of AWS, so the state cannot grow without end."""
    rig = Rig()
    long = {"Principal": "arn:aws:iam::111111111111:user/" + "x" * 1900}
    statuses = [
        (await rig.ask("POST", PATH, {**S3, **long, "StatementId": f"s{number}"})).status for number in range(12)
    ]
    assert statuses == [201] * 9 + [400] * 3
    refused = await rig.ask("POST", PATH, {**S3, **long, "StatementId": "more"})
    assert refused.type == "PolicyLengthExceededException"
