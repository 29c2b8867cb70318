"""Bad input, end to end: configurations, functions, responses and messages that are not as they should be.

Each time: a clear error, the right verdict, nothing lost.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.queues import Queue, queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

KIB = 1024
RECEIVES = 2
"""maxReceiveCount of the queues here."""


@pytest.fixture
def workplace(tmp_path: Path, ministack: Emulator) -> Workplace:
    return Workplace(tmp_path, ministack)


# -- configurations ------------------------------------------------------------------------------------------------------

GOOD_FUNCTION = "functions: {f: {code: ., handler: app.handler}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"functions:\n\tf: 1\n", "headrace.yaml:2: found malformed YAML"),
        (b"functions: {f: [\nevent_source_mappings: {}\n", "headrace.yaml:3: found malformed YAML"),
        (b"functions:\n  f: \xff\xfe\n", "headrace.yaml:2: found the byte 0xff, expected text in UTF-8"),
        (b"", "headrace.yaml:1: found an empty file"),
        (None, "headrace.yaml:1: found a file that cannot be read (No such file or directory)"),
        (
            f"{GOOD_FUNCTION}\nevent_source_mappings:\n  q:\n    event_source_arn: arn:aws:sqs:orders\n"
            "    function_name: f\n    batch_sizes: 3\n".encode(),
            "headrace.yaml:4: event_source_mappings.q.event_source_arn: found 'arn:aws:sqs:orders'",
        ),
    ],
    ids=["tab", "unclosed", "not UTF-8", "empty", "missing", "wrong ARN"],
)
def test_a_configuration_that_cannot_be_used_starts_nothing(tmp_path: Path, text: bytes | None, told: str) -> None:
    """Exit 2, with file and line of each fault, nothing else and no traceback."""
    path = tmp_path / "headrace.yaml"
    if text is not None:
        path.write_bytes(text)
    command = [sys.executable, "-m", "pollers", "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert any(told in line for line in lines), done.stderr
    assert all(line.startswith(f"{path}:") and ", expected " in line for line in lines), done.stderr


# -- functions and their responses ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A function, and what the log must say of it (a part of one line)."""

    name: str
    source: str
    told: str
    handler: str = "handler"
    module: str | None = None


PYTHON = [
    Case(
        "missing",
        "import nowhere\ndef handler(e, c): ...",
        "Unable to import module 'missing': No module named 'nowhere'",
    ),
    Case("absent", "globals()", "Handler 'handler' missing on module 'absent'"),  # who could tell before it is run
    Case("uncallable", "handler = 42", "'int' object is not callable"),
    Case("unimportable", "raise RuntimeError('no database'); handler = 0", "no database"),
    Case("unfinished", "exec('def handler(event, context:')", "Syntax error in module 'unfinished'"),
    Case("leaving", "import sys; sys.exit(0); handler = 0", "Runtime exited without providing a reason"),
    Case(
        "not_json", "def handler(e, c): return {'batchItemFailures': [], 'n': float('nan')}", "the response is not JSON"
    ),
    Case("no_value", "def handler(e, c): return {1, 2}", "Object of type set is not JSON serializable"),
    Case("bytes", "def handler(e, c): return bytes([255, 254])", "the response is not JSON"),
    Case(
        "deep",
        """def handler(e, c): return b'{"batchItemFailures":[{"itemIdentifier":' + b"[" * 1000 + b"]" * 1000 + b"}]}" """,
        "itemIdentifier (a JSON array) is not in the batch",
    ),
    Case("too_deep", "def handler(e, c): return b'[' * 100_000", "it is nested too deep"),
    Case("too_large", "def handler(e, c): return 'x' * (7 << 20)", "Response payload size exceeded maximum"),
]
IN_PROCESS = [
    case for case in PYTHON if case.name in ("not_json", "no_value", "bytes", "deep", "too_deep", "too_large")
]
UNUSABLE_IN_PROCESS = [
    Case(
        "missing",
        "import nowhere; handler = 0",
        "missing.py:1: cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
    ),
    Case("uncallable", "handler = 42", "uncallable.py is not callable (it is of type int)"),
    Case(
        "unimportable",
        "raise RuntimeError('no database'); handler = 0",
        "unimportable.py:1: cannot be imported: RuntimeError: no database",
    ),
    Case("unfinished", "exec('def handler(event, context:')", "cannot be imported: SyntaxError"),
]
HOPELESS = [
    Case("nowhere", "", "there is no module elsewhere: ", module="elsewhere"),
    Case("absent", "def handle(event, context): ...", "defines no handler (did you mean absent.handle?), expected"),
    Case("unfinished", "def handler(event, context:", "unfinished.py:1: "),
]


