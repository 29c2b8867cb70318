"""A configured function in Lambda's words. What is not known here has a value that is plausible and stays (docs/lambda 11.11)."""

from __future__ import annotations

import base64
import math
import platform
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from config.models import InProcessFunction, ProcessFunction, ProvidedFunction, PythonFunction
from config.text.arns import partition_of
from pollers.lambda_api.names import LATEST
from pollers.resources.made import Seen
from pollers.resources.precedence import FUNCTION

if TYPE_CHECKING:
    from config.models import FunctionModel, LoggingConfig
    from pollers.lambda_api.names import Here
    from pollers.resources.made import Made

MEMORY_MIB = 128
STORAGE_MIB = 512
_NAMES = uuid.UUID("6f8f5b1e-5d0a-4f0c-9a0e-2c5b5a1d7e11")
"""What the ids of revisions are made with."""
_NOT_SHOWN = {
    "ErrorCode": "AccessDeniedException",
    "Message": "Headrace does not show the values of environment variables through the API.",
}
_UNSEEN = Seen("00" * 32, 0.0, 0.0)
_RUNTIME_VERSION = "0cdcfbdefbc5e7d3343f73c2e2dd3cba17d61dea0686b404502a0c9ce83931b9"
"""Of the form that AWS's have: 64 hexadecimal digits."""


def configuration(
    name: str, model: FunctionModel, made: Made, here: Here, *, listed: bool = False, qualified: bool = False
) -> dict[str, Any]:
    """The FunctionConfiguration. ``listed``: as lists have it, without states; ``qualified``: its ARN ends in ``:$LATEST``."""
    seen = made.seen.get(FUNCTION, _UNSEEN)
    document = {
        "FunctionName": name,
        "FunctionArn": here.arn(name, LATEST if qualified else None),
        **_program(model),
        "Role": f"arn:{partition_of(here.region)}:iam::{here.account}:role/headrace",
        "CodeSize": 0,
        "Description": "",
        "Timeout": math.ceil(model.timeout),
        "MemorySize": _memory(model),
        "LastModified": time_text(seen.modified_at),
        "CodeSha256": base64.b64encode(bytes.fromhex(seen.digest)).decode(),
        "Version": LATEST,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": revision_id(made),
        "Architectures": ["arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"],
        "EphemeralStorage": {"Size": STORAGE_MIB},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": _logging(name, getattr(model, "logging_config", None)),
    }
    if isinstance(model, ProcessFunction) and model.environment:
        document["Environment"] = {"Error": _NOT_SHOWN}
    if model.dead_letter_config.target_arn:
        document["DeadLetterConfig"] = {"TargetArn": model.dead_letter_config.target_arn}
    return document if listed else {**document, **_states(model, here)}


def code(model: FunctionModel) -> dict[str, str]:
    """Where the code is: on this machine, so nobody is told."""
    return {"RepositoryType": "ECR" if _is_remote(model) else "S3", "Location": ""}


def revision_id(made: Made) -> str:
    """Another one after each change of the function or its policy, which share it (docs/lambda 11.12)."""
    seen = made.seen.get(FUNCTION, _UNSEEN)
    return str(uuid.uuid5(_NAMES, f"{seen.digest} {seen.modified_at} {made.policy_changes}"))


def _states(model: FunctionModel, here: Here) -> dict[str, Any]:
    states: dict[str, Any] = {"State": "Active", "LastUpdateStatus": "Successful"}
    if not _is_remote(model):
        arn = f"arn:{partition_of(here.region)}:lambda:{here.region}::runtime:{_RUNTIME_VERSION}"
        states["RuntimeVersionConfig"] = {"RuntimeVersionArn": arn}
    return states


def _is_remote(model: FunctionModel) -> bool:
    """Whether it runs elsewhere: to clients it is an image, of which nothing needs to be known."""
    return not isinstance(model, (ProcessFunction, InProcessFunction))


def _program(model: FunctionModel) -> dict[str, str]:
    if isinstance(model, ProvidedFunction):
        return {"Runtime": "provided.al2023", "Handler": model.handler or "bootstrap", "PackageType": "Zip"}
    if isinstance(model, (PythonFunction, InProcessFunction)):
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return {"Runtime": runtime, "Handler": model.handler, "PackageType": "Zip"}
    return {"PackageType": "Image"}


def _memory(model: FunctionModel) -> int:
    return model.memory_size or MEMORY_MIB if isinstance(model, ProcessFunction) else MEMORY_MIB


def _logging(name: str, config: LoggingConfig | None) -> dict[str, str]:
    if config is None:
        return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    levels = {}
    if config.log_format == "JSON":
        levels = {
            "ApplicationLogLevel": config.application_log_level or "INFO",
            "SystemLogLevel": config.system_log_level or "INFO",
        }
    return {"LogFormat": config.log_format, **levels, "LogGroup": config.log_group or f"/aws/lambda/{name}"}


def time_text(seconds: float) -> str:
    """As functions have it, unlike mappings and URLs: ``2018-11-20T20:41:16.647+0000``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{int(seconds * 1000) % 1000:03}+0000"
