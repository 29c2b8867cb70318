"""The sections that may be given once, ``aws``, ``runtime`` and ``console``, and the rules of ``runtime``."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Any

from config.options.shapes import options_of
from config.settings import Aws, Console, Http, Runtime
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path as FilePath

    from config.faults import Report
    from config.options.model import Model
    from config.options.reader import Reader
    from config.text.nodes import Entry

SINGLE: dict[str, type[Model]] = {"aws": Aws, "runtime": Runtime, "console": Console}
"""Their models, by name."""


def read_section(name: str, entry: Entry, reader: Reader) -> Any:  # noqa: ANN401 - an instance of the section's model
    """The section under ``name``, or None after a fault."""
    report, model = reader.report, SINGLE[name]
    report.enter((name,), entry.node, (name,), entry.place)
    reading = reader.section(options_of(model), entry.node, (name,), (name,), _misplaced(name))
    if reading is None or reading.faulty:
        return None
    if model is Runtime and not (
        _place_checkpoints(reading.values, reader.folder, report) and _open_address_has_token(reading.values, report)
    ):
        return None
    return model(**reading.values)


def with_checkpoints(runtime: Runtime | None, folder: FilePath) -> Runtime:
    """The runtime's options; checkpoints that are not given are in the file that is the default, in CONFIG's ``folder``."""
    runtime = runtime or Runtime()
    if "checkpoints" in runtime.model_fields_set:
        return runtime
    default = Runtime().sqlite_path
    return runtime.model_copy(update={"checkpoints": f"sqlite:{os.path.abspath(folder / default)}"})


def _place_checkpoints(values: dict[str, Any], folder: FilePath, report: Report) -> bool:
    """Make the checkpoint file's path absolute in place; False after a fault."""
    text = values.get("checkpoints")
    if text is None:
        return True
    scheme, _, rest = text.partition(":")
    if scheme == "dynamodb" and rest:
        message = f"found {quoted(text)}, expected sqlite:PATH: checkpoints in DynamoDB are not supported yet"
    elif scheme != "sqlite" or not rest or rest.startswith("//") or "\0" in rest or rest == ":memory:":
        message = f"found {quoted(text)}, expected sqlite:PATH"
    else:
        values["checkpoints"] = f"sqlite:{os.path.abspath(folder / rest)}"
        return True
    report.fault(("runtime", "checkpoints"), message)
    return False


def _open_address_has_token(values: dict[str, Any], report: Report) -> bool:
    """Whoever reaches an address that is not loopback could pause mappings: a token is needed. False after a fault."""
    http = values.get("http")
    if not isinstance(http, Http) or http.token is not None or _is_loopback(http.host):
        return True
    message = (
        f"found host {http.host} without a token, expected a token of 8 characters or more (or a loopback host such as "
        "127.0.0.1): who reaches that address could pause mappings and read errors"
    )
    report.fault(("runtime", "http"), message)
    return False


def _misplaced(section: str) -> Callable[[str, object], str | None]:
    def explain(key: str, _node: object) -> str | None:
        if section == "runtime" and key == "console":
            return "found a section, expected it at the top level of the file, beside runtime"
        return None

    return explain


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
