"""Every runtime that functions can have.

A new runtime is a file with its :class:`config.functions.runtime.FunctionRuntime`, one line in ``RUNTIMES``, and its model in
``FunctionModel``, so that whoever matches on a function's model is told by the type checker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from config.functions.aws_lambda import LAMBDA, LambdaFunction
from config.functions.http import HTTP, HttpFunction
from config.functions.in_process import IN_PROCESS, InProcessFunction
from config.functions.provided import PROVIDED, ProvidedFunction
from config.functions.python import PYTHON, PythonFunction
from config.options.shapes import options_of

if TYPE_CHECKING:
    from config.functions.runtime import FunctionRuntime

DEFAULT = PYTHON
"""The runtime of a function that names none."""

RUNTIMES: dict[str, FunctionRuntime] = {
    runtime.name: runtime for runtime in (PYTHON, IN_PROCESS, PROVIDED, LAMBDA, HTTP)
}
"""The runtimes by name; lists of them in texts have this order."""

FunctionModel: TypeAlias = Annotated[
    PythonFunction | ProvidedFunction | InProcessFunction | LambdaFunction | HttpFunction,
    Field(discriminator="runtime"),
]


def takers_of(option: str) -> list[FunctionRuntime]:
    """The runtimes whose functions take an option."""
    return [runtime for runtime in RUNTIMES.values() if option in options_of(runtime.model)]
