"""``runtime: lambda``: a function in AWS or an emulator, through the Invoke API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.functions.function import FunctionBase
from config.functions.runtime import FunctionRuntime
from config.options.model import TextKind
from config.text.arns import parse_arn
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

_QUALIFIED = re.compile(r"function:[a-zA-Z0-9-_]{1,140}(?::(?P<qualifier>[a-zA-Z0-9$_-]+))?")


class LambdaFunction(FunctionBase):
    """A function in AWS (or an emulator), through the Invoke API."""

    runtime: Literal["lambda"] = Field(description="a function in AWS or an emulator, through the Invoke API")
    function_arn: Annotated[str, TextKind.ARN] = Field(description="the function's ARN, with or without a qualifier")
    qualifier: str | None = Field(default=None, min_length=1, description="version or alias, if the ARN has none")


def _function_arn(reading: Reading) -> Iterator[Finding]:
    """The ARN is a function's, and no more than one qualifier is given."""
    text, qualifier = reading.values.get("function_arn"), reading.values.get("qualifier")
    if text is None:
        return
    arn = parse_arn(text)
    found = _QUALIFIED.fullmatch(arn.resource)
    if arn.service != "lambda" or not arn.region or found is None:
        yield Finding(
            ("function_arn",),
            f"found {quoted(text)}, expected a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME",
        )
    elif found["qualifier"] and qualifier:
        yield Finding(
            ("qualifier",),
            f"found {quoted(qualifier)}, expected nothing, since function_arn has the qualifier {found['qualifier']}",
        )


LAMBDA = FunctionRuntime(model=LambdaFunction, first=("function_arn", "qualifier"), rules=(_function_arn,))
