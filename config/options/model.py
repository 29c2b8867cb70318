"""What models of the configuration are made with: their base, and the markers that say more about a field."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Refused:
    """A key that AWS has in a section and that is refused, with ``message``, unless nothing is set with it.

    ``names`` are its spellings. With ``section``, an empty mapping sets nothing either.
    """

    names: tuple[str, ...]
    message: str
    section: bool = False


@dataclass(frozen=True, slots=True)
class Idle:
    """A key that a tool has in a section and Headrace does not need: taken where one may paste, with ``message`` as a note."""

    names: tuple[str, ...]
    message: str


class Model(BaseModel):
    """The base of every model: immutable, and strict about unknown keys.

    ``refused`` are keys of AWS's that it refuses, ``idle`` those of tools that it takes and does not need.
    """

    refused: ClassVar[tuple[Refused, ...]] = ()
    idle: ClassVar[tuple[Idle, ...]] = ()

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


class TextKind(Enum):
    """Markers for texts of a certain form, put on a field with ``Annotated``. The value says what is expected."""

    TEXT = "text"
    URL = "a URL (http://HOST:PORT or https://HOST)"
    ARN = "an ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)"
    SCALAR = "a text, a number or true or false"
    PATTERN = "an event pattern, as a mapping or as AWS's JSON text"
    JSON = "JSON text, or any value that JSON has"
    REGION = "a region, such as us-east-1"
    SECRET = "a token of printable ASCII characters without spaces"  # noqa: S105 - a description
    CONNECTION_URI = "a MongoDB connection URI (mongodb://HOST:PORT/ or mongodb+srv://HOST/)"

    @property
    def is_secret(self) -> bool:
        """Whether values must never be shown. A URI may have a password."""
        return self in (TextKind.SECRET, TextKind.CONNECTION_URI)


class Existing(Enum):
    """Markers for paths of what must exist when the configuration is loaded."""

    FOLDER = "a folder"
    FILE = "a file"
    CODE = "a folder or a .zip file"
    PROGRAM = "an executable file"


@dataclass(frozen=True, slots=True)
class Spellings:
    """Other names of an option in CloudFormation, Terraform or AWS's API, where these do not follow from its own name."""

    names: tuple[str, ...]


DESTINATION_TYPE = Idle(("Type",), "it has no effect: the destination's ARN says what it is")
"""SAM has it beside a destination, for the policies that it makes."""


class Pasted(Enum):
    """Marker for an option of AWS's in a section of Headrace's: CloudFormation's and Terraform's spellings are understood."""

    ALSO = True
