"""A worker's environment variables: Lambda's, the function's own, and of Headrace's only what was asked for.

A decider: Headrace's environment is an argument.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.worker_memory import machine_mib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from config.models import ProcessFunction

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")

CREDENTIAL_VARIABLES = (
    *_KEYS,
    *_FILES,
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "HOME",  # where the SDKs look for ~/.aws
)
"""Wherever the SDKs' chain of credential providers looks."""

_LAMBDA_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/bin"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a worker is told about its function."""

    name: str
    handler: str
    region: str
    log_stream: str
    execution_environment: str = "AWS_Lambda_provided"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker runs."""

    code: Path
    layers: Sequence[Path]
    scratch: Path
    runtime_api: str


def worker_environment(
    identity: Identity, place: Place, model: ProcessFunction, headrace: Mapping[str, str]
) -> dict[str, str]:
    """Everything that a worker finds in its environment (the variables are those that AWS's guide lists as defined).

    ``environment`` wins over all but what the runtime client depends on; ``inherit_environment`` over the defaults.
    """
    home = {"HOME": str(place.scratch), **_credentials(model, place, headrace)}
    inherited = {name: headrace[name] for name in model.inherit_environment if name in headrace}
    return {
        **_defaults(place, headrace, identity),
        **home,
        **inherited,
        **model.environment,
        **_reserved(identity, place, model),
    }


def memory_size_mib(model: ProcessFunction) -> int:
    """The function's memory as it is told to it: its limit, or all that the machine has."""
    return model.memory_size or machine_mib()


def _defaults(place: Place, headrace: Mapping[str, str], identity: Identity) -> dict[str, str]:
    layers = list(reversed(place.layers))  # a later layer lies over the ones before it
    path = [str(layer / "bin") for layer in layers] + [headrace.get("PATH") or _LAMBDA_PATH]
    libraries = [str(place.code), str(place.code / "lib"), *(str(layer / "lib") for layer in layers)]
    return {
        "PATH": os.pathsep.join(path),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "TMPDIR": str(place.scratch),
        "AWS_REGION": identity.region,
        "AWS_DEFAULT_REGION": identity.region,
        "AWS_EXECUTION_ENV": identity.execution_environment,
    }


def _reserved(identity: Identity, place: Place, model: ProcessFunction) -> dict[str, str]:
    return {
        "_HANDLER": identity.handler,
        "AWS_LAMBDA_RUNTIME_API": place.runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": identity.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_size_mib(model)),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{identity.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": identity.log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(place.code),
        # Wrappers put it on sys.path: nothing of ours must lie there.
        "LAMBDA_RUNTIME_DIR": str(place.scratch),
    }


def _credentials(model: ProcessFunction, place: Place, headrace: Mapping[str, str]) -> dict[str, str]:
    if model.credentials == "none":
        # Nothing is passed, and what the SDKs would look for by themselves is pointed at nothing.
        nowhere = str(place.scratch / "no-credentials")
        return {**dict.fromkeys(_FILES, nowhere), "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(place.scratch)}
    return {name: headrace[name] for name in CREDENTIAL_VARIABLES if headrace.get(name)}
