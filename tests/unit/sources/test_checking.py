"""``check --online``: each thing that can be wrong is found, told in words with its fix, and rightly weighed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.models import Config, DynamoDBMapping, KinesisMapping, PythonFunction, SqsMapping
from pollers.aws import services
from pollers.aws.errors import AccessDenied, CredentialsExpired, NotFound, Refused, Unavailable
from pollers.aws.findings import Finding, Level
from pollers.clocks.skew import clock_skews
from pollers.commands.check_online import skew_findings
from pollers.sources.checking import examine
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue, Redrive
from tests.worlds.memory_streams import MemoryStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from config.models import Mapping
    from pollers.aws.api import AwsService
    from pollers.aws.errors import AwsError

DENIED = AccessDenied("AccessDenied", "not you", operation="TheCall")
DLQ = Queue("dead")
TOPIC = "arn:aws:sns:us-east-1:000000000000:failed"
BUCKET = "arn:aws:s3:::failed"


@dataclass
class FakeAws:
    """Every service in memory; calls named in ``failing`` raise, those in ``hanging`` never answer."""

    queues: tuple[Queue, ...] = ()
    stream: MemoryStream | None = None
    topics: set[str] = field(default_factory=set)
    failing: dict[str, AwsError] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)

    async def client(self, service: AwsService[Any], region: str) -> Any:  # noqa: ANN401 - each client is wrapped
        if service is services.SQS:
            return Wrapped(self, MemorySqs(*self.queues))
        if service in (services.SNS, services.S3):
            return Wrapped(self, self)
        return Wrapped(self, self.stream)

    async def check_topic(self, arn: str) -> None:
        if arn not in self.topics:
            raise NotFound("NotFound", "no such topic")

    async def check_bucket(self, name: str) -> None:
        raise NotFound("NoSuchBucket", name)


@dataclass
class Wrapped:
    """A client whose calls meet what the test ordered first."""

    aws: FakeAws
    client: Any

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: object, **named: object) -> Any:  # noqa: ANN401
            if name in self.aws.hanging:
                await anyio.sleep_forever()
            if name in self.aws.failing:
                raise self.aws.failing[name]
            return await getattr(self.client, name)(*arguments, **named)

        return call


def found(mapping: Mapping, aws: FakeAws, *, timeout: float = 3) -> list[Finding]:
    """What is found of one mapping."""

    async def look() -> list[Finding]:
        model = PythonFunction.model_construct(timeout=timeout)
        config = Config.model_construct(functions={"work": model}, event_source_mappings={mapping.name: mapping})
        return await examine(config, aws)

    return virtual_time.run(look)


def orders(**settings: Any) -> SqsMapping:  # noqa: ANN401 - a mapping's
    arn = "arn:aws:sqs:us-east-1:000000000000:orders"
    return SqsMapping(name="orders", event_source_arn=arn, function_name="work", **settings)


def told(findings: list[Finding], level: Level) -> list[str]:
    """Each finding of a level with its fix; nothing that is wrong lacks one."""
    assert all(finding.fix for finding in findings if finding.level is not Level.OK)
    return [f"{finding.what} -> {finding.fix}" for finding in findings if finding.level is level]


def test_a_sound_queue_has_nothing_but_what_cannot_be_tried() -> None:
    """Everything that was looked at is told, so that one sees what was not."""
    queue = Queue("orders", visibility_seconds=18, redrive=Redrive(DLQ, 5))
    findings = found(orders(), FakeAws((queue, DLQ)))
    assert told(findings, Level.FAULT) == []
    assert [finding.what for finding in findings] == [
        "the queue exists, with about 0 messages",
        "visibility timeout 18 s suits a function timeout of 3 s",
        f"dead-letter queue {DLQ.arn} after 5 receives",
        "sqs:DeleteMessage is permitted",
        "sqs:ChangeMessageVisibility is permitted",
        "sqs:ReceiveMessage was not tried",
    ]


def test_a_missing_queue_is_a_fault_that_names_where_it_was_looked_for() -> None:
    """Region, account and name are what is usually wrong."""
    [fault] = told(found(orders(), FakeAws()), Level.FAULT)
    assert "NonExistentQueue" in fault or "does not exist" in fault
    assert fault.endswith("create it, or correct the ARN: region us-east-1, account 000000000000, name orders")


@pytest.mark.parametrize(("heartbeat", "level"), [(True, Level.NOTE), (False, Level.FAULT)])
def test_a_short_visibility_timeout_is_told_in_lambdas_own_words(heartbeat: bool, level: Level) -> None:
    """Lambda refuses such a mapping; with a heartbeat it is safe here."""
    queue = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 5))
    mapping = orders(visibility={"heartbeat": heartbeat}, maximum_batching_window_in_seconds=20)
    words = told(found(mapping, FakeAws((queue, DLQ)), timeout=60), level)
    assert words[0].startswith("Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds")
    assert "380 s" in words[0]


def test_a_visibility_timeout_below_aws_advice_is_noted() -> None:
    """Six times the function's timeout, and the window."""
    queue = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 5))
    notes = told(found(orders(), FakeAws((queue, DLQ)), timeout=10), Level.NOTE)
    assert notes[0].startswith("visibility timeout 30 s; AWS advises 6 times the function's timeout")
    assert notes[0].endswith("set it to 60 s")


