"""``runtime: http``: an HTTP endpoint, Lambda's Runtime Interface Emulator or a plain web service."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.functions.function import FunctionBase
from config.functions.runtime import FunctionRuntime
from config.options.model import Existing, Model, TextKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Tls(Model):
    """How an HTTPS endpoint is verified."""

    verify: bool = Field(default=True, description="whether the endpoint's certificate is verified")
    ca_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="authorities to trust instead of the system's (PEM)"
    )
    cert_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="certificate to show to the endpoint (PEM)"
    )
    key_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="key of `cert_file`, if that does not hold it (PEM)"
    )


class HttpFunction(FunctionBase):
    """An HTTP endpoint: the Runtime Interface Emulator or a plain web service."""

    runtime: Literal["http"] = Field(
        description="an HTTP endpoint: Lambda's Runtime Interface Emulator or a web service"
    )
    url: Annotated[str, TextKind.URL] | None = Field(
        default=None, description="the endpoint, which events are posted to"
    )
    urls: list[Annotated[str, TextKind.URL]] = Field(
        default_factory=list, description="several endpoints of one function, in place of `url`"
    )
    headers: dict[str, Annotated[str, TextKind.SCALAR]] = Field(
        default_factory=dict, repr=False, description="headers sent with each event"
    )
    bearer_token: Annotated[str, TextKind.SECRET] | None = Field(
        default=None, min_length=1, repr=False, description="token sent as `Authorization: Bearer`"
    )
    tls: Tls = Field(default=Tls(), description="how HTTPS endpoints are verified")


def _endpoints(reading: Reading) -> Iterator[Finding]:
    """There is ``url`` or ``urls``, and not both."""
    if {"url", "urls"} <= reading.given:
        yield Finding(("urls",), "found it together with url, expected one of them")
    elif not {"url", "urls"} & reading.given:
        yield Finding((), "url is missing, expected url, or urls for several endpoints of one function")
    elif reading.values.get("urls") == []:
        yield Finding(("urls",), "found an empty list, expected at least one URL")


def _headers(reading: Reading) -> Iterator[Finding]:
    """Headers can be sent, each on one line."""
    for name, value in reading.values.get("headers", {}).items():
        if not _HEADER.fullmatch(name) or "\n" in value or "\r" in value:
            message = "found a name or a value that HTTP does not allow, expected a header on one line"
            yield Finding(("headers", name), message)


def _client_certificate(reading: Reading) -> Iterator[Finding]:
    """A key goes with a certificate."""
    tls = reading.values.get("tls")
    if tls is not None and tls.key_file is not None and tls.cert_file is None:
        yield Finding(("tls", "key_file"), "found a key without cert_file, expected both")


HTTP = FunctionRuntime(model=HttpFunction, first=("url", "urls"), rules=(_endpoints, _headers, _client_certificate))
