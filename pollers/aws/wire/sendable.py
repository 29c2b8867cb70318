"""Whether credentials and the like can be sent at all: HTTP headers carry no line breaks (deciders; values are never told)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.credentials import ReadOnlyCredentials

_WORDS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)
"""Words of printable ASCII, without blanks; so are AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>."""
_LINES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
)
"""Names and paths, which may hold blanks and letters of any language, but no line breaks."""

_PARTS = {
    "access_key": ("AWS_ACCESS_KEY_ID", "aws_access_key_id", "access key"),
    "secret_key": ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secret access key"),
    "token": ("AWS_SESSION_TOKEN", "aws_session_token", "session token"),
}
_FILES = {
    "shared-credentials-file": ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    "config-file": ("AWS_CONFIG_FILE", "~/.aws/config"),
}


def unsendable(text: str, *, blanks: bool = False) -> str | None:
    """What of ``text`` no header can carry, in words; None if nothing. ``blanks`` and letters of any language may be allowed."""
    if text.rstrip("\r\n") != text:
        return "a line break at its end (a secret made with `echo` has one, with `printf %s` it has none)"
    if "\n" in text or "\r" in text:
        return "a line break"
    if blanks:
        return None if text.isprintable() else "a control character"
    if any(character.isspace() for character in text):
        return "a blank"
    if not (text.isascii() and text.isprintable()):
        return "a character that is no printable ASCII"
    return None


def environment_faults(environ: Mapping[str, str]) -> Iterator[str]:
    """The variables with which no call can be made, each with what was found in it and what would be right."""
    for name in sorted(environ):
        if name in _WORDS or name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_"):
            problem = unsendable(environ[name])
        elif name in _LINES:
            problem = unsendable(environ[name], blanks=True)
        else:
            continue
        if problem is not None:
            yield f"environment variable {name}: found {problem}, expected a value without: no request can carry it"


def credentials_fault(credentials: ReadOnlyCredentials, method: str) -> str | None:
    """Which part of the credentials cannot be sent and where it is from, or None. ``method`` is the SDK's name of the source."""
    for part, names in _PARTS.items():
        text = getattr(credentials, part)
        problem = unsendable(text) if text else None
        if problem is not None:
            return f"{_named(names, method)} holds {problem}, and no request can carry that"
    return None


def _named(names: tuple[str, str, str], method: str) -> str:
    variable, key, words = names
    if method == "env":
        return f"the environment variable {variable}"
    if method in _FILES:
        other, usual = _FILES[method]
        return f"{key} in {os.environ.get(other) or usual}"
    return f"the {words} from {method}"
