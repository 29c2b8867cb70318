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
    """Queues, streams, asynchronous calls, a schedule, poison, a reshard: exit 0, all books balance, nothing is left running."""
    done = subprocess.run(
        [sys.executable, "-m", "pollers", "demo", "--messages", "300"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [words for words in map(str.split, done.stdout.splitlines()) if words]
    balanced = [words[0] for words in lines if words[-1] == "balance"]
    called = ["invoices", "daily-report"]
    assert balanced == ["orders-queue", "payments-fifo", "clicks", "customers", *called, *called], done.stdout
    # Accepted, succeeded, failed; a schedule's run for its due time is one.
    assert [words[1:4] for words in lines if words[-1] == "balance"][-2:] == [["75", "72", "3"], ["1", "1", "0"]]
    assert "Every event sent was handled" in done.stdout
