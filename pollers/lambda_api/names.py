"""Which function, version or alias a request names (docs/lambda 11.3). A decider."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.environment import function_arn
from pollers.lambda_api import errors

if TYPE_CHECKING:
    from pollers.lambda_api.errors import ApiError

NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""As AWS writes it in its errors."""
QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
NAME_LIMIT = 170
QUALIFIER_LIMIT = 128
LATEST = "$LATEST"
"""The one version of functions here: that of the configuration."""

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_QUALIFIER = re.compile(QUALIFIER_PATTERN, re.ASCII)
_PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REGION, _ACCOUNT, _FUNCTION, _VERSION = 3, 9, 11, 13
"""Groups of the pattern."""


@dataclass(frozen=True, slots=True)
class Here:
    """The region and the account that the API serves."""

    region: str
    account: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """A function's ARN, or that of its version or alias."""
        unqualified = function_arn(name, self.region, self.account)
        return unqualified if qualifier is None else f"{unqualified}:{qualifier}"


@dataclass(frozen=True, slots=True)
class Named:
    """What is named. ``account`` is that of the name, or ours."""

    name: str
    qualifier: str | None
    account: str

    def arn(self, here: Here) -> str:
        """As errors name it: with its qualifier, or ``$LATEST``."""
        return Here(here.region, self.account).arn(self.name, self.qualifier or LATEST)


def named(given: str, qualifier: str | None, here: Here) -> Named:
    """Read a name in any of its forms, and the qualifier that came beside it.

    Raises ApiError in Lambda's order: forms, two qualifiers that differ, another region. Whether the function exists is not asked.
    """
    if qualifier is None and _PLAIN.fullmatch(given):
        return Named(given, None, here.account)
    match = _NAME.fullmatch(given)
    violations = _violations_of_qualifier(qualifier)
    if match is None:
        violations.append(errors.pattern_broken(given, "functionName", NAME_PATTERN))
    if len(given) > NAME_LIMIT:
        violations.append(_too_long(given, "functionName", NAME_LIMIT))
    if violations or match is None:
        raise errors.invalid(*violations)
    inner = match[_VERSION]
    if inner is not None and qualifier is not None and inner != qualifier:
        raise errors.invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    region = (match[_REGION] or "").rstrip(":")
    if region and region != here.region:
        raise errors.not_found(f"Functions from '{region}' are not reachable in this region ('{here.region}')")
    return Named(match[_FUNCTION], qualifier or inner, (match[_ACCOUNT] or here.account).rstrip(":"))


def not_there(what: Named, here: Here) -> ApiError:
    """404 for a function, version or alias that there is not."""
    return errors.function_not_found(what.arn(here))


def _violations_of_qualifier(qualifier: str | None) -> list[str]:
    if qualifier is None:
        return []
    violations = []
    if len(qualifier) > QUALIFIER_LIMIT:
        violations.append(_too_long(qualifier, "qualifier", QUALIFIER_LIMIT))
    if not _QUALIFIER.fullmatch(qualifier):
        violations.append(errors.pattern_broken(qualifier, "qualifier", QUALIFIER_PATTERN))
    return violations


def _too_long(value: str, member: str, limit: int) -> str:
    return errors.constraint(value, member, f"have length less than or equal to {limit}")
