"""``kill -9`` of the whole process while events stream in and run: each that was answered with 202 runs."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.e2e.lambda_api import LambdaApiPlace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)
CLIENTS = 8
KILLS = 2
CONCURRENCY = 2
JOURNALING = """
import os

def handler(event, context):
    journal = os.open(event["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, (context.aws_request_id + "\\n").encode())
    os.close(journal)
"""


async def _call(session: aiohttp.ClientSession, url: str, journal: Path, accepted: list[str]) -> None:
    """Events, one after the other, until the process is gone."""
    address = f"{url}/2015-03-31/functions/notes/invocations"
    try:
        while True:
            async with session.post(
                address, json={"journal": str(journal)}, headers={"X-Amz-Invocation-Type": "Event"}
            ) as reply:
                assert reply.status == 202
                accepted.append(reply.headers["x-amzn-RequestId"])
    except aiohttp.ClientError:
        return


async def _until_killed(place: LambdaApiPlace, journal: Path, accepted: list[str], events: int) -> None:
    """Call from many clients at the same time, and kill the process in the middle of it."""
    wanted = len(accepted) + events
    async with aiohttp.ClientSession() as session:
        calls = [asyncio.create_task(_call(session, place.url, journal, accepted)) for _ in range(CLIENTS)]
        try:
            async with asyncio.timeout(120):
                while len(accepted) < wanted:
                    await asyncio.sleep(0.001)
            place.kill()
        finally:
            await asyncio.gather(*calls)


def test_every_event_that_was_answered_runs_whenever_the_process_is_killed(tmp_path: Path) -> None:
    """And at the end the books balance."""
    place = LambdaApiPlace(tmp_path)
    place.configure({"notes": {"concurrency": CONCURRENCY}}, runtime={"http": False, "state": str(tmp_path / "state")})
    (tmp_path / "code" / "app.py").write_text(JOURNALING)
    journal, accepted = tmp_path / "journal", list[str]()
    for _ in range(KILLS):
        place.start()
        asyncio.run(_until_killed(place, journal, accepted, random.randint(50, 400)))
    place.start()
    try:
        place.until(lambda: set(accepted) <= set(journal.read_text().split()), "every event")
        assert place.end() == 0
        books = [line for line in place.log if line.get("service") == "asynchronous queue"][-1]
        assert books["balanced"]
        assert (books["failed"], books["dropped"]) == (0, 0)
        # What was accepted and not answered, or had run and was cut short, may still wait.
        assert books["queued"] <= CLIENTS + CONCURRENCY
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()
    assert len(set(accepted)) == len(accepted)
