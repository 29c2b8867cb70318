"""The form of a Python handler's name, as on Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from config.faults import Finding
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

_HANDLER = re.compile(r"[^\s./][^\s.]*(?:\.[^\s./][^\s.]*)*\.[^\W\d]\w*")


def handler_name(reading: Reading) -> Iterator[Finding]:
    """A handler is ``module.function``; the module may be in packages."""
    name = reading.values.get("handler")
    if name is not None and not _HANDLER.fullmatch(name):
        yield Finding(("handler",), f"found {quoted(name)}, expected module.function, such as app.handler")
