"""The ``functions`` section: from a mapping of options to a function's model, with every fault on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from config.functions import registry
from config.functions.function import RULES
from config.options.outcome import Read, Reading
from config.options.shapes import options_of
from config.options.spelling import suggestion
from config.text.nodes import Node, Scalar, Table, describe, is_faulty, is_null, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.faults import Report
    from config.functions.registry import FunctionModel
    from config.functions.runtime import FunctionRuntime
    from config.options.reader import Reader
    from config.text.places import Path

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
"""Lambda's rule for function names."""


def read_function(name: str, node: Node, reader: Reader, path: Path) -> Read[FunctionModel]:
    """The function under ``name``."""
    report = reader.report
    if not NAME.fullmatch(name):
        report.fault(
            path, f"found the name {quoted(name)}, expected 1 to 64 letters, digits, '-' and '_', as on Lambda"
        )
    if is_faulty(node):
        return _unread()
    if not isinstance(node, Table):
        report.fault(path, f"found {describe(node)}, expected a mapping with runtime, code and handler")
        return _unread()
    runtime = _runtime(node, path, report)
    if runtime is None:
        return _unread()
    reading = reader.section(options_of(runtime.model), node, path, path, _foreign(runtime))
    if reading is None:
        return _unread()
    for rule in (*runtime.rules, *RULES):
        for found in rule(reading):
            report.fault((*path, *found.path), found.message)
    return Read(None if reading.faulty else runtime.model(**reading.values), reading)


def _unread() -> Read[FunctionModel]:
    return Read(None, Reading())


def _runtime(node: Table, path: Path, report: Report) -> FunctionRuntime | None:
    entry = node.entries.get("runtime")
    if entry is None or is_null(entry.node):
        return registry.DEFAULT
    value = entry.node.value if isinstance(entry.node, Scalar) else None
    if isinstance(entry.node, Scalar) and entry.node.problem is not None:
        return None
    if isinstance(value, str) and value in registry.RUNTIMES:
        return registry.RUNTIMES[value]
    at = (*path, "runtime")
    report.enter(at, entry.node, at, entry.place)
    report.fault(at, f"found {describe(entry.node)}, expected one of {', '.join(registry.RUNTIMES)}{_advice(value)}")
    return None


def _advice(value: object) -> str:
    if not isinstance(value, str):
        return ""
    for runtime in registry.RUNTIMES.values():
        if value.startswith(runtime.instead_of):
            return f" ({runtime.advice})"
    return suggestion(value, registry.RUNTIMES)


def _foreign(runtime: FunctionRuntime) -> Callable[[str, Node], str | None]:
    def explain(key: str, _node: Node) -> str | None:
        owners = [other.name for other in registry.takers_of(key)]
        if not owners:
            return None
        return (
            f"found a setting of {' and '.join(owners)} functions, expected one of {runtime.name} functions: "
            f"{', '.join(options_of(runtime.model))}"
        )

    return explain
