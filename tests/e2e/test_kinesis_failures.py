"""What becomes of a stream's records that a function fails on, and of streams and checkpoints that are not as they should be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.queues import queue
from tests.e2e.streams import READING, checkpoints, mapping_of, remembered, stream

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

ACCEPT = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
"""
)
POISONED = (
    READING
    + """
    def handler(event, context):
        values = [text(record) for record in event["Records"]]
        note(values=values, request=context.aws_request_id, arn=context.invoked_function_arn)
        if "poison" in values:
            raise ValueError("poison")
        for record in event["Records"]:
            accept(record)
"""
)
REPORTING = (
    READING
    + """
    def handler(event, context):
        note(values=[text(record) for record in event["Records"]], request=context.aws_request_id)
        failed = [record for record in event["Records"] if text(record) == "6"]
        return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]} for record in failed]}
"""
)


@pytest.fixture
def workplace(tmp_path: Path, kinesis_local: Emulator) -> Workplace:
    return Workplace(tmp_path, kinesis_local)


async def test_a_poison_record_is_isolated_and_its_failure_record_delivered(
    workplace: Workplace, ministack: Emulator
) -> None:
    """Bisecting costs no attempt; just the poison record is given up on, and SQS gets Lambda's record of it."""
    async with stream(workplace.emulator) as source, queue(ministack) as failures:
        values = ["a", "b", "c", "d", "e", "poison", "g", "h"]
        await source.put(values)
        workplace.function(POISONED)
        workplace.configure(
            {
                "s": mapping_of(
                    source.arn,
                    bisect_batch_on_function_error=True,
                    maximum_retry_attempts=2,
                    destination_config={"on_failure": {"destination": failures.arn}},
                )
            },
            aws=_two_endpoints(workplace, ministack),
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        invocations = [note for note in workplace.notes() if "values" in note]
        failed = [note["values"] for note in invocations if "poison" in note["values"]]
        assert failed == [values, values[4:], values[4:6], ["poison"], ["poison"], ["poison"]]
        assert [note["id"] for note in workplace.notes() if "id" in note] == [v for v in values if v != "poison"]
        [record] = await _received(failures)
        last = [note for note in invocations if note["values"] == ["poison"]][-1]
        poison = (await source.records())[5]
        arrival = _milliseconds(poison["ApproximateArrivalTimestamp"])
        assert record.pop("timestamp") >= arrival
        assert record == {
            "requestContext": {
                "requestId": last["request"],
                "functionArn": last["arn"],
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 3,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": poison["SequenceNumber"],
                "endSequenceNumber": poison["SequenceNumber"],
                "approximateArrivalOfFirstRecord": arrival,
                "approximateArrivalOfLastRecord": arrival,
                "batchSize": 1,
                "streamArn": source.arn,
            },
        }
        [told] = workplace.logged("records discarded; their failure record was delivered")
        assert (told["first"], told["destination"]) == (poison["SequenceNumber"], failures.arn)
        [ledger] = workplace.logged("shutdown 7: ledger")
        assert (ledger["checkpointed"], ledger["discarded"], ledger["balanced"]) == (7, 1, True)


async def test_partial_progress_begins_a_fresh_count(tmp_path: Path, localstack: Emulator) -> None:
    """The recorded example: record 6 of 6 fails always; delivered five times, it is given up on after four invocations alone."""
    workplace = Workplace(tmp_path, localstack)
    async with stream(localstack) as source, queue(localstack) as failures:
        await source.put(["1", "2", "3", "4", "5", "6"])
        workplace.function(REPORTING)
        workplace.configure(
            {
                "s": mapping_of(
                    source.arn,
                    batch_size=3,
                    maximum_retry_attempts=3,
                    function_response_types=["ReportBatchItemFailures"],
                    destination_config={"on_failure": {"destination": failures.arn}},
                )
            }
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["values"] for note in workplace.notes()] == [["1", "2", "3"], ["4", "5", "6"], *[["6"]] * 4]
        [record] = await _received(failures)
        assert record["requestContext"]["approximateInvokeCount"] == 4
        assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert record["requestContext"]["requestId"] == workplace.notes()[-1]["request"]
        assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}
        assert record["KinesisBatchInfo"]["batchSize"] == 1
        last = (await source.records())[-1]["SequenceNumber"]
        assert record["KinesisBatchInfo"]["startSequenceNumber"] == last
        assert _done_upto(workplace) == last