@asynccontextmanager
async def queues_for(
    workplace: Workplace, cases: Iterable[Case], **function: object
) -> AsyncIterator[dict[str, Queue]]:
    """A queue with one message and a mapping for each case; every function reports partial failures, none of them well."""
    code = workplace.folder / "functions"
    code.mkdir()
    functions, mappings, queues = {}, {}, {}
    async with AsyncExitStack() as stack:
        for case in cases:
            (code / f"{case.name}.py").write_text(case.source)
            source = queues[case.name] = await stack.enter_async_context(
                queue(workplace.emulator, maximum_receives=RECEIVES)
            )
            await source.send([case.name])
            handler = f"{case.module or case.name}.{case.handler}"
            functions[case.name] = {"code": str(code), "handler": handler, "concurrency": 1, **function}
            mappings[case.name] = {
                "event_source_arn": source.arn,
                "function_name": case.name,
                "function_response_types": ["ReportBatchItemFailures"],
                "visibility": {"retry_delay": 0},
            }
        workplace.configure(mappings, functions=functions)
        yield queues


def told(workplace: Workplace, case: Case) -> bool:
    """Whether a warning or an error of this case's mapping or function says what it should."""
    return any(
        case.told in f"{line['event']} {line.get('why', '')} {line.get('error', '')} {line.get('problem', '')}"
        for line in workplace.logged()
        if case.name in (line.get("mapping"), line.get("function")) and line["level"] in ("warning", "error")
    )


def untold(workplace: Workplace, cases: Iterable[Case]) -> list[str]:
    return [case.name for case in cases if not told(workplace, case)]


async def check_dead_letters(workplace: Workplace, queues: dict[str, Queue]) -> None:
    """Each message failed as often as its queue allows, and is in its dead-letter queue."""
    for name, source in queues.items():
        assert await source.empty(), name
        assert await source.dead() == [name]
    ledgers = {line["mapping"]: line for line in workplace.logged("shutdown 7: ledger")}
    for name in queues:
        assert ledgers[name]["balanced"], name
        assert (ledgers[name]["deleted"], ledgers[name]["failed"]) == (0, RECEIVES), name


async def test_python_functions_that_cannot_work_lose_nothing(workplace: Workplace) -> None:
    """No module, nothing to call, no JSON, too much of it: each is told, and its message ends in the dead-letter queue."""
    async with queues_for(workplace, PYTHON, timeout=5) as queues:
        with workplace.headrace("--until-idle", "2") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        await check_dead_letters(workplace, queues)
    assert untold(workplace, PYTHON) == []


@pytest.mark.parametrize("runtime", ["python", "in_process"])
async def test_functions_that_certainly_cannot_work_are_refused_before_anything_is_received(
    workplace: Workplace, runtime: str
) -> None:
    """Each with its place in the configuration, as any other fault; the messages were never touched."""
    async with queues_for(workplace, HOPELESS, runtime=runtime) as queues:
        with workplace.headrace() as process:
            assert await ended(process) == 2
        for source in queues.values():
            assert await source.counts() == (1, 0)
    said = workplace.log.read_text().splitlines()
    assert len(said) == len(HOPELESS)
    for case in HOPELESS:
        assert any(f": functions.{case.name}.handler: found " in line and case.told in line for line in said), said


async def test_responses_of_in_process_functions_that_cannot_be_read_lose_nothing(workplace: Workplace) -> None:
    """As with worker processes."""
    async with queues_for(workplace, IN_PROCESS, runtime="in_process") as queues:
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        await check_dead_letters(workplace, queues)
    assert untold(workplace, IN_PROCESS) == []


async def test_in_process_functions_that_cannot_be_loaded_receive_nothing(workplace: Workplace) -> None:
    """The mapping says once which file is wrong and what would be right, and the messages stay where they are."""
    async with queues_for(workplace, UNUSABLE_IN_PROCESS, runtime="in_process") as queues:
        with workplace.headrace() as process:
            await until(lambda: untold(workplace, UNUSABLE_IN_PROCESS) == [], running=process, what="every report")
            terminate(process)
            assert await ended(process) == 0
        for source in queues.values():
            assert await source.counts() == (1, 0)
    assert len(workplace.logged("mapping cannot run and is tried again slowly")) == len(UNUSABLE_IN_PROCESS)


