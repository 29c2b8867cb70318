"""What functions in worker processes take, and which environment variables they may be given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.functions.logging_config import LoggingFunction
from config.options.model import TextKind
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = frozenset({"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"})
_SETTABLE = frozenset({"AWS_LAMBDA_EXEC_WRAPPER"})


class ProcessFunction(LoggingFunction):
    """What functions in worker processes take."""

    environment: dict[str, Annotated[str, TextKind.SCALAR]] = Field(
        default_factory=dict,
        repr=False,
        description="environment variables; numbers, true and false become text as they are written",
    )
    inherit_environment: list[str] = Field(
        default_factory=list, description="names of Headrace's own variables to pass on"
    )
    credentials: Literal["inherit", "none"] = Field(
        default="inherit", description="whether workers get Headrace's AWS credentials"
    )
    memory_size: int | None = Field(
        default=None, ge=128, le=32_768, description="MiB a worker may use; no limit if not given"
    )
    idle_timeout: float = Field(
        default=300, gt=0, le=86_400, description="seconds after which an idle worker is stopped"
    )


def variable_names(reading: Reading) -> Iterator[Finding]:
    """Names of environment variables follow Lambda's rule and are none that it sets itself.

    Unlike on Lambda, the region and credentials may be set.
    """
    for name in reading.best("environment") or ():
        message = _variable_problem(name)
        if message:
            yield Finding(("environment", name), message)
    for number, name in enumerate(reading.best("inherit_environment") or ()):
        message = _variable_problem(name) if isinstance(name, str) else None
        if message:
            yield Finding(("inherit_environment", number), message)


def _variable_problem(name: str) -> str | None:
    if name in _RESERVED or (name.startswith("AWS_LAMBDA_") and name not in _SETTABLE):
        return (
            "found a name that is reserved, expected another (AWS: Lambda was unable to configure your environment "
            "variables because the environment variables you have provided contains reserved keys that are currently "
            f"not supported for modification. Reserved keys used in this request: {name})"
        )
    if not _VARIABLE.fullmatch(name):
        return (
            f"found the name {quoted(name)}, expected a letter and then letters, digits and '_', two characters at "
            "least, as on Lambda"
        )
    return None
