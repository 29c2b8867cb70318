"""``runtime: provided``: any executable that speaks Lambda's Runtime API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.functions.logging_config import logging_levels
from config.functions.processes import ProcessFunction, variable_names
from config.functions.runtime import FunctionRuntime
from config.options.model import Existing
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading


class ProvidedFunction(ProcessFunction):
    """Any executable that speaks Lambda's Runtime API."""

    runtime: Literal["provided"] = Field(description="any executable that speaks Lambda's Runtime API")
    command: list[str] = Field(
        min_length=1, description="the executable and its arguments; a relative path starts in `code`"
    )
    code: Annotated[Path, Existing.FOLDER] = Field(
        description="folder of the code: working directory and LAMBDA_TASK_ROOT"
    )
    handler: str | None = Field(default=None, description="what _HANDLER is set to")


def _command(reading: Reading) -> Iterator[Finding]:
    """The command's words can be arguments, and a program that is given by its path can be run."""
    command, code = reading.values.get("command"), reading.values.get("code")
    if command is None:
        return
    for number, word in enumerate(command):
        if "\0" in word or (number == 0 and not word):
            message = "found an empty word or a null character, expected a program and its arguments"
            yield Finding(("command", number), message)
            return
    program = command[0]
    if "/" not in program or code is None:
        return
    file = Path(os.path.abspath(code / program))
    if not _runnable(file):
        message = f"found {quoted(program)}, which is no executable file ({file}), expected one; a relative path starts in code"
        yield Finding(("command", 0), message)


def _runnable(file: Path) -> bool:
    try:
        return file.is_file() and os.access(file, os.X_OK)
    except (OSError, ValueError):
        return False


PROVIDED = FunctionRuntime(
    model=ProvidedFunction,
    first=("command",),
    rules=(variable_names, logging_levels, _command),
    instead_of=("nodejs", "java", "dotnet", "ruby", "go1", "provided."),
    advice="provided runs any program that speaks Lambda's Runtime API",
)
