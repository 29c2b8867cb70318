"""Which of the AWS SDKs' variables a worker finds: those that Headrace itself follows, unless its function says otherwise.

A decider: Headrace's environment and what its profile says are arguments.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from config.models import EndpointUrls
from config.options import Text, TextKind, options_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.models import Aws, ProcessFunction

_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
)
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_WEB_IDENTITY = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
_CONTAINER = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
_METADATA = (
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_IMDS_USE_IPV6",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
)

CREDENTIAL_VARIABLES = (
    *_KEYS,
    *_FILES,
    *_PROFILES,
    *_WEB_IDENTITY,
    *_CONTAINER,
    *_METADATA,
    "HOME",  # where the SDKs look for ~/.aws
)
"""Every variable in which the SDKs' chain of credential providers looks."""

ENDPOINT = "AWS_ENDPOINT_URL"
IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"

FOLLOWED_VARIABLES = (
    ENDPOINT,  # and AWS_ENDPOINT_URL_<SERVICE>
    IGNORE_ENDPOINTS,
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_ENDPOINT_DISCOVERY_ENABLED",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
    "AWS_SIGV4A_SIGNING_REGION_SET",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_CA_BUNDLE",
    "AWS_DATA_PATH",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables by which Headrace's own calls find and trust AWS. Retries and user agents are each program's own."""

PROXY_VARIABLES = tuple(
    spelled for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for spelled in (name, name.lower())
)
_LOOPBACK = "127.0.0.1"
_PATHS = (
    *_FILES,
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the profile in the SDKs' configuration files says, beside credentials."""

    region: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """Its settings as the variables that would say the same."""
    folder: Path = Path()
    """Where its relative paths start: the working directory of the process that reads it."""


def headrace_variables(environ: Mapping[str, str], aws: Aws, profile: Profile, folder: Path) -> dict[str, str]:
    """Headrace's environment as its clients understand it: the ``aws`` section wins, relative paths start in ``folder``."""
    variables = _with_whole_paths(environ, folder)
    given = configured_endpoints(aws)
    ignored = is_true(variables.get(IGNORE_ENDPOINTS) or profile.variables.get(IGNORE_ENDPOINTS))
    if aws.endpoint_url is not None or (given and ignored):
        variables = {name: value for name, value in variables.items() if not is_endpoint(name)}
    if given and ignored:
        variables[IGNORE_ENDPOINTS] = "false"  # Headrace's own configuration is not what is to be ignored
    return {**variables, **given}


def _with_whole_paths(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    paths = {name: path for name in _PATHS if (path := variables.get(name)) and not path.startswith("~")}
    return {**variables, **{name: os.path.normpath(folder / path) for name, path in paths.items()}}


SDK_ENDPOINTS = tuple(
    option.attribute for option in options_of(EndpointUrls).values() if option.shape == Text(TextKind.URL)
)
"""The options of ``aws.endpoint_urls`` that are endpoints of the SDKs. A connection URI is none, and may have a password."""


def configured_endpoints(aws: Aws) -> dict[str, str]:
    """The ``aws`` section's endpoints, under the SDKs' own names."""
    urls = aws.endpoint_urls
    given = {option: getattr(urls, option) for option in SDK_ENDPOINTS}
    given["dynamodbstreams"] = urls.dynamodbstreams or urls.dynamodb
    found = {f"{ENDPOINT}_{_suffix(option)}": url for option, url in given.items() if url is not None}
    return found if aws.endpoint_url is None else {ENDPOINT: aws.endpoint_url, **found}


_SUFFIXES = {"dynamodbstreams": "DYNAMODB_STREAMS", "events": "EVENTBRIDGE", "secretsmanager": "SECRETS_MANAGER"}


def _suffix(option: str) -> str:
    """How the SDKs' AWS_ENDPOINT_URL_<SERVICE> variables spell a service: not always as the option does."""
    return _SUFFIXES.get(option) or option.rstrip("_").upper()


def followed_variables(model: ProcessFunction, headrace: Mapping[str, str], profile: Profile) -> dict[str, str]:
    """Headrace's variables for finding and trusting AWS, except those that the function's own ``environment`` sets.

    ``headrace`` is what :func:`headrace_variables` gives. What the profile says is passed where the worker does not see it.
    """
    found = {
        name: value
        for name, value in headrace.items()
        if value and (name in FOLLOWED_VARIABLES or name in PROXY_VARIABLES or is_endpoint(name))
    }
    found = {**_of_profile(profile, found, model), **found}
    return {name: value for name, value in found.items() if not _decided(name, model.environment)}


def _of_profile(profile: Profile, found: Mapping[str, str], model: ProcessFunction) -> dict[str, str]:
    """Its settings, where the worker does not read them itself, or would read a path that starts elsewhere.

    A global endpoint of the environment wins over the profile's, also over those for one service.
    """
    if any(name in model.environment for name in (*_PROFILES, "AWS_CONFIG_FILE")):
        return {}
    said = _with_whole_paths(profile.variables, profile.folder)
    if model.credentials != "none" and "AWS_PROFILE" not in set(_hidden(model.environment)):
        return {name: value for name, value in said.items() if value != profile.variables[name]}
    without = ENDPOINT in found or is_true(said.get(IGNORE_ENDPOINTS))
    return {name: value for name, value in said.items() if not (without and is_endpoint(name))}


def _decided(name: str, own: Mapping[str, str]) -> bool:
    """Whether the function has said it otherwise: an endpoint of every service, or a proxy in another spelling."""
    if is_endpoint(name):
        return ENDPOINT in own
    return name in PROXY_VARIABLES and (name.upper() in own or name.lower() in own)


_CHAIN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), _KEYS),
    (_PROFILES, _PROFILES),
    (("AWS_WEB_IDENTITY_TOKEN_FILE",), ()),
    (_CONTAINER[:2], (*_WEB_IDENTITY, *_CONTAINER)),
)
"""The SDKs' order of credentials: what names a source, and what of Headrace's own must not stand beside it.

All that comes before it in the order would win over it, so that goes too.
"""


