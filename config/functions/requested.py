"""A function that a request of Lambda's API gives, read as a function of a file is: by the same rules, with the same words."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.faults import ConfigError, Fault, Report
from config.functions.reading import read_function
from config.options.reader import Reader
from config.text.json_text import parse_json
from config.text.nodes import Unparsable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.functions.registry import FunctionModel


def read_request(name: str, options: Mapping[str, Any], code: Path) -> FunctionModel:
    """The function of this ``name`` with these ``options``, whose code is to lie in ``code``: whether it does is not asked.

    No environment variables are filled in: what a request says is what it means. Raises :class:`config.faults.ConfigError` with
    every fault; the path of a fault begins at the function.
    """
    report = Report()
    # Any folder will do for the rule that there is one.
    text = json.dumps({**options, "code": tempfile.gettempdir()})
    try:
        node = parse_json(text, "")
    except Unparsable as error:
        raise ConfigError([Fault(*error.place, "", str(error))]) from None
    assert node is not None  # noqa: S101 - the text of a document is never empty
    report.enter((), node, ())
    model = read_function(name, node, Reader(report, Path("/")), ()).model
    if model is None or report.faults:
        raise ConfigError(report.faults)
    return model.model_copy(update={"code": code})
