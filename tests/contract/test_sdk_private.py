"""Private names of the SDK: each is there and has the shape that is relied on, and no file but one touches any."""

from __future__ import annotations

import ast
import importlib
import inspect
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import awslambdaric.bootstrap
import pytest
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.parsers import AioJSONParser
from aiobotocore.session import AioSession, get_session
from botocore.session import Session
from botocore.useragent import UserAgentString

from pollers.aws.wire.sdk_private import is_proxied, resolve_endpoint, set_body, tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
SDK = ("aiobotocore", "botocore", "awslambdaric", "runtime_client")
DOCUMENTED = {
    *("aiobotocore.config", "aiobotocore.session", "aiobotocore.credentials"),
    *("botocore", "botocore.config", "botocore.session", "botocore.credentials", "botocore.exceptions"),
}
"""The SDK's modules that its documentation tells users to import."""
EXCEPTIONS = {
    # AWS's client, in a function's own interpreter, where nothing of ours can be imported.
    "handlers/workers/main.py": {"awslambdaric.__main__", "runtime_client", "_get_handler"},
    # Its JSON encoding and its own exception, so that an in-process function gets what a worker would get.
    "handlers/in_process/calls.py": {
        "awslambdaric.lambda_runtime_exception",
        "awslambdaric.lambda_runtime_marshaller",
    },
    # aiohttp leaves whoever reads a body that broke waiting for its rest; tests/unit/lambda_api hold both ends of that.
    "pollers/lambda_api/http.py": {"_current_request", "_messages"},
    # Its client context, and how it refuses one that is no JSON: handlers may ask for these classes.
    "handlers/in_process/context.py": {"awslambdaric.lambda_context", "awslambdaric.lambda_runtime_exception"},
}
ELSEWHERE = {"_exit", "_replace", "_current_frames", "_Environ"}
"""Names of the standard library, public in all but their underscore."""


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    """A stock client, which needs no service."""
    config = AioConfig(region_name="eu-west-1")
    made = get_session().create_client("kinesis", config=config, aws_access_key_id="test", aws_secret_access_key="test")
    async with made as client:
        yield client


def test_the_parser_parses_success_where_we_do() -> None:
    """``_do_parse`` is a coroutine that is given the response and the shape."""
    assert inspect.iscoroutinefunction(AioJSONParser._do_parse)
    assert list(inspect.signature(AioJSONParser._do_parse).parameters) == ["self", "response", "shape"]


def test_the_user_agent_is_made_by_to_string() -> None:
    """And by nothing that takes arguments."""
    assert list(inspect.signature(UserAgentString.to_string).parameters) == ["self"]


def test_components_can_be_registered_lazily() -> None:
    """What is registered is called when the component is asked for first."""
    session, loaders = AioSession(), iter(["loader"])
    session._components.lazy_register_component("data_loader", lambda: next(loaders))
    assert session.get_component("data_loader") == "loader"


async def test_a_response_with_a_body_does_not_read_one() -> None:
    """``content`` gives what was set."""
    response = AioAWSResponse("http://h/", 200, {}, raw=None)
    set_body(response, b"body")
    assert await response.content == b"body"


async def test_a_client_tells_where_a_call_goes(client: Any) -> None:  # noqa: ANN401 - the SDK's clients have no types
    """By its endpoint rules, with the signature that they want."""
    model = client.meta.service_model.operation_model("GetRecords")
    context = {"client_region": client.meta.region_name, "client_config": client.meta.config}
    parameters = {"ShardIterator": "i", "StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"}
    url, headers = await resolve_endpoint(client, model, parameters, context)
    assert url == "https://123456789012.data-kinesis.eu-west-1.amazonaws.com"
    assert not headers
    assert context.get("auth_type", "v4") == "v4"


async def test_a_client_tells_its_proxy(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """None here, as none is configured."""
    assert is_proxied(client, "https://kinesis.eu-west-1.amazonaws.com") is False


async def test_a_client_tells_how_it_connects(client: Any) -> None:  # noqa: ANN401
    """The context that its connector would use, which verifies names."""
    context = await tls_context(client)
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert inspect.iscoroutinefunction(AIOHTTPSession._create_connector)
    assert "ssl" in inspect.signature(aiohttp.TCPConnector.__init__).parameters


def test_the_sdks_session_lists_its_variables() -> None:
    """As ``handlers/environment/profile.py`` reads them: a key of the file, then the variable or variables."""
    known = {key: variables for key, variables, *_ in Session.SESSION_VARIABLES.values()}
    assert known["ca_bundle"] == "AWS_CA_BUNDLE"


def test_awss_client_loads_a_handler_by_the_name_that_a_worker_wraps() -> None:
    """``handlers/workers/main.py`` sets ``AWS_EXECUTION_ENV`` there; without it, it does so earlier."""
    assert list(inspect.signature(awslambdaric.bootstrap._get_handler).parameters) == ["handler"]


def sources() -> list[Path]:
    """Every file of the three packages, but the one where private names belong."""
    found = (path for package in ("config", "handlers", "pollers") for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if path.name != "sdk_private.py")


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module in SDK else [node.module]
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own_names(tree: ast.AST) -> set[str]:
    """The private names that a file defines itself, as functions, classes, fields or attributes of its objects."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case (
                ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self"))
                | ast.Name(id=name, ctx=ast.Store())
            ):
                found.add(name)
    return found


def private_attributes(tree: ast.AST, inherited: set[str]) -> Iterator[str]:
    """The private attributes that a file reads or writes and does not define, and private names that it asks for as text.

    Of ``self`` it may also use what another file of ours defines, which ``inherited`` lists.
    """
    own = own_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=owner) if name.startswith("_") and not name.startswith("__"):
                of_self = isinstance(owner, ast.Name) and owner.id == "self"
                if name not in own and not (of_self and name in inherited):
                    yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                if name.startswith("_"):
                    yield name


def test_no_other_file_touches_what_is_the_sdks_own() -> None:
    """Neither a private attribute nor a module that is not documented."""
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sources()}
    inherited = {name for tree in trees.values() for name in own_names(tree)}
    found = {}
    for path, tree in trees.items():
        modules = {name for name in imported(tree) if name.partition(".")[0] in SDK}
        touched = (modules - DOCUMENTED) | (set(private_attributes(tree, inherited)) - ELSEWHERE)
        if not touched <= EXCEPTIONS.get(path, set()):
            found[path] = touched
    assert found == {}


@pytest.mark.parametrize("module", ["pollers.aws.wire.passthrough"])
def test_our_subclasses_of_the_sdks_classes_replace_nothing_private(module: str) -> None:
    """A private method of the same name would be called by the SDK instead of its own."""
    for _, kind in inspect.getmembers(importlib.import_module(module), inspect.isclass):
        of_sdk = {name for base in kind.__mro__ if base.__module__.partition(".")[0] in SDK for name in vars(base)}
        own = {name for name in vars(kind) if name.startswith("_") and not name.startswith("__")}
        if kind.__module__ == module:
            assert not own & of_sdk - {"_abc_impl"}, kind