def test_redrive_policies_are_looked_at() -> None:
    """None, too few receives, and a dead-letter queue that is gone."""
    without = Queue("orders", visibility_seconds=30)
    assert "no redrive policy: a message that always fails" in told(found(orders(), FakeAws((without,))), Level.NOTE)[0]
    few = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 2))
    assert told(found(orders(), FakeAws((few, DLQ))), Level.NOTE)[0].startswith("maxReceiveCount is 2: a few restarts")
    gone = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 5))
    [fault] = told(found(orders(), FakeAws((gone,))), Level.FAULT)
    assert fault.startswith(f"the dead-letter queue {DLQ.arn} does not exist: what fails for good stays in the queue")


@pytest.mark.parametrize(
    ("call", "permission", "level"),
    [
        ("delete", "allow sqs:DeleteMessage on arn:aws:sqs:us-east-1:000000000000:orders", Level.FAULT),
        ("change_visibility", "allow sqs:ChangeMessageVisibility on", Level.NOTE),
        ("queue_url", "allow TheCall on", Level.FAULT),
    ],
)
def test_a_denied_call_names_the_permission(call: str, permission: str, level: Level) -> None:
    """By calls that could do no harm; what works without is only noted."""
    queue = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 5))
    words = told(found(orders(), FakeAws((queue, DLQ), failing={call: DENIED})), level)
    assert any(permission in word for word in words), words


def test_extensions_that_are_needed_must_be_permitted() -> None:
    """A function that may run longer than messages stay hidden."""
    queue = Queue("orders", visibility_seconds=30, redrive=Redrive(DLQ, 5))
    aws = FakeAws((queue, DLQ), failing={"change_visibility": DENIED})
    assert len(told(found(orders(), aws, timeout=60), Level.FAULT)) == 1


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (Refused("RequestTimeTooSkewed", "..."), "set this machine's clock"),
        (Refused("InvalidSignatureException", "..."), "or check the secret key"),
        (CredentialsExpired("ExpiredToken", "..."), "give credentials"),
        (Unavailable("ConnectFailed", "..."), "check region, endpoint_url and the network"),
    ],
)
def test_what_ails_every_call_is_told_with_its_fix(error: AwsError, fix: str) -> None:
    """Clock, credentials, network."""
    [fault] = told(found(orders(), FakeAws(failing={"queue_url": error})), Level.FAULT)
    assert fix in fault


def test_a_service_that_does_not_answer_is_a_fault_after_a_while() -> None:
    """The check ends."""
    [fault] = told(found(orders(), FakeAws(hanging={"queue_url"})), Level.FAULT)
    assert fault == "AWS did not answer within 20 s -> check region, endpoint_url and the network"


def test_a_disabled_mapping_is_not_looked_at() -> None:
    """It would not be polled either."""
    [finding] = found(orders(enabled=False), FakeAws(hanging={"queue_url"}))
    assert (finding.level, finding.what) == (Level.NOTE, "is disabled: not looked at")


# -- streams -------------------------------------------------------------------------------------------------------------


def stream(kind: str = "kinesis", **settings: Any) -> MemoryStream:  # noqa: ANN401 - the fake's
    return virtual_time.run(lambda: _stream(kind, settings))


async def _stream(kind: str, settings: dict[str, Any]) -> MemoryStream:
    return MemoryStream(kind, lambda: 0.0, shards=2, **settings)  # type: ignore[arg-type]