def credential_variables(model: ProcessFunction, headrace: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Headrace's credentials, or none. A source that the function names itself is not mixed with Headrace's."""
    if model.credentials == "none":
        # Nothing is passed, and what the SDKs would look for by themselves is pointed at nothing.
        nowhere = str(scratch / "no-credentials")
        return {**dict.fromkeys(_FILES, nowhere), "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(scratch)}
    hidden = set(_hidden(model.environment))
    return {name: headrace[name] for name in CREDENTIAL_VARIABLES if headrace.get(name) and name not in hidden}


def _hidden(own: Mapping[str, str]) -> Iterable[str]:
    last = max((place for place, (names, _) in enumerate(_CHAIN) if any(name in own for name in names)), default=-1)
    for _, hidden in _CHAIN[: last + 1]:
        yield from hidden


def with_loopback_direct(variables: dict[str, str]) -> dict[str, str]:
    """The same; but where there is a proxy, the Runtime API on loopback is not asked for through it."""
    proxies = [name for name in PROXY_VARIABLES if variables.get(name)]
    if not any(name.upper() != "NO_PROXY" for name in proxies):
        return variables
    present = [name for name in proxies if name.upper() == "NO_PROXY"] or ["NO_PROXY", "no_proxy"]
    return {**variables, **{name: _with_loopback(variables.get(name, "")) for name in present}}


def _with_loopback(hosts: str) -> str:
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    return hosts if "*" in listed or _LOOPBACK in listed else ",".join([*listed, _LOOPBACK])


def is_endpoint(name: str) -> bool:
    """Whether a variable gives the endpoint of every service, or of one."""
    return name == ENDPOINT or name.startswith(f"{ENDPOINT}_")


def is_true(value: str | None) -> bool:
    """As the SDK reads such settings."""
    return value is not None and value.lower() == "true"
