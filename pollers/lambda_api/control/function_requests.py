"""Reading the documents of CreateFunction, UpdateFunctionCode and UpdateFunctionConfiguration (docs/lambda 16.8, 16.9)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.functions.reading import NAME
from pollers.lambda_api import errors
from pollers.lambda_api.control.requests import members_of, wrong_type
from pollers.lambda_api.control.tagging import tags_of
from pollers.made_functions import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.lambda_api.control.requests import Members
    from pollers.lambda_api.errors import ApiError

BODY_LIMIT_BYTES = 70 * 1024 * 1024
"""A package of 50 MiB in base64, and what stands around it."""
ENVIRONMENT_LIMIT_BYTES = 4096
ROLE_PATTERN = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
HANDLER_PATTERN = r"[^\s]+"
TARGET_PATTERN = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
"""As the model has them."""
NO_PROGRAM = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
NO_CODE = "Please provide a source for function code."
_RUNTIME = (
    "Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN"
)
NO_VERSIONS = (
    "Headrace keeps no versions and no aliases of functions, only $LATEST: leave out Publish, and name the function without a "
    "qualifier."
)
NO_IMAGES = (
    "Headrace runs no images: send a .zip file (Code.ZipFile), or configure the function in its file with runtime http."
)
NO_S3 = "Headrace takes code from the request only: send the .zip file itself (Code.ZipFile) in place of S3Bucket and S3Key."
_REFUSED = {
    "FileSystemConfigs": "Headrace mounts no file systems: leave FileSystemConfigs out.",
    "Layers": "Headrace cannot fetch layers by ARN: put their content into the .zip file, or configure the function with layers.",
    "CodeSigningConfigArn": "Headrace checks no signatures of code: leave CodeSigningConfigArn out.",
    "ImageConfig": NO_IMAGES,
    "DurableConfig": "Headrace has no durable functions: leave DurableConfig out.",
    "CapacityProviderConfig": "Headrace has no capacity providers: leave CapacityProviderConfig out.",
    "TenancyConfig": "Headrace isolates no tenants: leave TenancyConfig out.",
}
"""Settings without which the function would not do what its client expects."""


def _object(**members: object) -> dict[str, object]:
    return {"type": "object", "properties": members}


_TEXT, _WHOLE, _YES = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_MAP = {"type": "object", "additionalProperties": _TEXT}
_SETTINGS: dict[str, Any] = {
    "Runtime": _TEXT,
    "Handler": _TEXT,
    "Role": _TEXT,
    "Description": _TEXT,
    "Timeout": _WHOLE,
    "MemorySize": _WHOLE,
    "Environment": _object(Variables=_MAP),
    "DeadLetterConfig": _object(TargetArn=_TEXT),
    "LoggingConfig": _object(LogFormat=_TEXT, ApplicationLogLevel=_TEXT, SystemLogLevel=_TEXT, LogGroup=_TEXT),
    "EphemeralStorage": _object(Size=_WHOLE),
    "TracingConfig": _object(Mode=_TEXT),
    "SnapStart": _object(ApplyOn=_TEXT),
    "VpcConfig": _object(SubnetIds=_TEXTS, SecurityGroupIds=_TEXTS),
    "KMSKeyArn": _TEXT,
}
_CODE = {"ZipFile": _TEXT, "S3Bucket": _TEXT, "S3Key": _TEXT, "ImageUri": _TEXT}
CREATE_BODY: dict[str, Any] = _object(
    FunctionName=_TEXT,
    PackageType=_TEXT,
    Code=_object(**_CODE),
    Publish=_YES,
    Architectures=_TEXTS,
    Tags=_MAP,
    **_SETTINGS,
)
CODE_BODY: dict[str, Any] = _object(Publish=_YES, DryRun=_YES, RevisionId=_TEXT, Architectures=_TEXTS, **_CODE)
CONFIGURATION_BODY: dict[str, Any] = _object(RevisionId=_TEXT, **_SETTINGS)
_EMPTY = {"Environment": "Variables", "DeadLetterConfig": "TargetArn", "KMSKeyArn": "", "Description": ""}
"""Settings that an empty value takes away, and the member that is empty then."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a document asks for. None among ``settings`` takes one away. ``zipped``: the package; None without one."""

    settings: dict[str, Any]
    name: str = ""
    zipped: bytes | None = None
    tags: Mapping[str, str] | None = None
    revision_id: str | None = None
    dry_run: bool = False


def read_create(body: bytes) -> Asked:
    """A new function; ``name`` as it was written. May take a tenth of a second for a large package. Raises ApiError."""
    members = members_of(body)
    name = members.text("FunctionName", least=1, most=140, required=True)
    members.text("Role", pattern=ROLE_PATTERN, required=True)
    kind = members.choice("PackageType", ("Zip", "Image"))
    code = members.section("Code")
    settings = _settings(members)
    _check(members)
    if kind == "Image":
        raise errors.invalid_parameter(NO_IMAGES)
    if not ("Runtime" in settings and "Handler" in settings):
        raise errors.invalid_parameter(NO_PROGRAM)
    zipped = _zipped(code) if code is not None else None
    if zipped is None:
        raise errors.invalid_parameter(NO_CODE)
    given = {key: value for key, value in settings.items() if value is not None}
    return Asked(given, name or "", zipped, tags_of(members, required=False))


