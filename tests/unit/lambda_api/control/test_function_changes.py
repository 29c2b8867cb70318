"""Functions made through the API, as clients see them: replies, states, and refusals in Lambda's words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pollers.made_functions import archive
from tests.unit.lambda_api.control.rig import HERE, Rig
from tests.unit.made_functions.fakes import settling, until
from tests.unit.made_functions.packages import APP, package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.lambda_api.control.rig import Answer

FUNCTIONS = "/2015-03-31/functions"
ONE = f"{FUNCTIONS}/made"
ARN = HERE.arn("made")
ROLE = "arn:aws:iam::000000000000:role/orders"
OTHER = package(("app.py", b"pass"))


def sent(zipped: bytes) -> str:
    """As documents have it."""
    return base64.b64encode(zipped).decode()


def document(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Of CreateFunction; None takes a member out."""
    whole = {
        "FunctionName": "made",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": sent(APP)},
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


async def settled(rig: Rig, path: str = ONE) -> dict[str, Any]:
    """The configuration of a function once its last change counts."""
    assert rig.functions is not None
    functions = rig.functions
    await until(lambda: all(entry.applied for name in functions.names() if (entry := functions.find(name))))
    found: dict[str, Any] = (await rig.ask("GET", path)).body["Configuration"]
    return found


async def test_a_function_goes_through_the_states_that_clients_wait_for(tmp_path: Path) -> None:
    """Pending without a status of the last update, Active; InProgress, Successful; another revision at each step."""
    rig, revisions = Rig(tmp_path), set[str]()
    assert rig.functions is not None
    made = (await rig.ask("POST", FUNCTIONS, document())).body
    assert (made["State"], made["StateReasonCode"], "LastUpdateStatus" in made) == ("Pending", "Creating", False)
    assert (made["FunctionArn"], made["CodeSize"], made["CodeSha256"]) == (ARN, len(APP), archive.digest(APP))
    revisions.add(made["RevisionId"])
    async with settling(rig.functions):
        active = await settled(rig)
        assert (active["State"], active["LastUpdateStatus"], "StateReason" in active) == ("Active", "Successful", False)
        revisions.add(active["RevisionId"])
        changed = (await rig.ask("PUT", f"{ONE}/code", {"ZipFile": sent(OTHER)})).body
        assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
        assert (changed["CodeSha256"], changed["LastUpdateStatusReasonCode"]) == (archive.digest(OTHER), "Creating")
        revisions.add(changed["RevisionId"])
        revisions.add((await settled(rig))["RevisionId"])
    assert len(revisions) == 4


async def test_what_was_given_is_shown_as_it_was_given(tmp_path: Path) -> None:
    """So that Terraform finds nothing to change: also what has no effect here, and tags."""
    rig = Rig(tmp_path)
    given = {
        "Description": "orders",
        "Timeout": 30,
        "MemorySize": 256,
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": {"TABLE": "orders"}},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"},
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
    }
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    await rig.ask("POST", FUNCTIONS, document(**given, VpcConfig=network, Tags={"team": "shop"}))
    answer = (await rig.ask("GET", ONE)).body
    assert {name: answer["Configuration"][name] for name in given} == given
    assert answer["Configuration"]["VpcConfig"] == {**network, "VpcId": ""}
    assert answer["Tags"] == {"team": "shop"}
    [listed] = [one for one in (await rig.ask("GET", FUNCTIONS)).body["Functions"] if one["FunctionName"] == "made"]
    assert (listed["Runtime"], listed["Role"], "State" in listed) == ("python3.11", ROLE, False)


async def test_empty_values_take_settings_away(tmp_path: Path) -> None:
    """As Terraform sends them."""
    rig = Rig(tmp_path)
    assert rig.functions is not None
    target = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
    await rig.ask("POST", FUNCTIONS, document(Environment={"Variables": {"AB": "1"}}, DeadLetterConfig=target))
    async with settling(rig.functions):
        await settled(rig)
        empty = {"Environment": {"Variables": {}}, "DeadLetterConfig": {"TargetArn": ""}, "Layers": []}
        changed = (await rig.ask("PUT", f"{ONE}/configuration", {**empty, "VpcConfig": {"SubnetIds": []}})).body
    assert not {"Environment", "DeadLetterConfig", "VpcConfig"} & set(changed)


