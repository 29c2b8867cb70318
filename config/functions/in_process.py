"""``runtime: in_process``: a Python callable inside Headrace's own process."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, Literal

from pydantic import Field

from config.functions.handler_name import handler_name
from config.functions.logging_config import LoggingFunction, logging_levels
from config.functions.runtime import FunctionRuntime
from config.options.model import Existing


class InProcessFunction(LoggingFunction):
    """A Python callable on an event loop and threads of its own inside Headrace."""

    runtime: Literal["in_process"] = Field(description="a Python callable inside Headrace, `def` or `async def`")
    code: Annotated[Path, Existing.FOLDER] = Field(
        description="folder of the code, whose modules are the function's own"
    )
    handler: str = Field(description="`module.function`, as on Lambda")


IN_PROCESS = FunctionRuntime(model=InProcessFunction, first=("code", "handler"), rules=(handler_name, logging_levels))
