"""Which made functions run beside those of the configuration. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import Config, FunctionModel


def completed(config: Config, made: Mapping[str, FunctionModel]) -> Config:
    """The file's ``config`` with the ``made`` functions, by name. What the file gives counts: a made one of that name waits."""
    added = {name: model for name, model in made.items() if name not in config.functions}
    if not added:
        return config
    return config.model_copy(update={"functions": {**config.functions, **added}})