@pytest.mark.parametrize(
    ("more", "kind", "text"),
    [
        (
            {"Runtime": "nodejs22.x"},
            "InvalidParameterValueException",
            "Value nodejs22.x at 'runtime' failed to satisfy",
        ),
        ({"Runtime": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory"),
        ({"Role": "r1"}, "ValidationException", "Value 'r1' at 'role' failed"),
        ({"Timeout": 901}, "ValidationException", "at 'timeout'"),
        ({"MemorySize": 64}, "ValidationException", "at 'memorySize'"),
        ({"FunctionName": "a.b"}, "ValidationException", "at 'functionName'"),
        ({"FunctionName": "made:1"}, "InvalidParameterValueException", "no versions"),
        ({"Publish": True}, "InvalidParameterValueException", "no versions"),
        ({"PackageType": "Image", "Code": {"ImageUri": "x"}}, "InvalidParameterValueException", "no images"),
        ({"Code": {"ImageUri": "x"}}, "InvalidParameterValueException", "no images"),
        ({"Code": {"S3Bucket": "b", "S3Key": "k"}}, "InvalidParameterValueException", "in place of S3Bucket"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source"),
        ({"Code": {"ZipFile": "?"}}, "SerializationException", "not base64"),
        ({"Code": {"ZipFile": sent(b"x")}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Layers": ["arn:x"]}, "InvalidParameterValueException", "layers"),
        ({"FileSystemConfigs": [{}]}, "InvalidParameterValueException", "file systems"),
        ({"Environment": {"Variables": {"AB": "x" * 4096}}}, "InvalidParameterValueException", "4KB limit"),
        ({"Environment": {"Variables": {"_HANDLER": "x"}}}, "InvalidParameterValueException", "reserved keys"),
        ({"FunctionName": "orders"}, "ResourceConflictException", "The configuration gives functions.orders ("),
    ],
)
async def test_refusals(tmp_path: Path, more: dict[str, Any], kind: str, text: str) -> None:
    """Nothing is made."""
    rig = Rig(tmp_path)
    answer = await rig.ask("POST", FUNCTIONS, document(**more))
    assert (answer.type, text in answer.message) == (kind, True), answer.message
    assert [one["FunctionName"] for one in (await rig.ask("GET", FUNCTIONS)).body["Functions"]] == ["audit", "orders"]


async def test_a_package_that_is_too_large_is_413(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on AWS, unlike one that unpacks to too much."""
    monkeypatch.setattr(archive, "ZIPPED_LIMIT_BYTES", 10)
    answer = await Rig(tmp_path).ask("POST", FUNCTIONS, document())
    assert (answer.status, answer.type) == (413, "RequestEntityTooLargeException")


async def test_changes_in_the_wrong_moment_are_refused(tmp_path: Path) -> None:
    """A second function of the name, a change while it is made or updated, another revision."""
    rig = Rig(tmp_path)
    assert rig.functions is not None

    async def refused(method: str, path: str, body: object) -> tuple[str, str]:
        answer: Answer = await rig.ask(method, path, body)
        return answer.type, answer.message

    await rig.ask("POST", FUNCTIONS, document())
    assert await refused("POST", FUNCTIONS, document()) == ("ResourceConflictException", "Function already exist: made")
    kind, text = await refused("PUT", f"{ONE}/configuration", {"Timeout": 4})
    assert (kind, text.endswith("state: Pending")) == ("ResourceConflictException", True)
    async with settling(rig.functions):
        await settled(rig)
        await rig.ask("PUT", f"{ONE}/configuration", {"Timeout": 4})
        kind, text = await refused("PUT", f"{ONE}/code", {"ZipFile": sent(OTHER)})
        assert text.endswith(f"An update is in progress for resource: {ARN}")
        known = (await settled(rig))["RevisionId"]
        kind, _ = await refused("PUT", f"{ONE}/code", {"ZipFile": sent(OTHER), "RevisionId": "other"})
        assert kind == "PreconditionFailedException"
        assert (await rig.ask("PUT", f"{ONE}/configuration", {"RevisionId": known, "Timeout": 5})).status == 200


async def test_a_deleted_function_is_not_found_and_takes_everything_with_it(tmp_path: Path) -> None:
    """Also while it still runs what it has begun; a new one of its name has nothing of it."""
    rig = Rig(tmp_path)
    assert rig.functions is not None
    rig.hosts.slow = True
    async with settling(rig.functions):
        await rig.ask("POST", FUNCTIONS, document(Tags={"a": "b"}))
        await settled(rig)
        await rig.ask("PUT", "/2017-10-31/functions/made/concurrency", {"ReservedConcurrentExecutions": 1})
        assert (await rig.ask("DELETE", ONE, Qualifier="$LATEST")).status == 400
        assert (await rig.ask("DELETE", ONE)).status == 204
        for answer in (await rig.ask("GET", ONE), await rig.ask("DELETE", ONE)):
            assert (answer.status, answer.message) == (404, f"Function not found: {ARN}")
        await rig.ask("POST", FUNCTIONS, document())
        await settled(rig)
        assert set((await rig.ask("GET", ONE)).body) == {"Configuration", "Code"}
    with anyio.fail_after(1):
        answer = await rig.ask("DELETE", f"{FUNCTIONS}/orders")
    assert (answer.type, "headrace.yaml" in answer.message) == ("ResourceConflictException", True)


async def test_versions_aliases_and_layers_are_refused_with_the_reason() -> None:
    """What asks for them is told that there are none; deleting an alias that there is not is done."""
    rig = Rig()
    for method, path in (
        ("POST", f"{FUNCTIONS}/orders/versions"),
        ("POST", f"{FUNCTIONS}/orders/aliases"),
        ("PUT", f"{FUNCTIONS}/orders/aliases/live"),
    ):
        answer = await rig.ask(method, path, {})
        assert (answer.type, "no versions and no aliases" in answer.message) == ("InvalidParameterValueException", True)
    assert (await rig.ask("GET", f"{FUNCTIONS}/orders/aliases/live")).status == 404
    assert (await rig.ask("DELETE", f"{FUNCTIONS}/orders/aliases/live")).status == 204
    assert (await rig.ask("POST", "/2018-10-31/layers/x/versions", {})).status == 400
    assert (await rig.ask("GET", "/2018-10-31/layers")).body == {"Layers": []}
    by_arn = await rig.ask("GET", "/2018-10-31/layers", find="LayerVersion", Arn="arn:aws:lambda:x:1")
    assert (by_arn.type, "There is no layer arn:aws:lambda:x:1. " in by_arn.message) == (
        "ResourceNotFoundException",
        True,
    )


async def test_where_functions_are_not_made_the_option_is_named() -> None:
    """Before the body is read: it may be large."""
    rig = Rig()
    for method, path in (
        ("POST", FUNCTIONS),
        ("DELETE", f"{FUNCTIONS}/orders"),
        ("PUT", f"{FUNCTIONS}/orders/code"),
        ("PUT", f"{FUNCTIONS}/orders/configuration"),
    ):
        answer = await rig.ask(method, path, {})
        assert (answer.status, "lambda_api.functions" in answer.message) == (403, True)
