"""Every kind of source has a world, so no kind gets by without the suite."""

from __future__ import annotations

from pollers.sources.registry import kinds
from tests.pollers.worlds import WORLDS


def test_every_kind_in_the_registry_has_a_world() -> None:
    """A new kind of source comes with a world in ``tests/pollers``; then this suite says whether it keeps its promises."""
    without = {kind.name for kind in kinds()} - {world.kind for world in WORLDS}
    assert not without, f"no world of these kinds in tests.pollers.worlds.WORLDS: {without}"


def test_worlds_have_names_of_their_own() -> None:
    """Tests are named after them."""
    names = [world.name for world in WORLDS]
    assert len(set(names)) == len(names)
