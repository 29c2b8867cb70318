"""Functions as clients read them: members, pages, and what is not shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.models import HttpFunction, ProvidedFunction
from pollers.lambda_api.control.function_document import configuration
from pollers.resources.made import Made
from tests.unit.lambda_api.control.rig import ARN, HERE, Rig

FUNCTIONS = "/2015-03-31/functions"
ORDERS = f"{FUNCTIONS}/orders"
ALWAYS = {
    "Architectures", "CodeSha256", "CodeSize", "Description", "EphemeralStorage", "FunctionArn", "FunctionName", "Handler",
    "LastModified", "LoggingConfig", "MemorySize", "PackageType", "RevisionId", "Role", "Runtime", "SnapStart", "Timeout",
    "TracingConfig", "Version",
}  # fmt: skip
STATES = {"State", "LastUpdateStatus", "RuntimeVersionConfig"}


async def test_a_function_has_the_members_that_aws_always_gives() -> None:
    """Whole in GetFunction and GetFunctionConfiguration, without states in lists."""
    rig = Rig(timeout=2.5, memory_size=256)
    whole = (await rig.ask("GET", ORDERS)).body
    assert set(whole) == {"Configuration", "Code"}
    found = whole["Configuration"]
    assert set(found) == ALWAYS | STATES
    assert (found["State"], found["LastUpdateStatus"], found["Version"]) == ("Active", "Successful", "$LATEST")
    assert (found["FunctionArn"], found["Timeout"], found["MemorySize"]) == (ARN, 3, 256)
    assert found["LastModified"] == "2025-11-24T16:00:00.123+0000"
    assert found["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/orders"}
    assert (await rig.ask("GET", f"{ORDERS}/configuration")).body == found
    [_, listed] = (await rig.ask("GET", FUNCTIONS)).body["Functions"]
    assert listed == {name: found[name] for name in ALWAYS}


async def test_a_qualified_question_gets_a_qualified_arn() -> None:
    """As on AWS."""
    rig = Rig()
    for answer in (
        await rig.ask("GET", f"{ORDERS}/configuration", Qualifier="$LATEST"),
        Answered((await rig.ask("GET", FUNCTIONS, FunctionVersion="ALL")).body["Functions"][1]),
        Answered((await rig.ask("GET", f"{ORDERS}/versions")).body["Versions"][0]),
    ):
        assert answer.body["FunctionArn"] == f"{ARN}:$LATEST"


class Answered:
    """A document of a list, beside whole answers."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


async def test_what_identifies_the_code_stays_until_the_configuration_changes() -> None:
    """A client that compares sees no change where there was none."""
    rig = Rig(timeout=3)
    first = (await rig.ask("GET", f"{ORDERS}/configuration")).body
    rig.clock.now += 100
    rig.configure(orders={"timeout": 3}, audit={})
    assert (await rig.ask("GET", f"{ORDERS}/configuration")).body == first
    rig.configure(orders={"timeout": 4}, audit={})
    changed = (await rig.ask("GET", f"{ORDERS}/configuration")).body
    for name in ("CodeSha256", "RevisionId", "LastModified"):
        assert changed[name] != first[name]


async def test_values_of_environment_variables_are_not_shown() -> None:
    """Whoever may call functions may not read their secrets; the document says so in AWS's form."""
    rig = Rig(environment={"TOKEN": "hush-hush"})
    found = (await rig.ask("GET", ORDERS)).body
    assert found["Configuration"]["Environment"]["Error"]["ErrorCode"] == "AccessDeniedException"
    assert "hush-hush" not in json.dumps(found)


def test_functions_of_other_runtimes_are_shown_in_lambdas_words() -> None:
    """A program is ``provided``; what runs elsewhere is an image, which needs neither runtime nor handler."""
    provided = ProvidedFunction.model_validate({"runtime": "provided", "code": "/", "command": ["x"]})
    found = configuration("f", provided, Made(), HERE)
    assert (found["Runtime"], found["Handler"], found["PackageType"]) == ("provided.al2023", "bootstrap", "Zip")
    remote = configuration("f", HttpFunction.model_validate({"runtime": "http", "url": "http://x"}), Made(), HERE)
    assert remote["PackageType"] == "Image"
    assert not {"Runtime", "Handler", "RuntimeVersionConfig"} & set(remote)


