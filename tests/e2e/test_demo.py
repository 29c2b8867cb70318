"""``headrace demo``, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pollers.emulators import Emulator


@pytest.mark.timeout(300)
def test_the_demo_ends_by_itself_with_balanced_books(ministack: Emulator, kinesis_local: Emulator) -> None:
    """Queues and streams, poison and a reshard: exit 0, every mapping's books balance, nothing is left running."""
    done = subprocess.run(
        [sys.executable, "-m", "pollers", "demo", "--messages", "300"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {words[0]: words for words in map(str.split, done.stdout.splitlines()) if words}
    for mapping in ("orders-queue", "payments-fifo", "clicks", "customers"):
        assert lines[mapping][-1] == "balance", done.stdout
    assert "Every event sent was handled" in done.stdout
