"""The kind of source that this suite makes up is in the registry while its tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pollers.sources.registry import registered
from tests.pollers.third_source import FEED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def third_kind() -> Iterator[None]:
    """Known, as if it had been entered there."""
    with registered(FEED):
        yield
