"""A function's URL, as ``AWS::Lambda::Url`` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.options.model import Model, Pasted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "*")
"""OPTIONS is implied, and AWS refuses it."""

_Origin = Annotated[str, Field(min_length=1, max_length=253)]
_HeaderName = Annotated[str, Field(min_length=1, max_length=1024)]


class Cors(Model):
    """Which pages of other origins may call the function; absent: the function answers preflights itself."""

    allow_origins: list[_Origin] = Field(
        default_factory=list, max_length=100, description="origins, such as https://example.com, or `*`"
    )
    allow_methods: list[str] = Field(
        default_factory=list, max_length=6, description="methods, or `*`; OPTIONS is implied"
    )
    allow_headers: list[_HeaderName] = Field(
        default_factory=list, max_length=100, description="request headers that a page may set, or `*`"
    )
    expose_headers: list[_HeaderName] = Field(
        default_factory=list, max_length=100, description="response headers that a page may read"
    )
    max_age: int = Field(default=0, ge=0, le=86_400, description="seconds that a browser may keep a preflight's answer")
    allow_credentials: bool = Field(default=False, description="whether cookies and authorization may be sent")


class FunctionUrl(Model):
    """An HTTP endpoint of the function."""

    auth_type: Literal["NONE", "AWS_IAM"] = Field(
        description="NONE: anybody may call; AWS_IAM: calls are signed, others are 403"
    )
    invoke_mode: Literal["BUFFERED", "RESPONSE_STREAM"] = Field(
        default="BUFFERED", description="whether the response is passed on whole, or as the function writes it"
    )
    cors: Cors | None = Field(default=None, description="which pages of other origins may call")


FunctionUrlOption = Annotated[FunctionUrl | None, Pasted.ALSO]


def cors_methods(reading: Reading) -> Iterator[Finding]:
    """Methods are those that AWS allows."""
    url = reading.best("function_url")
    for number, method in enumerate(url.cors.allow_methods if url is not None and url.cors is not None else ()):
        if isinstance(method, str) and method not in METHODS:
            implied = " (OPTIONS is implied)" if method == "OPTIONS" else ""
            message = f"found {method}, expected one of {', '.join(METHODS)}{implied}"
            yield Finding(("function_url", "cors", "allow_methods", number), message)
