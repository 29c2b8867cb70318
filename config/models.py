"""The configuration's models: the one place where an option's name, type, default, limits and meaning are written.

Names, defaults and limits of mapping settings are Lambda's (docs/lambda 1.2). Loading, the option table and
``headrace schema`` are generated from here; what depends on more than one option or on the source is in :mod:`config.rules`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from config.arns import Arn, parse_arn
from config.functions.models import (
    FunctionBase,
    FunctionModel,
    HttpFunction,
    InProcessFunction,
    LambdaFunction,
    LoggingConfig,
    ProcessFunction,
    ProvidedFunction,
    PythonFunction,
    Tls,
)
from config.options.shapes import Kind, Model, Spellings

DEFAULT_CHECKPOINTS = "sqlite:.headrace/checkpoints.db"
VISIBILITY_LIMIT_SECONDS = 43_200
"""12 hours: SQS keeps a message hidden no longer than this from its receive."""


class EndpointUrls(Model):
    """An endpoint for each service, where they differ."""

    sqs: Annotated[str, Kind.URL] | None = Field(default=None, description="SQS's endpoint")
    kinesis: Annotated[str, Kind.URL] | None = Field(default=None, description="Kinesis's endpoint")
    dynamodb: Annotated[str, Kind.URL] | None = Field(default=None, description="DynamoDB's endpoint")
    dynamodbstreams: Annotated[str, Kind.URL] | None = Field(
        default=None, description="DynamoDB Streams' endpoint; that of `dynamodb` if not given"
    )
    sns: Annotated[str, Kind.URL] | None = Field(default=None, description="SNS's endpoint")
    s3: Annotated[str, Kind.URL] | None = Field(default=None, description="S3's endpoint")
    lambda_: Annotated[str, Kind.URL] | None = Field(default=None, alias="lambda", description="Lambda's endpoint")
    sts: Annotated[str, Kind.URL] | None = Field(default=None, description="STS's endpoint")


class Aws(Model):
    """Where AWS is. The SDK's own environment, profiles and roles serve for what is not given."""

    region: Annotated[str, Kind.REGION] | None = Field(
        default=None,
        description="region of what no ARN gives one for; event sources have that of their ARN, and so have their functions",
    )
    endpoint_url: Annotated[str, Kind.URL] | None = Field(
        default=None, description="endpoint of every service: LocalStack or another AWS-compatible one"
    )
    endpoint_urls: EndpointUrls = Field(
        default=EndpointUrls(), description="endpoints by service; they win over `endpoint_url`"
    )


class Http(Model):
    """Where health, metrics and the console are served."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all")
    port: int = Field(default=8787, ge=0, le=65_535, description="port to listen on; 0 for any free one")
    token: Annotated[str, Kind.SECRET] | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="bearer token for everything but the health checks; required on any address but loopback, where without "
        "it only changes need a token, which is made at the start",
    )


class Console(Model):
    """What the console may show."""

    payloads: bool = Field(default=False, description="show the first lines of the payloads of failures")


class Runtime(Model):
    """How Headrace itself runs."""

    checkpoints: str = Field(
        default=DEFAULT_CHECKPOINTS,
        description="where stream checkpoints are kept: `sqlite:PATH`, PATH relative to the file that gives it, or to CONFIG's "
        "folder",
    )
    shutdown_grace: float = Field(
        default=30, ge=0, le=86_400, description="seconds that running invocations are given to finish"
    )
    embedded_metrics: Literal["log", "stdout"] = Field(
        default="log",
        description="where lines in CloudWatch's embedded metric format go that workers print: into the log as other lines do, or "
        "to standard output as they are, for an agent",
    )
    http: Http | Literal[False] = Field(
        default=Http(), description="where health, metrics and the console are served; `false`: nowhere"
    )

    @property
    def sqlite_path(self) -> Path:
        """The checkpoint database's file."""
        return Path(self.checkpoints.removeprefix("sqlite:"))


