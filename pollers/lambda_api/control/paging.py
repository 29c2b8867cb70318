"""Lists in pages: a marker names what came last, so that a page follows rightly whatever was added or removed meanwhile."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from pollers.lambda_api import errors
from pollers.lambda_api.control.requests import query_members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ITEMS_AT_MOST = 50
"""In a page, whatever is asked for (docs/lambda 11.11)."""


def page(
    names: Iterable[str], query: Mapping[str, str], limit: int, at_most: int = ITEMS_AT_MOST
) -> tuple[list[str], dict[str, Any]]:
    """The names of one page in their order, and the member ``NextMarker`` where there are more.

    ``query`` may have ``Marker`` and ``MaxItems``, of which at most ``limit`` may be asked for and ``at_most`` are
    answered. Raises ApiError for wrong ones.
    """
    members = query_members(query, ("MaxItems",))
    wanted = members.integer("MaxItems", least=1, most=limit) or at_most
    members.check()
    after = _read(query.get("Marker", ""))
    left = sorted(name for name in names if name > after)
    shown = left[: min(wanted, at_most)]
    return shown, ({"NextMarker": _written(shown[-1])} if len(left) > len(shown) else {})


def _written(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _read(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise errors.invalid_parameter("The Marker is invalid: it is none that a list has answered.") from None
