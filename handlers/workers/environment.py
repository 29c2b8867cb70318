"""A worker's environment variables: Lambda's, the function's own, and of Headrace's only what was asked for.

A decider: Headrace's environment is an argument.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.environment import Profile, credential_variables, followed_variables, with_loopback_direct
from handlers.workers.memory import machine_mib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from config.models import LoggingConfig, ProcessFunction

_LAMBDA_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/bin"


TOKEN = "HEADRACE_TOKEN"  # noqa: S105 - a name
"""What gives control of Headrace: no function gets it, whatever it asks for."""


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
    identity: Identity,
    place: Place,
    model: ProcessFunction,
    headrace: Mapping[str, str],
    profile: Profile = Profile(),  # noqa: B008 - immutable
) -> dict[str, str]:
    """Everything that a worker finds in its environment (the variables are those that AWS's guide lists as defined).

    ``environment`` wins over all but what the runtime client depends on; ``inherit_environment`` over the defaults.
    ``headrace`` is Headrace's own environment as its AWS clients understand it, ``profile`` that of its configuration files.
    """
    inherited = {name: headrace[name] for name in model.inherit_environment if name in headrace and name != TOKEN}
    own = {**inherited, **model.environment}
    found = {
        **_defaults(place, headrace),
        **_region(identity.region, own),
        "HOME": str(place.scratch),
        **followed_variables(model, headrace, profile),
        **credential_variables(model, headrace, place.scratch),
        **own,
        **_reserved(identity, place, model),
    }
    return with_loopback_direct(found)


def memory_size_mib(model: ProcessFunction) -> int:
    """The function's memory as it is told to it: its limit, or all that the machine has."""
    return model.memory_size or machine_mib()


def _defaults(place: Place, headrace: Mapping[str, str]) -> dict[str, str]:
    layers = list(reversed(place.layers))  # a later layer lies over the ones before it
    path = [str(layer / "bin") for layer in layers] + [headrace.get("PATH") or _LAMBDA_PATH]
    libraries = [str(place.code), str(place.code / "lib"), *(str(layer / "lib") for layer in layers)]
    return {
        "PATH": os.pathsep.join(path),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "TMPDIR": str(place.scratch),
    }


def _region(region: str, own: Mapping[str, str]) -> dict[str, str]:
    """By both names: some SDKs read the one, some the other. A function that gives one means both."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    region = next((own[name] for name in names if own.get(name)), region)
    return dict.fromkeys(names, region) if region else {}


def _reserved(identity: Identity, place: Place, model: ProcessFunction) -> dict[str, str]:
    return {
        "_HANDLER": identity.handler,
        "AWS_EXECUTION_ENV": identity.execution_environment,
        "AWS_LAMBDA_RUNTIME_API": place.runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": identity.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_size_mib(model)),
        "AWS_LAMBDA_LOG_GROUP_NAME": model.logging_config.log_group or f"/aws/lambda/{identity.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": identity.log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(place.code),
        # Wrappers put it on sys.path: nothing of ours must lie there.
        "LAMBDA_RUNTIME_DIR": str(place.scratch),
        **_logging(model.logging_config),
    }


def _logging(config: LoggingConfig) -> dict[str, str]:
    """What runtime clients read of the function's ``logging_config``; a level with JSON only, as on Lambda."""
    level = config.application_level
    return {"AWS_LAMBDA_LOG_FORMAT": config.log_format, **({} if level is None else {"AWS_LAMBDA_LOG_LEVEL": level})}