class Filter(Model):
    """One event pattern, as AWS's JSON string or as a mapping; kept as the JSON text."""

    pattern: Annotated[str, Kind.PATTERN] = Field(max_length=4096, description="what an event must be like")


class FilterCriteria(Model):
    """Event patterns, any of which lets an event through."""

    filters: Annotated[list[Filter], Spellings(("filter",))] = Field(
        default_factory=list,
        max_length=10,
        description="event patterns, any of which lets an event through; none lets all through",
    )


class ScalingConfig(Model):
    """Limits of an SQS mapping's concurrency."""

    maximum_concurrency: int | None = Field(
        default=None, ge=2, le=1000, description="invocations at most at a time for this mapping"
    )


class ProvisionedPollerConfig(Model):
    """Pollers that are always running (docs/lambda 2.3)."""

    minimum_pollers: int = Field(default=2, ge=2, le=200, description="pollers that are always running")
    maximum_pollers: int = Field(
        default=200, ge=2, le=10_000, description="pollers at most; each serves 10 invocations at a time"
    )


class RetryDelay(Model):
    """A delay that grows with the message's receive count, doubling from ``initial`` up to ``maximum`` (seconds)."""

    initial: int = Field(
        ge=0, le=VISIBILITY_LIMIT_SECONDS, description="seconds after the first failure; doubles with each further one"
    )
    maximum: int = Field(ge=0, le=VISIBILITY_LIMIT_SECONDS, description="seconds at most")


LONGEST_POLL_SECONDS = 20
"""What SQS allows at most, and the cheapest way to wait."""


class Visibility(Model):
    """How messages are kept hidden; Headrace's own, not AWS's."""

    heartbeat: bool = Field(
        default=True, description="extend the visibility of held messages until they are acknowledged"
    )
    retry_delay: Annotated[int, Field(ge=0, le=VISIBILITY_LIMIT_SECONDS)] | RetryDelay | None = Field(
        default=None,
        description="seconds after which a failed message is seen again; null: when its visibility timeout runs out, as on Lambda",
    )
    long_poll_seconds: int = Field(
        default=LONGEST_POLL_SECONDS,
        ge=1,
        le=LONGEST_POLL_SECONDS,
        description="seconds that a receive from an idle queue waits",
    )


class OnFailure(Model):
    """Where failure records go."""

    destination: Annotated[str | None, Spellings(("destination_arn",))] = Field(
        default=None,
        max_length=350,
        description="ARN of a standard queue, a standard topic or a bucket that discarded batches are reported to",
    )


class DestinationConfig(Model):
    """Destinations of a stream mapping."""

    on_failure: OnFailure = Field(default=OnFailure(), description="where discarded batches are reported")


class MappingBase(Model):
    """What mappings of every source take. ``name`` is the key under ``event_source_mappings``.

    ``kind`` names the declaration of the source (see :mod:`pollers.sources.registry`).
    """

    kind: ClassVar[str]

    name: str = Field(description="the mapping's key: its identity in checkpoints, logs and metrics")
    event_source_arn: str = Field(description="ARN of the queue, the stream or the stream's consumer")
    function_name: Annotated[str, Spellings(("FunctionArn", "function_arn"))] = Field(
        description="name or ARN (full or partial) of a function defined under `functions`"
    )
    enabled: bool = Field(default=True, description="whether the mapping polls")
    batch_size: int
    maximum_batching_window_in_seconds: int = Field(
        default=0, ge=0, le=300, description="seconds to gather a batch; not for FIFO queues"
    )
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        default_factory=list,
        max_length=1,
        description="`[ReportBatchItemFailures]`: the function's response names the items that failed",
    )
    filter_criteria: FilterCriteria = Field(default=FilterCriteria(), description="which events the function gets")

    @property
    def arn(self) -> Arn:
        """The event source's ARN, in parts."""
        return parse_arn(self.event_source_arn)

    @property
    def reports_batch_item_failures(self) -> bool:
        """Whether the function's response names the items that failed."""
        return "ReportBatchItemFailures" in self.function_response_types


