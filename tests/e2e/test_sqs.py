"""A queue to a function, end to end: the command, real worker processes, signals and kill -9, on two emulators."""

from __future__ import annotations

import asyncio
import textwrap
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.e2e.harness import Workplace, ended, terminate, until, until_true
from tests.e2e.queues import queue

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

ACCEPT = """
    def handler(event, context):
        for record in event["Records"]:
            note(id=record["body"], request=context.aws_request_id)
"""
SLOW = """
    def handler(event, context):
        note(began=[record["body"] for record in event["Records"]])
        time.sleep(0.3)
        for record in event["Records"]:
            note(id=record["body"])
"""
PARTIAL = """
    def handler(event, context):
        failed = []
        for record in event["Records"]:
            note(id=record["body"], receives=record["attributes"]["ApproximateReceiveCount"])
            if record["body"].startswith("poison"):
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}
"""


@pytest.fixture(params=["ministack", "localstack"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """Both emulators, one after the other."""
    found: Emulator = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def workplace(tmp_path: Path, emulator: Emulator) -> Workplace:
    return Workplace(tmp_path, emulator)


async def test_messages_flow_through_workers_until_idle(workplace: Workplace) -> None:
    """Every message reaches a worker and leaves the queue; --until-idle ends by itself with exit 0."""
    async with queue(workplace.emulator) as source:
        bodies = [f"m{n}" for n in range(100)]
        await source.send(bodies)
        workplace.function(ACCEPT)
        workplace.configure({"q": {"event_source_arn": source.arn}}, function={"concurrency": 3})
        with workplace.headrace("--until-idle", "2") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert set(workplace.count()) == set(bodies)
        assert await source.empty()
        [ledger] = workplace.logged("shutdown 7: ledger")
        assert ledger["balanced"]
        assert ledger["deleted"] == 100
        assert not workplace.workers()


async def test_sigterm_under_load_loses_nothing_and_leaves_nothing_in_flight(workplace: Workplace) -> None:
    """After SIGTERM each message is either handled and deleted or visible in the queue, at once; exit 0."""
    async with queue(workplace.emulator, visibility=60) as source:
        bodies = [f"m{n}" for n in range(200)]
        await source.send(bodies)
        workplace.function(SLOW)
        workplace.configure({"q": {"event_source_arn": source.arn, "batch_size": 5}}, function={"concurrency": 3})
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 20, running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        handled = set(workplace.count())

        async def settled() -> bool:
            return await source.counts() == (len(bodies) - len(handled), 0)

        await until_true(settled, within=10, what="nothing in flight")
        assert len(handled) < len(bodies)
        assert not workplace.workers()


async def test_kill_9_under_load_loses_nothing_and_leaves_no_orphans(workplace: Workplace) -> None:
    """Killed in the middle and started again: every message is handled at least once, and no worker outlives its Headrace."""
    async with queue(workplace.emulator, visibility=4, maximum_receives=100) as source:
        bodies = [f"m{n}" for n in range(120)]
        await source.send(bodies)
        workplace.function(SLOW)
        workplace.configure(
            {"q": {"event_source_arn": source.arn, "batch_size": 5}}, function={"concurrency": 3, "timeout": 3}
        )
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 20, running=process)
            process.kill()
            await ended(process)
        await until(lambda: not workplace.workers(), what="the end of every worker")
        with workplace.headrace("--until-idle", "2") as process:
            assert await ended(process) == 0
        assert set(workplace.count()) == set(bodies)
        assert await source.empty()


async def test_partial_failures_return_alone_and_end_in_the_dead_letter_queue(workplace: Workplace) -> None:
    """Just the reported messages come back, each delivered exactly maxReceiveCount times; the rest run once."""
    async with queue(workplace.emulator, maximum_receives=3) as source:
        good, poison = [f"m{n}" for n in range(30)], ["poison1", "poison2"]
        await source.send([*good[:15], *poison, *good[15:]])
        workplace.function(PARTIAL)
        workplace.configure(
            {
                "q": {
                    "event_source_arn": source.arn,
                    "batch_size": 100,
                    "maximum_batching_window_in_seconds": 1,
                    "function_response_types": ["ReportBatchItemFailures"],
                    # Not later: ministack may deliver a message once too often that becomes visible while it looks.
                    "visibility": {"retry_delay": 0},
                }
            }
        )
        with workplace.headrace("--until-idle", "3") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        counts = workplace.count()
        assert {body: counts[body] for body in poison} == {"poison1": 3, "poison2": 3}
        assert all(counts[body] == 1 for body in good)
        assert sorted(await source.dead()) == poison


async def test_a_hanging_and_a_crashing_function_fail_their_batches_and_nothing_else(workplace: Workplace) -> None:
    """The time-out kills the worker, the crash is replaced, both messages end in the dead-letter queue, the rest is handled."""
    async with queue(workplace.emulator, visibility=5, maximum_receives=2) as source:
        await source.send(["hang", "crash", *(f"m{n}" for n in range(20))])
        workplace.function("""
            def handler(event, context):
                for record in event["Records"]:
                    note(id=record["body"])
                    if record["body"] == "hang":
                        time.sleep(600)
                    if record["body"] == "crash":
                        os._exit(3)
        """)
        workplace.configure(
            {"q": {"event_source_arn": source.arn, "batch_size": 1, "visibility": {"retry_delay": 0}}},
            function={"timeout": 1, "concurrency": 3},
        )
        with workplace.headrace("--until-idle", "3") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert sorted(await source.dead()) == ["crash", "hang"]
        counts = workplace.count()
        assert {f"m{n}" for n in range(20)} <= set(counts)
        assert (counts["hang"], counts["crash"]) == (2, 2)
        text = workplace.log.read_text()
        assert "Task timed out after 1.00 seconds" in text
        assert "Runtime exited with error: exit status 3" in text


async def test_fifo_keeps_the_order_of_each_group_across_failures_and_kill_9(workplace: Workplace) -> None:
    """No message of a group is handled before the one in front of it, also when one fails twice and Headrace is killed.

    One receive at a time on LocalStack: of two it may give one the middle of a group and the other its end (docs/localstack.md).
    """
    async with queue(workplace.emulator, fifo=True, visibility=4, maximum_receives=50) as source:
        groups = {f"g{g}": [f"g{g}-{n:02}" for n in range(12)] for g in range(4)}
        for group, bodies in groups.items():
            await source.send(bodies, group=group)
        workplace.function("""
            def handler(event, context):
                failed, stuck = [], set()
                for record in event["Records"]:
                    group = record["attributes"]["MessageGroupId"]
                    receives = int(record["attributes"]["ApproximateReceiveCount"])
                    if group in stuck or (record["body"].endswith("05") and receives < 3):
                        stuck.add(group)
                        failed.append({"itemIdentifier": record["messageId"]})
                        continue
                    time.sleep(0.02)
                    note(id=record["body"])
                return {"batchItemFailures": failed}
        """)
        workplace.configure(
            {
                "q": {
                    "event_source_arn": source.arn,
                    "function_response_types": ["ReportBatchItemFailures"],
                    "visibility": {"retry_delay": 0},
                }
            },
            function={"concurrency": 1 if workplace.emulator.name == "localstack" else 4, "timeout": 3},
        )
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 10, running=process)
            process.kill()
            await ended(process)
        with workplace.headrace("--until-idle", "3") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        for group, bodies in groups.items():
            firsts = list(dict.fromkeys(note["id"] for note in workplace.notes() if note["id"].startswith(group + "-")))
            assert firsts == bodies