def clicks(of: MemoryStream, **settings: Any) -> Mapping:  # noqa: ANN401 - a mapping's
    kind = KinesisMapping if of.kind == "kinesis" else DynamoDBMapping
    arguments = {"name": "s", "event_source_arn": of.arn, "function_name": "work", "starting_position": "LATEST"}
    return kind(**{**arguments, **settings})


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
def test_a_sound_stream_is_read_once(kind: str) -> None:
    """Listing, an iterator, one GetRecords."""
    of = stream(kind)
    findings = found(clicks(of), FakeAws(stream=of))
    assert told(findings, Level.FAULT) == told(findings, Level.NOTE) == []
    assert findings[-1].what == "GetShardIterator and GetRecords are permitted"


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        ("CREATING", Level.NOTE, "wait: it is polled once it is active"),
        ("DELETING", Level.FAULT, "make a new stream or correct the ARN"),
    ],
)
def test_a_streams_status_is_weighed(status: str, level: Level, words: str) -> None:
    """Coming or going."""
    of = stream()
    of.status = status
    assert f"the stream is {status} -> {words}" in told(found(clicks(of), FakeAws(stream=of)), level)


def test_a_missing_stream_is_a_fault() -> None:
    """With where it was looked for."""
    of = stream()
    of.deleted = True
    [fault] = told(found(clicks(of), FakeAws(stream=of)), Level.FAULT)
    assert "not found" in fault
    assert "create it, or correct the ARN" in fault


def test_an_age_beyond_the_retention_is_noted() -> None:
    """Records are gone before they are that old."""
    of = stream(retention_seconds=86_400.0)
    notes = told(found(clicks(of, maximum_record_age_in_seconds=100_000), FakeAws(stream=of)), Level.NOTE)
    assert notes[0].startswith("maximum_record_age_in_seconds 100000 is longer than the stream keeps records (24 h)")


def test_a_consumer_is_described_and_not_subscribed_to() -> None:
    """A subscription would take it from whoever reads."""
    of = stream(consumer="fast")
    findings = found(clicks(of), FakeAws(stream=of))
    assert findings[0].what == "the consumer is ACTIVE"
    assert [finding.what for finding in findings if finding.level is Level.NOTE] == [
        "kinesis:SubscribeToShard was not tried"
    ]


@pytest.mark.parametrize("call", ["describe", "shards", "iterator", "records"])
def test_a_denied_read_is_a_fault(call: str) -> None:
    """Whichever of the calls it is."""
    of = stream()
    [fault] = told(found(clicks(of), FakeAws(stream=of, failing={call: DENIED})), Level.FAULT)
    assert f"allow TheCall on {of.arn} to the credentials in use" in fault


@pytest.mark.parametrize("destination", ["arn:aws:sqs:us-east-1:000000000000:gone", TOPIC, BUCKET])
def test_a_missing_destination_is_a_fault(destination: str) -> None:
    """Queue, topic and bucket; a batch that is given up on would have nowhere to go."""
    of = stream()
    mapping = clicks(of, destination_config={"on_failure": {"destination": destination}})
    [fault] = told(found(mapping, FakeAws(stream=of)), Level.FAULT)
    assert fault.endswith(f"create {destination}, or allow its use")


def test_a_destination_that_is_there_or_cannot_be_asked_about_is_no_fault() -> None:
    """Lambda needs no permission to look at it either."""
    of = stream()
    mapping = clicks(of, destination_config={"on_failure": {"destination": TOPIC}})
    assert found(mapping, FakeAws(stream=of, topics={TOPIC}))[-1].what == f"the on-failure destination {TOPIC} is there"
    denied = found(mapping, FakeAws(stream=of, failing={"check_topic": DENIED}))
    assert denied[-1].level is Level.NOTE


# -- the clock -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (1.0, Level.OK, "the clock agrees with that of http://aws"),
        (40.0, Level.NOTE, "this machine's clock is 40 s behind that of http://aws"),
        (-400.0, Level.FAULT, "this machine's clock is 400 s ahead of that of http://aws"),
    ],
)
def test_a_skewed_clock_is_weighed(seconds: float, level: Level, words: str) -> None:
    """Beyond five minutes AWS refuses everything."""
    [finding] = skew_findings({"http://aws": seconds})
    assert (finding.level, finding.what, bool(finding.fix)) == (level, words, level is not Level.OK)


async def test_the_clock_is_read_from_any_answer() -> None:
    """Whatever the endpoint says to a bare request, it says when; endpoints that cannot be reached are left out."""

    async def late(request: web.Request) -> web.Response:
        return web.Response(status=403, headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})

    app = web.Application()
    app.router.add_get("/", late)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        skews = await clock_skews([url, "http://127.0.0.1:1/"])
    assert set(skews) == {url}
    assert skews[url] < -86_400