class SqsMapping(MappingBase):
    """A queue to a function."""

    kind: ClassVar[str] = "sqs"

    batch_size: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="messages a batch at most; above 10 needs a batching window; FIFO queues at most 10",
    )
    scaling_config: ScalingConfig = Field(default=ScalingConfig(), description="limits of the mapping's concurrency")
    provisioned_poller_config: ProvisionedPollerConfig | None = Field(
        default=None, description="provisioned mode; not together with `maximum_concurrency`"
    )
    visibility: Visibility = Field(
        default=Visibility(), description="how messages are kept hidden; Headrace's own, not AWS's"
    )

    @property
    def fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return self.event_source_arn.endswith(".fifo")


class StreamMapping(MappingBase):
    """A stream to a function."""

    batch_size: int = Field(default=100, ge=1, le=10_000, description="records a batch at most")
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = Field(
        description="where a stream without checkpoint is read from; AT_TIMESTAMP on Kinesis only"
    )
    starting_position_timestamp: datetime | None = Field(
        default=None,
        description="with AT_TIMESTAMP, the time to start from: ISO 8601 (UTC without offset) or seconds since 1970; not in the "
        "future",
    )
    parallelization_factor: int = Field(
        default=1, ge=1, le=10, description="batches of one shard at a time; order is kept by key"
    )
    maximum_record_age_in_seconds: int = Field(
        default=-1, ge=-1, le=604_800, description="older records are discarded; -1: never, otherwise at least 60"
    )
    maximum_retry_attempts: int = Field(
        default=-1, ge=-1, le=10_000, description="retries of a failed batch; -1: until its records expire"
    )
    bisect_batch_on_function_error: bool = Field(
        default=False, description="split a failed batch in two and retry each half"
    )
    tumbling_window_in_seconds: int = Field(default=0, ge=0, le=900, description="length of tumbling windows; 0: none")
    destination_config: DestinationConfig = Field(
        default=DestinationConfig(), description="where discarded batches are reported"
    )

    @property
    def on_failure(self) -> str | None:
        """The on-failure destination's ARN, if any."""
        return self.destination_config.on_failure.destination or None


class KinesisMapping(StreamMapping):
    """A Kinesis stream (or an enhanced fan-out consumer of one) to a function."""

    kind: ClassVar[str] = "kinesis"


class DynamoDBMapping(StreamMapping):
    """A DynamoDB table's stream to a function."""

    kind: ClassVar[str] = "dynamodb"


Mapping: TypeAlias = SqsMapping | KinesisMapping | DynamoDBMapping


class Config(Model):
    """A whole configuration, checked."""

    aws: Aws = Field(
        default=Aws(),
        description="where AWS is; the SDK's own environment, profiles and roles serve for what is not given",
    )
    runtime: Runtime = Field(default=Runtime(), description="how Headrace itself runs")
    console: Console = Field(default=Console(), description="what the console may show")
    functions: dict[str, FunctionModel] = Field(default_factory=dict, description="the functions, by name")
    event_source_mappings: dict[str, Mapping] = Field(default_factory=dict, description="the mappings, by name")


__all__ = [
    "Aws",
    "Config",
    "Console",
    "DestinationConfig",
    "DynamoDBMapping",
    "EndpointUrls",
    "Filter",
    "FilterCriteria",
    "FunctionBase",
    "FunctionModel",
    "Http",
    "HttpFunction",
    "InProcessFunction",
    "KinesisMapping",
    "LambdaFunction",
    "LoggingConfig",
    "Mapping",
    "MappingBase",
    "Model",
    "OnFailure",
    "ProcessFunction",
    "ProvidedFunction",
    "ProvisionedPollerConfig",
    "PythonFunction",
    "RetryDelay",
    "Runtime",
    "ScalingConfig",
    "SqsMapping",
    "StreamMapping",
    "Tls",
    "Visibility",
]