async def test_a_missing_queue_is_reported_once_while_another_mapping_runs(workplace: Workplace) -> None:
    """One mapping's failure never stops another."""
    async with queue(workplace.emulator) as source:
        workplace.function(ACCEPT)
        missing = "arn:aws:sqs:us-east-1:000000000000:never-made"
        workplace.configure({"bad": {"event_source_arn": missing}, "good": {"event_source_arn": source.arn}})
        with workplace.headrace() as process:
            await until(lambda: workplace.logged("mapping cannot run and is tried again slowly"))
            await source.send(["m1"])
            await until(lambda: workplace.count()["m1"] == 1, running=process)
            [line] = workplace.logged("mapping cannot run and is tried again slowly")
            assert line["mapping"] == "bad"
            assert "NonExistentQueue" in line["error"] or "does not exist" in line["error"]
            terminate(process)
            assert await ended(process) == 0


async def test_awkward_bodies_reach_the_function_byte_for_byte(workplace: Workplace) -> None:
    """Text that JSON must escape, other scripts, a body of 1 MiB less its attributes: all as sent."""
    bodies = [
        '{"a": 1.0, "b":  [1,2 ]}',
        '\u00e4\u4e2d\U0001f600 "quoted" \\ back',
        "\ttabs\nand\rlines",
        "x" * 250_000,
    ]
    async with queue(workplace.emulator) as source:
        for body in bodies:
            await source.sqs.send_message(
                QueueUrl=source.url,
                MessageBody=body,
                MessageAttributes={"raw": {"DataType": "Binary", "BinaryValue": b"\xff\xfe\x00"}},
            )
        workplace.function("""
            def handler(event, context):
                for record in event["Records"]:
                    note(id=record["body"], raw=record["messageAttributes"]["raw"])
        """)
        workplace.configure({"q": {"event_source_arn": source.arn}})
        with workplace.headrace("--until-idle", "2") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert set(workplace.count()) == set(bodies)
        for noted in workplace.notes():
            assert noted["raw"] == {
                "binaryValue": "//4A",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            }


