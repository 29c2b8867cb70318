"""``runtime: provided``, executables that speak the Runtime API: what is refused before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


REFUSED = [
    ("runtime: provided, code: .", "command is missing, expected a list of at least 1 item, each text"),
    (
        "runtime: provided, code: ., command: []",
        "command: found 0 items, expected a list of at least 1 item, each text",
    ),
    (
        "runtime: provided, code: ., command: [./nowhere]",
        "command[0]: found './nowhere', which is no executable file (",
    ),
    ("runtime: provided, code: ., command: ['']", "command[0]: found an empty word or a null character"),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_command_can_be_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)
