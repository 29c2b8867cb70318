"""Amazon Resource Names, as far as mappings use them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:(?P<partition>[^:]+):(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Arn:
    """The five parts after ``arn:``, and the text they came from."""

    text: str
    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return self.text


def parse_arn(text: str) -> Arn:
    """Split an ARN. Raises ValueError, saying what is wrong, when it is none."""
    found = _ARN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)")
    return Arn(text, **found.groupdict())