async def test_a_module_that_a_handler_lacks_is_told_and_loses_nothing(workplace: Workplace) -> None:
    """Messages stay in the queue, and the log has Lambda's own words; at the start it was a warning."""
    async with queue(workplace.emulator, visibility=5, maximum_receives=50) as source:
        await source.send(["m1"])
        workplace.function("import never_there\n" + textwrap.dedent(ACCEPT))
        workplace.configure({"q": {"event_source_arn": source.arn}})
        with workplace.headrace() as process:
            await until(lambda: "Runtime.ImportModuleError" in workplace.log.read_text())
            terminate(process)
            assert await ended(process) == 0
        assert sum(await source.counts()) == 1
    [note] = workplace.logged("configuration note")
    assert "imports never_there" in note["note"]


async def test_two_instances_share_a_queue(workplace: Workplace) -> None:
    """Replicas need nothing but the queue: together they handle each message."""
    async with queue(workplace.emulator) as source:
        bodies = [f"m{n}" for n in range(100)]
        await source.send(bodies)
        workplace.function(SLOW)
        workplace.configure({"q": {"event_source_arn": source.arn, "batch_size": 5}}, function={"concurrency": 2})
        with workplace.headrace("--until-idle", "2") as one, workplace.headrace("--until-idle", "2") as two:
            codes = await asyncio.gather(ended(one), ended(two))
        assert list(codes) == [0, 0]
        assert set(workplace.count()) == set(bodies)
        assert len({note["pid"] for note in workplace.notes()}) > 2
        assert await source.empty()


async def test_a_message_sent_in_the_moment_of_a_stop_is_handled_in_seconds(workplace: Workplace) -> None:
    """Again and again, with a queue that hides for ten minutes: whatever a cut long poll has taken comes back soon."""
    rounds, waited = 2, list[float]()
    async with queue(workplace.emulator, visibility=600, maximum_receives=10) as source:
        workplace.function(ACCEPT)
        workplace.configure({"q": {"event_source_arn": source.arn}})
        for number in range(rounds):
            with workplace.headrace() as process:
                await until(
                    lambda number=number: len(workplace.logged("mapping started")) == 2 * number + 1,  # type: ignore[misc]
                    running=process,
                    what="polling",
                )
                await anyio.sleep(0.05 * number)
                async with anyio.create_task_group() as group:
                    group.start_soon(source.send, [f"m{number}"])
                    await anyio.sleep(0.002 * number)
                    terminate(process)
                sent_at = time.monotonic()
                assert await ended(process) == 0, workplace.log.read_text()
            with workplace.headrace() as process:
                await until(lambda number=number: workplace.count()[f"m{number}"], running=process, what="the message")  # type: ignore[misc]
                waited.append(time.monotonic() - sent_at)
                # Where the first process has handled it, this one may not even heed signals yet.
                await until(
                    lambda number=number: len(workplace.logged("mapping started")) == 2 * number + 2,  # type: ignore[misc]
                    running=process,
                    what="polling",
                )
                terminate(process)
                assert await ended(process) == 0, workplace.log.read_text()
        assert await source.empty()
    print(f"handled after {', '.join(f'{seconds:.1f}' for seconds in waited)} s")
    assert set(workplace.count()) == {f"m{number}" for number in range(rounds)}
    assert max(waited) < 120
