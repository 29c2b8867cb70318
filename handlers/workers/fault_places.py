"""Where a worker that could not be started failed: file and line of the user's code, as far as it said. A decider."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from handlers.function import FunctionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handlers.function import InfrastructureError

_FRAME = re.compile(r'File "([^"]+)",? [Ll]ine (\d+)')


def found_at(failure: FunctionError | InfrastructureError, copies: Mapping[str, str]) -> str:
    """The failure in words, with file and line first where they are known. ``copies``: of which folders workers run copies."""
    text = _without_copies(failure.message, copies).removeprefix("RequestId:  Error: ")
    if not isinstance(failure, FunctionError):
        return text
    error_type = failure.error_type
    place = _place(failure, copies)
    told = text if error_type in text or error_type.startswith(("Runtime.", "Sandbox.")) else f"{error_type}: {text}"
    return f"{place}: {told}" if place else told


def _place(failure: FunctionError, copies: Mapping[str, str]) -> str:
    try:
        trace = json.loads(failure.document).get("stackTrace") or []
    except (ValueError, AttributeError):
        return ""
    found = [(_without_copies(match[1], copies), match[2]) for line in trace for match in _FRAME.finditer(str(line))]
    own = [place for place in found if any(place[0].startswith(folder + os.sep) for folder in copies.values())]
    return ":".join((own or found)[-1]) if found else ""


def _without_copies(text: str, copies: Mapping[str, str]) -> str:
    for copy, own in copies.items():
        text = text.replace(copy, own)
    return text
