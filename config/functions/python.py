"""``runtime: python``: Python worker processes, run by AWS's own runtime interface client."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, Literal

from pydantic import Field

from config.functions.handler_name import handler_name
from config.functions.logging_config import logging_levels
from config.functions.processes import ProcessFunction, variable_names
from config.functions.runtime import FunctionRuntime
from config.options.model import Existing


class PythonFunction(ProcessFunction):
    """Python worker processes, run by AWS's own runtime interface client."""

    runtime: Literal["python"] = Field(
        default="python", description="Python worker processes over Lambda's Runtime API"
    )
    code: Annotated[Path, Existing.CODE] = Field(
        description="folder (or .zip file) of the code: `sys.path[0]` and working directory"
    )
    handler: str = Field(description="`module.function`, as on Lambda")
    layers: list[Annotated[Path, Existing.FOLDER]] = Field(
        default_factory=list, description="folders put on the path as /opt is"
    )
    interpreter: Annotated[Path, Existing.PROGRAM] | None = Field(
        default=None, description="another Python to run workers with, such as a virtual environment's bin/python"
    )


PYTHON = FunctionRuntime(
    model=PythonFunction,
    first=("code", "handler"),
    rules=(handler_name, variable_names, logging_levels),
    instead_of=("python3",),
    advice="python runs the Python that runs Headrace, or that of interpreter",
)
