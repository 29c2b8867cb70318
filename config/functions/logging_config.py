"""The log of functions whose log Headrace writes: form and levels, as on Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from config.faults import Finding
from config.functions.function import FunctionBase
from config.options.model import Model, Pasted
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

_LOG_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]+")


class LoggingConfig(Model):
    """What a function's log holds and in which form, as ``AWS::Lambda::Function LoggingConfig`` says it."""

    log_format: Literal["Text", "JSON"] = Field(
        default="Text", description="form of what the runtime client and Headrace write for the function"
    )
    application_log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] | None = Field(
        default=None, description="least level of the function's own log; with JSON only, where it is INFO if not given"
    )
    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = Field(
        default=None,
        description="least level of what is said of the function's invocations; with JSON only, where it is INFO if not given",
    )
    log_group: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="name of the log group that the function is told; /aws/lambda/NAME if not given",
    )

    @property
    def application_level(self) -> str | None:
        """The level that the function's own log is filtered by; None: it is not."""
        return (self.application_log_level or "INFO") if self.log_format == "JSON" else None

    @property
    def system_level(self) -> str:
        """The level that Headrace's lines on the function's invocations are filtered by."""
        return (self.system_log_level or "INFO") if self.log_format == "JSON" else "DEBUG"


class LoggingFunction(FunctionBase):
    """What functions take whose log Headrace writes."""

    logging_config: Annotated[LoggingConfig, Pasted.ALSO] = Field(
        default=LoggingConfig(), description="form and levels of the function's log, as on Lambda"
    )


def logging_levels(reading: Reading) -> Iterator[Finding]:
    """Levels go with JSON only. INFO, the level that Lambda has where none is given, changes nothing and is let pass."""
    found = reading.values.get("logging_config")
    if found is None:
        return
    for option in ("application_log_level", "system_log_level"):
        level = getattr(found, option)
        if found.log_format == "Text" and level not in (None, "INFO"):
            yield Finding(
                ("logging_config", option),
                f"found {level} with log_format Text, expected log_format JSON (AWS: LogLevel is not supported when "
                'LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and '
                "try again.)",
            )
    if found.log_group is not None and not _LOG_GROUP.fullmatch(found.log_group):
        yield Finding(
            ("logging_config", "log_group"),
            f"found {quoted(found.log_group)}, expected letters, digits and the characters '.', '-', '_', '/' and '#'",
        )
