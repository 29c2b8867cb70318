"""Amazon Resource Names, as far as mappings use them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:(?P<partition>[^:]+):(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)", re.DOTALL
)


_PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "us-iso-": ("aws-iso", "c2s.ic.gov"),
    "us-isob-": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-": ("aws-iso-f", "csp.hci.ic.gov"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
}
"""Partition and domain by how a region's name begins; every other one is in ``aws``. ``tests/contract`` compares with the SDK."""


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


def partition_of(region: str) -> str:
    """The partition that a region is in: the second part of its ARNs."""
    return _partition(region)[0]


def domain_of(region: str) -> str:
    """The domain of a region's endpoints: ``https://SERVICE.REGION.DOMAIN/``."""
    return _partition(region)[1]


def _partition(region: str) -> tuple[str, str]:
    return next((found for start, found in _PARTITIONS.items() if region.startswith(start)), ("aws", "amazonaws.com"))
