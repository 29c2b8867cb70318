"""Findings of ``headrace check --online``: what AWS answered, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, NotFound

if TYPE_CHECKING:
    from config import Arn

_SKEWED_OR_UNKNOWN = ("RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired")


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fix`` says what to do about it; empty when there is nothing to do."""

    mapping: str
    level: Level
    what: str
    fix: str = ""


def fault_of(mapping: str, source: Arn, error: AwsError) -> Finding:
    """The finding for an AWS error, with what to do about it."""
    if error.code in _SKEWED_OR_UNKNOWN:
        fix = "set this machine's clock (AWS refuses requests more than five minutes off), or check the secret key"
    elif isinstance(error, NotFound):
        fix = f"create it, or correct the ARN: region {source.region}, account {source.account}, name {source.resource}"
    elif isinstance(error, AccessDenied):
        fix = f"allow {error.operation or 'the call'} on {source} to the credentials in use"
    elif isinstance(error, CredentialsExpired):
        fix = "give credentials by any way that the AWS SDK knows (environment, profile, role)"
    else:
        fix = "check region, endpoint_url and the network"
    return Finding(mapping, Level.FAULT, str(error), fix)