async def test_a_failing_batch_is_resumed_at_the_lowest_failed_record(workplace: Workplace) -> None:
    """Partial progress is checkpointed while the rest is retried: kill -9 then brings back the failed record, nothing below it."""
    async with stream(workplace.emulator) as source:
        await source.put(["1", "2", "3", "4", "5", "6"])
        workplace.function(REPORTING)
        workplace.configure({"s": mapping_of(source.arn, function_response_types=["ReportBatchItemFailures"])})
        with workplace.headrace() as process:
            await until(lambda: _done_upto(workplace) is not None, running=process, what="a checkpoint")
            process.kill()
            await ended(process)
        assert _done_upto(workplace) == (await source.records())[4]["SequenceNumber"]
        before = len(workplace.notes())
        workplace.function(ACCEPT)
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()[before:]] == ["6"]


async def test_checkpoints_have_one_owner_and_can_be_shown_and_reset(workplace: Workplace) -> None:
    """A second Headrace on the same file is refused with the first one's pid; so is a reset, which works after its end."""
    async with stream(workplace.emulator) as source:
        await source.put(["a", "b"])
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(source.arn)})
        with workplace.headrace() as process:
            await until(lambda: _done_upto(workplace) is not None, running=process)
            with workplace.headrace() as second:
                assert await ended(second) == 1
            [refusal] = workplace.logged(
                "headrace cannot start"
            )  # in the same log as what the first one says meanwhile
            assert f"in use by process {process.pid}:" in refusal["error"]
            code, said = _checkpoints(workplace, "reset", "--yes")
            assert code == 1
            assert f"in use by process {process.pid}: stop that Headrace first" in said
            code, said = _checkpoints(workplace, "show")
            assert code == 0
            assert f"in use by process {process.pid}" in said
            assert (await source.records())[-1]["SequenceNumber"] in said
            terminate(process)
            assert await ended(process) == 0
        assert _checkpoints(workplace, "reset", "s", "--to", "TRIM_HORIZON", "--yes")[0] == 0
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["a", "b", "a", "b"]


async def test_a_stream_deleted_while_read_is_told_once_and_read_afresh_when_it_is_back(workplace: Workplace) -> None:
    """Streams that are missing or out of reach are reported once each while another mapping runs on; a new one is read afresh."""
    missing = "arn:aws:kinesis:us-east-1:000000000000:stream/never-made"
    unreachable = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
    told = "mapping cannot run and is tried again slowly"
    async with stream(workplace.emulator) as source, stream(workplace.emulator) as other:
        await source.put(["old"])
        workplace.function(ACCEPT)
        workplace.configure(
            {
                "s": mapping_of(source.arn),
                "missing": mapping_of(missing),
                "unreachable": mapping_of(unreachable),
                "other": mapping_of(other.arn),
            },
            aws={
                "endpoint_url": workplace.emulator.endpoint_url,
                "endpoint_urls": {"dynamodbstreams": f"http://127.0.0.1:{_closed_port()}"},
            },
        )
        with workplace.headrace() as process:
            await until(lambda: _done_upto(workplace) is not None, running=process)
            before = remembered(workplace)
            await source.delete()
            await until(lambda: {line["mapping"] for line in workplace.logged(told)} == {"missing", "s"})
            await other.put(["other"])
            await until(lambda: workplace.count()["other"], running=process)
            await source.create()
            await source.put(["new"])
            await until(lambda: workplace.count()["new"], running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.count() == {"old": 1, "new": 1, "other": 1}
        reports = workplace.logged(told)
        assert sorted(line["mapping"] for line in reports) == ["missing", "s"]
        assert all("does not exist" in line["error"] for line in reports), reports
        [out_of_reach] = [line for line in workplace.logged("waiting before another try") if line["mapping"] != "s"]
        assert out_of_reach["mapping"] == "unreachable"
        assert "ConnectFailed" in out_of_reach["why"]
        [afresh] = workplace.logged("the stream is another than before: it is read afresh, from its starting position")
        after = remembered(workplace)
        assert before is not None
        assert after is not None
        assert (afresh["before"], afresh["now"]) == (before.identity, after.identity)


# -- what several tests need -----------------------------------------------------------------------------------------------


def _two_endpoints(workplace: Workplace, sqs: Emulator) -> dict[str, Any]:
    """SQS from another emulator than everything else."""
    emulator = workplace.emulator
    return {
        "region": emulator.region,
        "endpoint_url": emulator.endpoint_url,
        "endpoint_urls": {"sqs": sqs.endpoint_url},
    }


def _closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def _received(failures: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a Queue
    """The failure records in a queue."""
    reply = await failures.sqs.receive_message(QueueUrl=failures.url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [json.loads(message["Body"]) for message in reply.get("Messages", ())]


def _done_upto(workplace: Workplace) -> str | None:
    """The checkpoint of mapping ``s`` on a stream of one shard."""
    kept = list(checkpoints(workplace).values())
    return kept[0].sequence_number if kept else None


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _checkpoints(workplace: Workplace, action: str, *arguments: str) -> tuple[int, str]:
    """``headrace checkpoints``: exit code, and what it said."""
    config = str(workplace.folder / "headrace.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "pollers", "checkpoints", action, config, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ),
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()
