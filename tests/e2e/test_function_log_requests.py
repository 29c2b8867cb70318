"""Whatever a function says, each event of it belongs to the request that it was said for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import structlog

from tests.e2e.functions import python_function

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 200
SOURCE = """
    import json, logging, sys

    def handler(event, context):
        mine = context.aws_request_id
        print("out", mine)
        logging.getLogger().warning("record of %s\\nin two lines", mine)
        sys.stderr.write("err " + mine + "\\n")
        if event % 7 == 0:
            print("\\n".join(f"many {mine}" for _ in range(40)))
        if event % 5 == 0:
            try:
                raise ValueError(mine)
            except ValueError:
                logging.exception("failed %s", mine)
        print("no end", mine, end="")
        if event % 11 == 0:
            raise KeyError(mine)
        return mine
"""


def lines_of(number: int) -> int:
    """How many events an invocation makes."""
    return 4 + 40 * (number % 7 == 0) + (number % 5 == 0) + (number % 11 == 0)


async def test_each_of_many_quick_invocations_of_two_workers_has_its_own_events_and_no_others(tmp_path: Path) -> None:
    """Prints, errors, records, tracebacks and lines without an end, of 200 invocations side by side on two workers."""
    with structlog.testing.capture_logs() as events:
        async with python_function(tmp_path, SOURCE, concurrency=2) as function:
            tails: dict[str, tuple[str, ...]] = {}
            limit = anyio.CapacityLimiter(2)

            async def invoke(number: int) -> None:
                async with limit:
                    done = await function.invoke(str(number).encode(), request_id=f"r-{number:03}-x")
                tails[done.request_id] = done.log

            async with anyio.create_task_group() as group:
                for number in range(REQUESTS):
                    group.start_soon(invoke, number)
    said: list[Any] = [event for event in events if "stream" in event]
    assert [event for event in said if event["request_id"] not in event["event"]] == []
    for number in range(REQUESTS):
        request_id = f"r-{number:03}-x"
        assert sum(event["request_id"] == request_id for event in said) == lines_of(number)
        assert sum(request_id in line for line in tails[request_id]) == lines_of(number) + 3  # START, END, REPORT
    assert len({event["pid"] for event in said}) == 2