async def test_whatever_a_function_prints_is_a_line_in_the_log(workplace: Workplace) -> None:
    """Bytes that are no text, control characters, a line that looks like one of ours, one without end: shown, not obeyed."""
    workplace.function(r"""
        def handler(event, context):
            os.write(1, b"\xff\xfe\x00 no text \x1b[2J\r\n")
            os.write(2, b'{"event": "headrace stopped", "level": "info"}\n')
            os.write(1, b"x" * 200_000)
    """)
    async with queue(workplace.emulator) as source:
        await source.send(["m1"])
        workplace.configure({"q": {"event_source_arn": source.arn}})
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert await source.empty()
    printed = {line["event"]: line for line in workplace.logged() if line.get("stream")}
    assert r"\xff\xfe\x00 no text \x1b[2J" in printed
    assert printed['{"event": "headrace stopped", "level": "info"}']["stream"] == "stderr"
    [long] = [event for event in printed if event.startswith("xxx")]
    assert long.endswith("more bytes]")
    assert len({line["request_id"] for line in printed.values()}) == 1
    assert len(workplace.logged("headrace stopped")) == 1


# -- messages ------------------------------------------------------------------------------------------------------------

MESSAGES: dict[str, dict[str, Any]] = {
    "1 MiB": {"MessageBody": "x" * (1024 * KIB)},
    "1 MiB that JSON doubles": {"MessageBody": '"' * (1024 * KIB)},
    "control characters": {"MessageBody": "\t\r\n\x85\u2028\u202e and a \\u0000 that is none"},
    "256 KiB of attributes": {
        "MessageBody": "a",
        "MessageAttributes": {
            f"attribute{n}": {"DataType": "String", "StringValue": chr(97 + n) * (26 * KIB - 100)} for n in range(10)
        },
    },
    "no UTF-8": {
        "MessageBody": "b",
        "MessageAttributes": {"raw": {"DataType": "Binary.png", "BinaryValue": bytes(range(256)) * 900}},
    },
}
ECHO = """
    import hashlib

    def handler(event, context):
        for record in event["Records"]:
            attributes = {
                name: [value["dataType"], value.get("stringValue"), value.get("binaryValue")]
                for name, value in record["messageAttributes"].items()
            }
            note(id=hashlib.sha256(record["body"].encode()).hexdigest(), attributes=attributes)
"""


def expected_attributes(message: dict[str, Any]) -> dict[str, list[str | None]]:
    """As the function must see them."""
    return {
        name: [
            value["DataType"],
            value.get("StringValue"),
            base64.b64encode(value["BinaryValue"]).decode() if "BinaryValue" in value else None,
        ]
        for name, value in message.get("MessageAttributes", {}).items()
    }


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # by the stock SDK, which sends them
async def test_the_largest_and_oddest_messages_reach_the_function_as_they_were_sent(workplace: Workplace) -> None:
    """All that SQS takes: bodies of 1 MiB, 256 KiB of attributes, bytes that are no text; more than 6 MiB in several events."""
    workplace.function(ECHO)
    async with queue(workplace.emulator) as source:
        send = source.sqs.send_message
        await asyncio.gather(*(send(QueueUrl=source.url, **message) for message in MESSAGES.values()))
        for number in range(4):
            await send(QueueUrl=source.url, MessageBody=f"{number}" + "\\" * (1024 * KIB - 1))
        workplace.configure(
            {"q": {"event_source_arn": source.arn, "batch_size": 100, "maximum_batching_window_in_seconds": 1}}
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert await source.empty()
    noted = {note["id"]: note["attributes"] for note in workplace.notes()}
    assert len(noted) == len(MESSAGES) + 4
    for name, message in MESSAGES.items():
        digest = hashlib.sha256(message["MessageBody"].encode()).hexdigest()
        assert noted[digest] == expected_attributes(message), name
    [ledger] = workplace.logged("shutdown 7: ledger")
    assert (ledger["deleted"], ledger["failed"], ledger["balanced"]) == (len(noted), 0, True)
    assert ledger["invocations"] > 1
