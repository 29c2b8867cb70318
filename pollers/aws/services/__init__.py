"""The services of AWS that sources and destinations call. A kind of source may declare a service of its own in its own folder.

May import :mod:`pollers.aws.wire`, but only when a client is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pollers.aws.api import AwsService

if TYPE_CHECKING:
    from pollers.aws.api import (
        Connection,
        DynamoDBApi,
        EventsApi,
        FanOutApi,
        FunctionsApi,
        S3Api,
        SnsApi,
        SqsApi,
        StreamApi,
    )

__all__ = ["DYNAMODB", "DYNAMODB_STREAMS", "EVENTS", "FUNCTIONS", "KINESIS", "S3", "SNS", "SQS"]


def _sqs(connection: Connection) -> SqsApi:
    from pollers.aws.services.sqs import SqsClient

    return SqsClient(connection.direct())


def _kinesis(connection: Connection) -> FanOutApi:
    from pollers.aws.services.kinesis import KinesisClient

    return KinesisClient(connection.direct(), connection.sdk, connection.sdk.service_clock)


def _dynamodb_streams(connection: Connection) -> StreamApi:
    from pollers.aws.services.dynamodb_streams import DynamoDBStreamsClient

    return DynamoDBStreamsClient(connection.direct(), connection.sdk.service_clock)


def _dynamodb(connection: Connection) -> DynamoDBApi:
    from pollers.aws.services.dynamodb import DynamoDBClient

    return DynamoDBClient(connection.direct())


def _sns(connection: Connection) -> SnsApi:
    from pollers.aws.services.sns import SnsClient

    return SnsClient(connection.sdk)


def _s3(connection: Connection) -> S3Api:
    from pollers.aws.services.s3 import S3Client

    return S3Client(connection.sdk)


def _functions(connection: Connection) -> FunctionsApi:
    from pollers.aws.services.functions import FunctionsClient

    return FunctionsClient(connection.sdk)


def _events(connection: Connection) -> EventsApi:
    from pollers.aws.services.events import EventsClient

    return EventsClient(connection.direct())


SQS: Final[AwsService[SqsApi]] = AwsService("sqs", "sqs", ("sqs",), _sqs)
KINESIS: Final[AwsService[FanOutApi]] = AwsService("kinesis", "kinesis", ("kinesis",), _kinesis)
DYNAMODB_STREAMS: Final[AwsService[StreamApi]] = AwsService(
    "dynamodbstreams", "streams.dynamodb", ("dynamodbstreams", "dynamodb"), _dynamodb_streams
)
DYNAMODB: Final[AwsService[DynamoDBApi]] = AwsService("dynamodb", "dynamodb", ("dynamodb",), _dynamodb)
SNS: Final[AwsService[SnsApi]] = AwsService("sns", "sns", ("sns",), _sns)
S3: Final[AwsService[S3Api]] = AwsService("s3", "s3", ("s3",), _s3)
FUNCTIONS: Final[AwsService[FunctionsApi]] = AwsService("lambda", "lambda", ("lambda_",), _functions)
EVENTS: Final[AwsService[EventsApi]] = AwsService("events", "events", ("events",), _events)
