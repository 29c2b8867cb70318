"""What a sample is: a service's event document, made anew each time it is asked for."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from config import partition_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

Document: TypeAlias = dict[str, object]
"""A JSON object."""

_HEX = "0123456789abcdef"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What differs from one event to the next: when (in UTC), where, and ids, which are drawn from ``random``."""

    now: datetime
    random: random.Random
    region: str = "us-east-1"
    account: str = "000000000000"

    def uuid(self) -> str:
        """A random UUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def hex(self, length: int) -> str:
        """So many hexadecimal digits."""
        return "".join(self.random.choices(_HEX, k=length))

    def word(self, length: int) -> str:
        """So many small letters and digits."""
        return "".join(self.random.choices(_LETTERS, k=length))

    def number(self, length: int) -> str:
        """So many decimal digits, the first of which is not 0."""
        return str(self.random.randrange(10 ** (length - 1), 10**length))

    def base64(self, length: int) -> str:
        """So many random bytes, in base64."""
        return base64.b64encode(self.random.randbytes(length)).decode()

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this region and account."""
        return f"arn:{partition_of(self.region)}:{service}:{self.region}:{self.account}:{resource}"

    def role(self, name: str) -> str:
        """The ARN of a role. Roles are in no region."""
        return f"arn:{partition_of(self.region)}:iam::{self.account}:role/{name}"

    def bucket(self, name: str) -> str:
        """The ARN of a bucket, which has neither region nor account."""
        return f"arn:{partition_of(self.region)}:s3:::{name}"

    @property
    def seconds(self) -> str:
        """The time in whole seconds: ``2026-01-31T12:00:00Z``."""
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def milliseconds(self) -> str:
        """The time in milliseconds: ``2026-01-31T12:00:00.000Z``."""
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.{self.now.microsecond // 1000:03}Z"

    @property
    def epoch_seconds(self) -> int:
        """Whole seconds since 1970."""
        return int(self.now.timestamp())

    @property
    def epoch_milliseconds(self) -> int:
        """Milliseconds since 1970."""
        return int(self.now.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Sample:
    """A service's event. ``subject`` says in a few words what has happened; ``make`` makes the document."""

    subject: str
    make: Callable[[Circumstances], Document]
