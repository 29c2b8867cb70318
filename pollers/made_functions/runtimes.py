"""From a made function's settings to the options that a file's function would have. A decider (docs/lambda 16.9)."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIMES = (
    *(f"python3.{minor}" for minor in range(8, 15)),
    "provided",
    "provided.al2",
    "provided.al2023",
)
"""Those that run here, of Lambda's."""
BOOTSTRAP = "bootstrap"
HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
_SAME = {"Timeout": "timeout", "MemorySize": "memory_size"}


def is_python(settings: Mapping[str, Any]) -> bool:
    """Whether AWS's client for Python runs it."""
    return str(settings["Runtime"]).startswith("python")


def options_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options, but for where the code is."""
    options: dict[str, Any] = {}
    if is_python(settings):
        # Lambda takes src/app.handler for src.app.handler.
        options |= {"runtime": "python", "handler": re.sub("/", ".", settings["Handler"])}
    else:
        options |= {"runtime": "provided", "command": [BOOTSTRAP], "handler": settings["Handler"]}
    options |= {ours: settings[theirs] for theirs, ours in _SAME.items() if settings.get(theirs) is not None}
    variables = (settings.get("Environment") or {}).get("Variables")
    if variables:
        options["environment"] = variables
    if (target := (settings.get("DeadLetterConfig") or {}).get("TargetArn")) is not None:
        options["dead_letter_config"] = {"TargetArn": target}
    if settings.get("LoggingConfig"):
        options["logging_config"] = settings["LoggingConfig"]
    return options


def remark(settings: Mapping[str, Any]) -> str | None:
    """What its owner should know of where it runs; None for nothing."""
    runtime = str(settings["Runtime"])
    if is_python(settings) and runtime != HERE:
        return f"it is for {runtime}, and runs on Headrace's own {HERE}"
    return None
