"""From a made function's settings to the model of a function, by the rules that hold for a file's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import ConfigError
from config.functions.requested import read_request
from pollers.made_functions.errors import Misfit
from pollers.made_functions.runtimes import BOOTSTRAP, is_python, options_of

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import FunctionModel
    from pollers.made_functions.made import MadeFunction


def model_of(made: MadeFunction, code: Path) -> FunctionModel:
    """Its model, whose code lies in ``code``. Raises Misfit."""
    try:
        model = read_request(made.name, options_of(made.settings), code)
    except ConfigError as error:
        raise Misfit(error.faults) from None
    # Whether the package has one is found when it is run, as on Lambda.
    return model if is_python(made.settings) else model.model_copy(update={"command": [f"./{BOOTSTRAP}"]})