def read_code(body: bytes) -> Asked:
    """Other code. Takes as long, and raises the same, as :func:`read_create`."""
    members = members_of(body)
    dry_run = members.flag("DryRun")
    revision = members.text("RevisionId")
    settings = _architectures(members)
    _check(members)
    zipped = _zipped(members)
    if zipped is None:
        raise errors.invalid_parameter(NO_CODE)
    return Asked(settings, zipped=zipped, revision_id=revision, dry_run=bool(dry_run))


def read_configuration(body: bytes) -> Asked:
    """Other settings. Raises ApiError."""
    members = members_of(body)
    revision = members.text("RevisionId")
    settings = _settings(members)
    _check(members)
    return Asked(settings, revision_id=revision)


def check_name(name: str) -> None:
    """Raises ApiError for a name that no function here may have."""
    if not NAME.fullmatch(name):
        raise errors.invalid(errors.pattern_broken(name, "functionName", NAME.pattern))


def _check(members: Members) -> None:
    """All violations of the model, and then what is not served."""
    publish = members.flag("Publish")
    members.check()
    if publish:
        raise errors.invalid_parameter(NO_VERSIONS)
    for name, text in _REFUSED.items():
        if members.sent(name):
            raise errors.invalid_parameter(text)


def _settings(members: Members) -> dict[str, Any]:
    members.text("Handler", pattern=HANDLER_PATTERN, most=128)
    members.text("Role", pattern=ROLE_PATTERN)
    members.text("Description", most=256)
    members.integer("Timeout", least=1, most=900)
    members.integer("MemorySize", least=128, most=10_240)
    members.text("KMSKeyArn", pattern=TARGET_PATTERN)
    _check_sections(members)
    _check_environment(members)
    runtime = members.text("Runtime")
    if runtime is not None and runtime not in RUNTIMES:
        raise _unknown_runtime(runtime)
    given = {name: members.sent(name) for name in _SETTINGS if members.given(name)}
    return {**{name: _unless_empty(name, value) for name, value in given.items()}, **_architectures(members)}


def _unless_empty(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name == "VpcConfig":
        return value if value.get("SubnetIds") or value.get("SecurityGroupIds") else None
    if name in _EMPTY:
        inner = _EMPTY[name]
        return value if (value.get(inner) if inner else value) else None
    return value


def _architectures(members: Members) -> dict[str, Any]:
    members.words("Architectures", ("x86_64", "arm64"))
    given = members.sent("Architectures")
    return {"Architectures": given[:1]} if given else {}


def _check_sections(members: Members) -> None:
    if (dead := members.section("DeadLetterConfig")) is not None:
        dead.text("TargetArn", pattern=TARGET_PATTERN)
    if (tracing := members.section("TracingConfig")) is not None:
        tracing.choice("Mode", ("Active", "PassThrough"))
    if (storage := members.section("EphemeralStorage")) is not None:
        storage.integer("Size", least=512, most=10_240, required=True)
    if (snap := members.section("SnapStart")) is not None:
        snap.choice("ApplyOn", ("PublishedVersions", "None"), required=True)
    if (logging := members.section("LoggingConfig")) is not None:
        logging.choice("LogFormat", ("JSON", "Text"))
        logging.choice("ApplicationLogLevel", ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))
        logging.choice("SystemLogLevel", ("DEBUG", "INFO", "WARN"))
        logging.text("LogGroup", pattern=r"[\.\-_/#A-Za-z0-9]+", most=512)
    if (network := members.section("VpcConfig")) is not None:
        for name in ("SubnetIds", "SecurityGroupIds"):
            network.texts(name, most=16, length=(0, 1024))


def _check_environment(members: Members) -> None:
    environment = members.section("Environment")
    variables = environment.sent("Variables") if environment is not None else None
    if variables is None:
        return
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise wrong_type("environment.variables", "a Map of Strings")
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode(errors="replace")) > ENVIRONMENT_LIMIT_BYTES:
        raise errors.invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment variables you have provided "
            f"exceeded the 4KB limit. String measured: {measured[:1000]}"
        )


def _unknown_runtime(runtime: str) -> ApiError:
    return errors.invalid_parameter(_RUNTIME.format(runtime, ", ".join(RUNTIMES)))


def _zipped(code: Members) -> bytes | None:
    """The package. Raises ApiError for code that is elsewhere."""
    if code.given("ImageUri"):
        raise errors.invalid_parameter(NO_IMAGES)
    if code.given("S3Bucket", "S3Key", "S3ObjectVersion"):
        raise errors.invalid_parameter(NO_S3)
    text = code.sent("ZipFile")
    if text is None:
        return None
    if not isinstance(text, str):
        raise wrong_type("zipFile", "a Blob")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise errors.unreadable("the value at 'zipFile' is not base64") from None
