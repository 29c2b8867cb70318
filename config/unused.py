"""Options that nothing asks for: their section is not given that would make something of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.models import Config
    from config.text.places import Path

_QUEUE = ("event_invoke_config", "dead_letter_config")
"""Of asynchronous invocation, by which the API and schedules call."""


def unused(config: Config) -> Iterator[tuple[Path, str]]:
    """Each option of a function without effect, by its path from the root, and why."""
    if config.lambda_api is not None or config.schedules:
        return
    for name, model in config.functions.items():
        for option in _QUEUE:
            if option in model.model_fields_set:
                message = "has no effect: only lambda_api and schedules invoke asynchronously, and neither is given"
                yield ("functions", name, option), message
