"""What a worker finds in its environment, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.models import PythonFunction
from handlers.environment.aws_variables import CREDENTIAL_VARIABLES
from handlers.workers.environment import Identity, Place, worker_environment

IDENTITY = Identity("orders", "app.handler", "eu-west-1", "2026/11/20/[$LATEST]abc", "AWS_Lambda_python3.13")
PLACE = Place(Path("/code"), (Path("/one"), Path("/two")), Path("/scratch"), "127.0.0.1:9001")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
HEADRACE = {
    **KEYS,
    "HOME": "/home/me",
    "PATH": "/bin",
    "DATABASE_PASSWORD": "hunter2",
    "PYTHONPATH": "/elsewhere",
    "AWS_ENDPOINT_URL": "http://localhost:4566",
    "HEADRACE_LOG_LEVEL": "debug",
}


def environment(headrace: dict[str, str] | None = None, **settings: Any) -> dict[str, str]:  # noqa: ANN401
    """The environment of a function's worker."""
    model = PythonFunction(code=Path("/code"), handler="app.handler", **settings)
    return worker_environment(IDENTITY, PLACE, model, HEADRACE if headrace is None else headrace)


def test_lambdas_own_variables_are_set() -> None:
    """The variables that a function finds on Lambda, with the meaning that they have there."""
    assert environment({}, memory_size=512) == {
        "_HANDLER": "app.handler",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": "orders",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/20/[$LATEST]abc",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": "eu-west-1",
        "HOME": "/scratch",
        "LAMBDA_RUNTIME_DIR": "/scratch",
        "LAMBDA_TASK_ROOT": "/code",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/code:/code/lib:/two/lib:/one/lib",
        "PATH": "/two/bin:/one/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "TMPDIR": "/scratch",
        "TZ": ":UTC",
    }


def test_nothing_of_headraces_own_environment_is_passed_on_but_credentials_and_path() -> None:
    """A password or a module path that was meant for Headrace stays with Headrace; how AWS is reached does not."""
    worker = environment()
    assert not {"DATABASE_PASSWORD", "PYTHONPATH", "HEADRACE_LOG_LEVEL"} & set(worker)
    assert worker["AWS_ENDPOINT_URL"] == "http://localhost:4566"
    assert {name: worker[name] for name in KEYS} == KEYS
    assert worker["PATH"] == "/two/bin:/one/bin:/bin"
    assert worker["HOME"] == "/home/me"


def test_what_is_asked_for_by_name_is_inherited() -> None:
    """Names that Headrace does not have are left out."""
    worker = environment(inherit_environment=["DATABASE_PASSWORD", "MISSING"])
    assert worker["DATABASE_PASSWORD"] == "hunter2"
    assert "MISSING" not in worker


def test_the_functions_own_variables_win() -> None:
    """Over defaults, credentials and what is inherited; but not over what the runtime's client depends on."""
    worker = environment(
        inherit_environment=["DATABASE_PASSWORD"],
        environment={
            "DATABASE_PASSWORD": "own",
            "TZ": "Europe/Berlin",
            "AWS_ACCESS_KEY_ID": "own",
            "AWS_LAMBDA_RUNTIME_API": "evil:1",
        },
    )
    assert worker["DATABASE_PASSWORD"] == "own"
    assert worker["TZ"] == "Europe/Berlin"
    assert worker["AWS_ACCESS_KEY_ID"] == "own"
    assert worker["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"


def test_credentials_can_be_withheld() -> None:
    """Every place where an SDK looks for credentials is empty, the home folder and the metadata service included."""
    everything = {name: f"headrace's {name}" for name in CREDENTIAL_VARIABLES}
    worker = environment(everything, credentials="none")
    assert not any("headrace's" in value for value in worker.values())
    assert worker["AWS_EC2_METADATA_DISABLED"] == "true"
    assert worker["AWS_CONFIG_FILE"] == worker["AWS_SHARED_CREDENTIALS_FILE"] == "/scratch/no-credentials"
    assert worker["HOME"] == "/scratch"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
    ],
)
def test_credentials_from_elsewhere_than_variables_are_passed_by_default(name: str) -> None:
    """Profiles, container roles and web identities work in a worker as they do in Headrace."""
    assert environment({name: "value"})[name] == "value"
