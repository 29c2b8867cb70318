"""A process that is killed, for real: what it said was accepted is there."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anyio

from pollers.invocations import TABLES, rows
from pollers.state import State

ROOT = Path(__file__).parents[3]
ACCEPTS = """
    import sys, anyio
    from pathlib import Path
    from pollers.invocations import TABLES, AsyncQueue
    from pollers.state import State

    async def accept(queue, client):
        for number in range(1_000_000):
            await queue.accept("orders", b"{}", request_id=f"{client}-{number}")
            print(f"{client}-{number}", flush=True)

    async def main():
        async with State(Path(sys.argv[1]), [TABLES]) as state, anyio.create_task_group() as group:
            queue = AsyncQueue(state, {}, None, None, None)
            for client in range(8):
                group.start_soon(accept, queue, client)
    anyio.run(main)
"""


def test_every_event_that_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Whatever the moment, with many callers that share transactions; and no other request id is there twice."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ACCEPTS), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        answered = [process.stdout.readline().strip() for _ in range(300)]
        process.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in process.stdout if line.endswith("\n")]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    async def kept() -> tuple[set[str], int]:
        async with State(tmp_path, [TABLES]) as state:
            ids = await state.call(
                lambda connection: connection.execute("SELECT request_id FROM invocations").fetchall()
            )
            return {one for (one,) in ids}, (await state.call(rows.count)).queued["orders"][0]

    there, count = anyio.run(kept)
    assert set(answered) <= there
    assert len(there) == count <= len(answered) + 8
