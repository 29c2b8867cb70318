"""What the seam sends and what it makes of the answers, whichever of its two ways a call takes."""

from __future__ import annotations

import ssl
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import anyio
import orjson
import pytest
import trustme

from config.models import Aws, EndpointUrls
from pollers.aws import services
from pollers.aws.api import StartAt
from pollers.aws.errors import AccessDenied, CredentialsExpired, NotFound, Refused, Throttled, Unavailable
from pollers.aws.services.clients import PLAIN_SDK, AwsClients
from pollers.aws.services.kinesis import KinesisClient
from pollers.aws.wire import credentials, http1, http1_connection
from pollers.aws.wire.direct import DirectCalls
from pollers.aws.wire.passthrough import USER_AGENT
from tests.contract.scripted import DROP, ScriptedService, refusal, reply, scripted_service, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.aws.api import SqsApi

QUEUE = "http://sqs.us-east-1.localhost/000000000000/orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
ARRIVAL = 1_760_000_000.123


@pytest.fixture(params=["direct", "through the SDK"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of making a call."""
    if request.param != "direct":
        monkeypatch.setenv(PLAIN_SDK, "1")
    return str(request.param)


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """A service that answers what the test has written."""
    async with scripted_service() as scripted:
        yield scripted


@pytest.fixture
async def clients(way: str, service: ScriptedService) -> AsyncIterator[AwsClients]:
    """Clients of that service."""
    async with AwsClients(Aws(endpoint_url=service.url)) as made:
        yield made


@pytest.fixture
async def sqs(clients: AwsClients) -> SqsApi:
    """Its SQS."""
    return await clients.client(services.SQS, "us-east-1")


async def test_a_receive_asks_for_all_attributes(sqs: SqsApi, service: ScriptedService) -> None:
    """Every attribute that Lambda's event has is asked for."""
    await sqs.receive(QUEUE, maximum=7, wait_seconds=20, visibility_seconds=90)
    [request] = service.requests
    assert request.headers["x-amz-target"] == "AmazonSQS.ReceiveMessage"
    assert request.json == {
        "QueueUrl": QUEUE,
        "MaxNumberOfMessages": 7,
        "WaitTimeSeconds": 20,
        "VisibilityTimeout": 90,
        "MessageSystemAttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    }


async def test_the_user_agent_is_constant_and_the_request_is_signed(sqs: SqsApi, service: ScriptedService) -> None:
    """Both ways send the same one, and Signature Version 4 for the service and region.

    Libraries of functions in this process (Powertools) may add their own word to what the SDK sends.
    """
    await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    [request] = service.requests
    assert request.headers["user-agent"].startswith(USER_AGENT)
    assert "Credential=test/" in request.headers["authorization"]
    assert "/us-east-1/sqs/aws4_request" in request.headers["authorization"]
    assert request.headers["x-amzn-query-mode"] == "true"


async def test_messages_are_the_services_own_json(sqs: SqsApi, service: ScriptedService) -> None:
    """Unknown members stay, numbers stay numbers, base64 stays base64."""
    message = {
        "MessageId": "1",
        "ReceiptHandle": "h",
        "Body": "é\n",
        "New": {"x": [1.5, None]},
        "MessageAttributes": {"b": {"BinaryValue": "/wA="}},
    }
    service.script.append(reply({"Messages": [message]}))
    assert await sqs.receive(QUEUE, maximum=1, wait_seconds=0) == [message]


async def test_kinesis_data_stays_base64_and_timestamps_numbers(clients: AwsClients, service: ScriptedService) -> None:
    """What the stock SDK would decode, and a Lambda event would encode again."""
    record = {"SequenceNumber": "49", "Data": "/wA=", "ApproximateArrivalTimestamp": ARRIVAL, "PartitionKey": "k"}
    answer = {"Records": [record], "NextShardIterator": "next", "MillisBehindLatest": 1500}
    service.script.append(reply(answer))
    page = await (await clients.client(services.KINESIS, "us-east-1")).records(STREAM, "iterator", 100)
    assert page.records == [record]
    assert (page.next_iterator, page.behind_seconds, page.children) == ("next", 1.5, None)
    assert page.size_bytes == len(orjson.dumps(answer))


async def test_attribute_values_stay_typed(clients: AwsClients, service: ScriptedService) -> None:
    """A DynamoDB image is not touched, its numbers least of all."""
    change = {"SequenceNumber": "1", "Keys": {"n": {"N": "1"}}, "NewImage": {"n": {"N": "1E+2"}, "b": {"B": "/w=="}}}
    names = {"eventID": "e", "eventName": "INSERT", "eventVersion": "1.1"}
    record = {**names, "dynamodb": change, "userIdentity": None}
    service.script.append(reply({"Records": [record]}))
    streams = await clients.client(services.DYNAMODB_STREAMS, "us-east-1")
    page = await streams.records("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x", "iterator", 100)
    assert page.records == [record]
    assert page.next_iterator is None


async def test_children_are_told_from_none_and_from_silence(clients: AwsClients, service: ScriptedService) -> None:
    """A reply that lists no children differs from one that does not say."""
    kinesis = await clients.client(services.KINESIS, "us-east-1")
    child = {"ShardId": "shardId-2", "ParentShards": ["shardId-0", "shardId-1"], "HashKeyRange": {}}
    service.script.extend(reply({"Records": [], "ChildShards": children}) for children in ([child], [], None))
    pages = [await kinesis.records(STREAM, "iterator", 1) for _ in range(3)]
    assert [page.children if not page.children else page.children[0].parent_ids for page in pages] == [
        ("shardId-0", "shardId-1"),
        (),
        None,
    ]


async def test_listings_are_read_over_all_their_pages(clients: AwsClients, service: ScriptedService) -> None:
    """Kinesis' next page is asked for by its token alone; DynamoDB's by the last shard."""
    kinesis, streams = (
        await clients.client(services.KINESIS, "us-east-1"),
        await clients.client(services.DYNAMODB_STREAMS, "us-east-1"),
    )
    shards = [{"ShardId": f"s{number}", "SequenceNumberRange": {"StartingSequenceNumber": "1"}} for number in range(3)]
    service.script.append(reply({"Shards": shards[:2], "NextToken": "more"}))
    service.script.append(reply({"Shards": shards[2:]}))
    assert [shard.shard_id for shard in await kinesis.shards(STREAM)] == ["s0", "s1", "s2"]
    assert [request.json for request in service.requests] == [{"StreamARN": STREAM}, {"NextToken": "more"}]
    stream = {"StreamArn": "arn", "StreamStatus": "ENABLED", "CreationRequestDateTime": 1.5}
    service.script.append(reply({"StreamDescription": {**stream, "Shards": shards[:2], "LastEvaluatedShardId": "s1"}}))
    service.script.append(reply({"StreamDescription": {**stream, "Shards": shards[2:]}}))
    assert [shard.shard_id for shard in await streams.shards("arn")] == ["s0", "s1", "s2"]
    assert service.requests[-1].json == {"StreamArn": "arn", "ExclusiveStartShardId": "s1"}


async def test_a_merged_shard_has_both_its_parents(clients: AwsClients, service: ScriptedService) -> None:
    """The adjacent parent counts as much as the first; a closed shard has an end."""
    numbers = {"StartingSequenceNumber": "5", "EndingSequenceNumber": "9"}
    shard = {"ShardId": "c", "ParentShardId": "a", "AdjacentParentShardId": "b", "SequenceNumberRange": numbers}
    service.script.append(reply({"Shards": [shard]}))
    [listing] = await (await clients.client(services.KINESIS, "us-east-1")).shards(STREAM)
    assert (listing.parent_ids, listing.started_at, listing.ended_at) == (("a", "b"), "5", "9")


async def test_a_stream_made_again_has_another_identity(clients: AwsClients, service: ScriptedService) -> None:
    """Its ARN is the same, its creation time is not. A consumer's ARN stands for its stream."""
    kinesis = await clients.client(services.KINESIS, "us-east-1")
    for created in (1.5, 1.5, 2.5):
        summary = {
            "StreamARN": STREAM,
            "StreamStatus": "ACTIVE",
            "StreamCreationTimestamp": created,
            "RetentionPeriodHours": 24,
        }
        service.script.append(reply({"StreamDescriptionSummary": summary}))
    first, same, other = [await kinesis.describe(f"{STREAM}/consumer/c:1") for _ in range(3)]
    assert first == same
    assert first.identity != other.identity
    assert (first.arn, first.status, first.retention_seconds) == (STREAM, "ACTIVE", 86_400)
    assert {request.json["StreamARN"] for request in service.requests} == {STREAM}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            refusal("QueueDoesNotExist", "no", x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender"),
            NotFound,
        ),
        (refusal("AccessDeniedException", status=400), AccessDenied),
        (refusal("OverLimit", status=403), Throttled),
        (reply(b"<html><body>Service Unavailable</body></html>", 503, Content_Type="text/html"), Unavailable),
        (reply(b"", 500), Unavailable),
        (reply(b"not JSON", 400, x_amzn_RequestId="1"), Refused),
        (reply(b"not JSON", 403), Unavailable),
        (reply(b"<html>moved</html>", 302), Unavailable),
        (reply(b"<html>a captive portal</html>"), Unavailable),
        (reply(b"[]"), Unavailable),
        (DROP, Unavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntorn", Unavailable),
        (b"220 mail.example.com ESMTP\r\n\r\n", Unavailable),
    ],
    ids=[
        "query",
        "denied",
        "limit",
        "html 503",
        "empty 500",
        "garbled 400",
        "a proxy's 403",
        "redirect",
        "html 200",
        "no object",
        "dropped",
        "torn",
        "no http",
    ],
)
async def test_a_failure_has_its_class_and_is_not_tried_again(
    sqs: SqsApi, service: ScriptedService, answer: bytes, kind: type[Exception]
) -> None:
    """The caller decides on another try: a receive that is repeated in here would hide messages from everybody."""
    service.script.append(answer)
    with pytest.raises(kind):
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    assert len(service.requests) == 1
    assert await sqs.receive(QUEUE, maximum=1, wait_seconds=0) == []


async def test_nobody_listening_is_unavailable(way: str) -> None:
    """A refused connection, an unknown host."""
    async with scripted_service() as gone:
        port = gone.port
    for url in (f"http://127.0.0.1:{port}", f"http://nowhere.invalid:{port}"):
        async with AwsClients(Aws(endpoint_url=url)) as clients:
            with pytest.raises(Unavailable):
                await (await clients.client(services.SQS, "us-east-1")).receive(QUEUE, maximum=1, wait_seconds=0)


async def test_entries_that_the_reply_does_not_mention_have_failed(sqs: SqsApi, service: ScriptedService) -> None:
    """Only what the service confirms counts as deleted."""
    failed = [
        {"Id": "0-2", "Code": "AWS.SimpleQueueService.ReceiptHandleIsInvalid", "SenderFault": True, "Message": "stale"}
    ]
    service.script.append(reply({"Successful": [{"Id": "0-0"}], "Failed": failed}))
    failures = await sqs.delete(QUEUE, ["a", "b", "c"])
    assert [(entry.index, entry.code, entry.sender_fault) for entry in failures] == [
        (1, "Unconfirmed", False),
        (2, "ReceiptHandleIsInvalid", True),
    ]


async def test_connections_are_kept_for_the_next_call(sqs: SqsApi, service: ScriptedService) -> None:
    """Calls one after the other use one connection; calls at a time one each."""
    for _ in range(5):
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    assert service.connections == 1
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(lambda: sqs.receive(QUEUE, maximum=1, wait_seconds=0))
    assert service.connections <= 5


async def test_a_cancelled_calls_reply_is_never_the_next_calls(sqs: SqsApi, service: ScriptedService) -> None:
    """Its connection is closed, so that what comes late goes nowhere."""
    service.silent = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: sqs.receive(QUEUE, maximum=1, wait_seconds=20))
        await until(lambda: bool(service.requests))
        tasks.cancel_scope.cancel()
    service.silent = False
    second = {"MessageId": "second", "ReceiptHandle": "h", "Body": ""}
    service.script.append(reply({"Messages": [second]}))
    assert await sqs.receive(QUEUE, maximum=1, wait_seconds=0) == [second]
    assert service.connections == 2


async def test_a_reply_that_does_not_come_is_unavailable(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that the service may take, the connection is given up."""
    monkeypatch.setattr("pollers.aws.wire.direct.READ_SECONDS", 0.2)
    monkeypatch.setattr(http1, "SWEEP_SECONDS", 0.05)
    service.silent = True
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        sqs = await clients.client(services.SQS, "us-east-1")
        with anyio.fail_after(60), pytest.raises(Unavailable, match="ReplyTimeout"):
            await sqs.receive(QUEUE, maximum=1, wait_seconds=0)


async def test_an_idle_connection_is_closed(service: ScriptedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the service would close it under a request."""
    monkeypatch.setattr(http1_connection, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(http1, "SWEEP_SECONDS", 0.05)
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        sqs = await clients.client(services.SQS, "us-east-1")
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
        await until(lambda: service.closed == 1)
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    assert service.connections == 2


async def test_a_wrong_clock_is_put_right_by_the_services(sqs: SqsApi, way: str, service: ScriptedService) -> None:
    """After one refusal for its time of signing, the next request is signed by the service's clock."""
    served = datetime.now(UTC) + timedelta(hours=3)
    service.script.append(
        refusal(
            "InvalidSignatureException", "Signature expired: too old", 403, Date=format_datetime(served, usegmt=True)
        )
    )
    with pytest.raises(CredentialsExpired):
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    signed = datetime.strptime(service.requests[-1].headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if way == "direct":
        assert abs(signed - served) < timedelta(minutes=1)


async def test_refused_credentials_are_looked_up_again(
    way: str, service: ScriptedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """New keys written to the credentials file are used without a restart."""
    monkeypatch.setattr(credentials, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        sqs = await clients.client(services.SQS, "us-east-1")
        with pytest.raises(CredentialsExpired):
            await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
        assert service.requests == []
        file.write_text("[default]\naws_access_key_id = FIRST\naws_secret_access_key = s\naws_session_token = t1\n")
        service.script.append(reply({}))
        service.script.append(refusal("ExpiredTokenException", "The security token included in the request is expired"))
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
        with pytest.raises(CredentialsExpired):
            await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
        file.write_text("[default]\naws_access_key_id = SECOND\naws_secret_access_key = s\naws_session_token = t2\n")
        await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    used = [
        request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in service.requests
    ]
    assert used == ["FIRST", "FIRST", "SECOND"]
    assert [request.headers["x-amz-security-token"] for request in service.requests] == ["t1", "t1", "t2"]


async def test_a_roles_credentials_refresh_themselves(
    way: str, service: ScriptedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Short-lived keys of a credential process are renewed by the SDK before they expire, while we poll."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    counter = tmp_path / "calls"
    script = tmp_path / "process.py"
    script.write_text(
        "import json, pathlib, datetime\n"
        f"counter = pathlib.Path({str(counter)!r})\n"
        "number = len(counter.read_text()) if counter.exists() else 0\n"
        "counter.write_text('x' * (number + 1))\n"
        "expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'KEY{number}', 'SecretAccessKey': 's',\n"
        "                  'SessionToken': 't', 'Expiration': expires.isoformat()}))\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        sqs = await clients.client(services.SQS, "us-east-1")
        for _ in range(2):
            await sqs.receive(QUEUE, maximum=1, wait_seconds=0)
    used = [
        request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in service.requests
    ]
    # A minute of life is less than the SDK's margin, so that each signature brings new ones.
    assert len(set(used)) == 2


async def test_tls_is_verified_against_the_configured_authorities(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_CA_BUNDLE is trusted, and nothing else is."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with scripted_service(context) as service:
        async with AwsClients(Aws(endpoint_url=service.url)) as clients:
            with pytest.raises(Unavailable):
                await (await clients.client(services.SQS, "us-east-1")).receive(QUEUE, maximum=1, wait_seconds=0)
        assert service.requests == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        async with AwsClients(Aws(endpoint_url=service.url)) as clients:
            sqs = await clients.client(services.SQS, "us-east-1")
            assert await sqs.receive(QUEUE, maximum=1, wait_seconds=0) == []
            assert await sqs.receive(QUEUE, maximum=1, wait_seconds=0) == []
        assert len(service.requests) == 2


async def test_a_proxy_of_the_environment_is_used(service: ScriptedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go to the proxy with their whole URL."""
    monkeypatch.setenv("HTTP_PROXY", service.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with AwsClients(Aws(endpoint_url="http://sqs.example.test")) as clients:
        await (await clients.client(services.SQS, "us-east-1")).receive(QUEUE, maximum=1, wait_seconds=0)
    [request] = service.requests
    assert request.line.startswith("POST http://sqs.example.test/ ")


async def test_a_path_of_the_endpoint_is_kept(way: str, service: ScriptedService) -> None:
    """An endpoint behind a gateway's prefix."""
    async with AwsClients(Aws(endpoint_url=service.url + "/aws/gate")) as clients:
        await (await clients.client(services.SQS, "us-east-1")).receive(QUEUE, maximum=1, wait_seconds=0)
    assert service.requests[0].line.startswith("POST /aws/gate")


async def test_endpoints_of_services_and_of_the_environment(
    way: str, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service's own URL goes before the general one; without either the SDK's environment decides."""
    general = "http://127.0.0.1:9"
    async with AwsClients(Aws(endpoint_url=general, endpoint_urls=EndpointUrls(sqs=service.url))) as clients:
        await (await clients.client(services.SQS, "us-east-1")).receive(QUEUE, maximum=1, wait_seconds=0)
    service.script.append(reply({"Records": []}))
    async with AwsClients(Aws(endpoint_urls=EndpointUrls(dynamodb=service.url))) as clients:
        await (await clients.client(services.DYNAMODB_STREAMS, "us-east-1")).records("arn", "iterator", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", service.url)
    async with AwsClients(Aws()) as clients:
        await (await clients.client(services.SQS, "eu-central-1")).receive(QUEUE, maximum=1, wait_seconds=0)
    assert len(service.requests) == 3
    assert "/eu-central-1/sqs/" in service.requests[-1].headers["authorization"]


async def test_one_client_for_each_region(clients: AwsClients) -> None:
    """Asked for again it is the same; another region has its own."""
    first, again, other = [
        await clients.client(services.SQS, region) for region in ("us-east-1", "us-east-1", "eu-west-1")
    ]
    assert first is again
    assert first is not other


async def test_a_timestamp_is_sent_with_its_fraction(clients: AwsClients, way: str, service: ScriptedService) -> None:
    """AT_TIMESTAMP starts where it was told to, not a second earlier."""
    service.script.append(reply({"ShardIterator": "i"}))
    kinesis = await clients.client(services.KINESIS, "us-east-1")
    assert await kinesis.iterator(STREAM, "shard", StartAt("AT_TIMESTAMP", timestamp=ARRIVAL)) == "i"
    sent = service.requests[0].json["Timestamp"]
    assert sent == pytest.approx(ARRIVAL, abs=0.001 if way == "direct" else 1.0)


async def test_kinesis_calls_go_where_the_sdks_rules_send_them() -> None:
    """On AWS a stream's endpoint depends on its account; the rules of the SDK are asked, not copied."""
    async with AwsClients(Aws()) as clients:
        kinesis = await clients.client(services.KINESIS, "us-east-1")
        assert isinstance(kinesis, KinesisClient)
        assert isinstance(kinesis._calls, DirectCalls)
        route = await kinesis._calls._find_route("GetRecords", {"StreamARN": STREAM, "ShardIterator": "i"}, STREAM)
    assert route is not None
    assert (route.connections.origin.host, route.connections.origin.port) == (
        "000000000000.data-kinesis.us-east-1.amazonaws.com",
        443,
    )
    assert route.connections.origin.tls is not None
    assert route.connections.origin.tls.verify_mode is ssl.CERT_REQUIRED
    assert route.connections.origin.tls.check_hostname


async def test_a_missing_profile_is_told_when_a_client_is_made(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error of AWS's, which a mapping reports and tries again, and not as the end of the program."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    async with AwsClients(Aws(endpoint_url="http://127.0.0.1:9")) as clients:
        with pytest.raises(CredentialsExpired, match="nobody"):
            await clients.client(services.SQS, "us-east-1")