async def test_a_dead_letter_queue_and_a_log_in_json_are_shown() -> None:
    """Where they are configured."""
    queue = "arn:aws:sqs:us-east-1:000000000000:dead"
    rig = Rig(dead_letter_config={"target_arn": queue}, logging_config={"log_format": "JSON"})
    found = (await rig.ask("GET", f"{ORDERS}/configuration")).body
    assert found["DeadLetterConfig"] == {"TargetArn": queue}
    assert found["LoggingConfig"]["ApplicationLogLevel"] == "INFO"


async def test_functions_are_listed_in_pages() -> None:
    """By name; a page goes on where the last one ended, also when a function left meanwhile."""
    rig = Rig()
    names = sorted(f"f{number}" for number in range(120))
    rig.configure(**{name: {} for name in names})
    seen: list[str] = []
    query: dict[str, str] = {}
    while True:
        body = (await rig.ask("GET", FUNCTIONS, **query)).body
        seen += [function["FunctionName"] for function in body["Functions"]]
        if "NextMarker" not in body:
            break
        query["Marker"] = body["NextMarker"]
        assert len(body["Functions"]) == 50
        rig.hosts.pop(seen[-1], None)
    assert seen == names
    assert len((await rig.ask("GET", FUNCTIONS, MaxItems="3")).body["Functions"]) == 3


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"MaxItems": "0"}, "ValidationException"),
        ({"MaxItems": "10001"}, "ValidationException"),
        ({"MaxItems": "x"}, "SerializationException"),
        ({"Marker": "!"}, "InvalidParameterValueException"),
        ({"Marker": "gA=="}, "InvalidParameterValueException"),
        ({"FunctionVersion": "1"}, "ValidationException"),
    ],
)
async def test_a_wrong_page_is_refused(query: dict[str, str], error: str) -> None:
    """Rather than an empty list, which would look like the end."""
    answer = await Rig().ask("GET", FUNCTIONS, **query)
    assert (answer.status, answer.type) == (400, error)


@pytest.mark.parametrize("path", ["", "/configuration", "/versions", "/aliases"])
async def test_an_unknown_function_is_named_as_it_was_asked_for(path: str) -> None:
    """With a qualifier only where one was given."""
    rig, arn = Rig(), ARN.replace("orders", "nobody")
    assert (await rig.ask("GET", f"{FUNCTIONS}/nobody{path}")).message == f"Function not found: {arn}"
    answer = await rig.ask("GET", f"{FUNCTIONS}/nobody{path}", Qualifier="$LATEST")
    assert (answer.status, answer.message) == (404, f"Function not found: {arn}:$LATEST")
    assert (await rig.ask("GET", f"{FUNCTIONS}/orders{path}", Qualifier="1")).message == f"Function not found: {ARN}:1"


async def test_what_clients_ask_first_is_answered() -> None:
    """The account, tags, aliases and code signing: nothing is there, and that is said in the right form."""
    rig = Rig(concurrency=4)
    await rig.ask("PUT", "/2017-10-31/functions/orders/concurrency", {"ReservedConcurrentExecutions": 1})
    account = (await rig.ask("GET", "/2016-08-19/account-settings/")).body
    assert set(account["AccountLimit"]) == {
        "TotalCodeSize", "CodeSizeUnzipped", "CodeSizeZipped", "ConcurrentExecutions", "UnreservedConcurrentExecutions"
    }  # fmt: skip
    assert account["AccountLimit"]["ConcurrentExecutions"] == 9
    assert account["AccountLimit"]["UnreservedConcurrentExecutions"] == 5
    assert account["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 2}
    arn = ARN.replace(":", "%3A")
    assert (await rig.ask("GET", f"/2017-03-31/tags/{arn}")).body == {"Tags": {}}
    assert (await rig.ask("GET", f"/2017-03-31/tags/{arn}x")).status == 404
    assert (await rig.ask("GET", "/2017-03-31/tags/x")).status == 400
    assert (await rig.ask("GET", f"{ORDERS}/aliases")).body == {"Aliases": []}
    assert (await rig.ask("GET", "/2020-06-30/functions/orders/code-signing-config")).body == {}
