"""The configuration's models: the one place where an option's name, type, default, limits and meaning are written.

Names, defaults and limits of mapping settings are Lambda's (lambda-behaviour 1.2). Loading, the option table and
``headrace schema`` are generated from here; what depends on more than one option or on the source is in :mod:`config.rules`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from config.arns import Arn, parse_arn
from config.shapes import Existing, Kind, Spellings

Url: TypeAlias = Annotated[str, Kind.URL]
Secret: TypeAlias = Annotated[str, Kind.SECRET]
DEFAULT_CHECKPOINTS = "sqlite:.headrace/checkpoints.db"
VISIBILITY_LIMIT_SECONDS = 43_200
"""12 hours: SQS keeps a message hidden no longer than this from its receive."""


class Model(BaseModel):
    """What every part of the configuration shares: immutable, strict about unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


class EndpointUrls(Model):
    """An endpoint for each service, where they differ."""

    sqs: Url | None = Field(default=None, description="SQS's endpoint")
    kinesis: Url | None = Field(default=None, description="Kinesis's endpoint")
    dynamodb: Url | None = Field(default=None, description="DynamoDB's endpoint")
    dynamodbstreams: Url | None = Field(
        default=None, description="DynamoDB Streams' endpoint; that of `dynamodb` if not given"
    )
    sns: Url | None = Field(default=None, description="SNS's endpoint")
    s3: Url | None = Field(default=None, description="S3's endpoint")
    lambda_: Url | None = Field(default=None, alias="lambda", description="Lambda's endpoint")
    sts: Url | None = Field(default=None, description="STS's endpoint")


class Aws(Model):
    """Where AWS is. The SDK's own environment, profiles and roles serve for what is not given."""

    region: str | None = Field(
        default=None,
        min_length=1,
        description="region of what no ARN gives one for; every event source's own region comes from its ARN",
    )
    endpoint_url: Url | None = Field(
        default=None, description="endpoint of every service: LocalStack or another AWS-compatible one"
    )
    endpoint_urls: EndpointUrls = Field(
        default=EndpointUrls(), description="endpoints by service; they win over `endpoint_url`"
    )


class Http(Model):
    """Where health, metrics and the console are served."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all")
    port: int = Field(default=8787, ge=0, le=65_535, description="port to listen on; 0 for any free one")
    token: Secret | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="bearer token that control requests need on any address but loopback",
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
    http: Http | Literal[False] = Field(
        default=Http(), description="where health, metrics and the console are served; `false`: nowhere"
    )

    @property
    def sqlite_path(self) -> Path:
        """The checkpoint database's file."""
        return Path(self.checkpoints.removeprefix("sqlite:"))


class FunctionBase(Model):
    """What functions of every runtime take."""

    timeout: float = Field(default=3, gt=0, le=43_200, description="seconds an invocation may take")
    concurrency: int = Field(
        default=5, ge=1, le=10_000, description="invocations at most at a time, of all its mappings together"
    )


class ProcessFunction(FunctionBase):
    """What functions in worker processes take."""

    environment: dict[str, Annotated[str, Kind.SCALAR]] = Field(
        default_factory=dict,
        repr=False,
        description="environment variables; numbers, true and false become text as they are written",
    )
    inherit_environment: list[str] = Field(
        default_factory=list, description="names of Headrace's own variables to pass on"
    )
    credentials: Literal["inherit", "none"] = Field(
        default="inherit", description="whether workers get Headrace's AWS credentials"
    )
    memory_size: int | None = Field(
        default=None, ge=128, le=32_768, description="MiB a worker may use; no limit if not given"
    )
    idle_timeout: float = Field(
        default=300, gt=0, le=86_400, description="seconds after which an idle worker is stopped"
    )


class PythonFunction(ProcessFunction):
    """Python worker processes, run by AWS's own runtime interface client."""

    runtime: Literal["python"] = Field(
        default="python", description="Python worker processes over Lambda's Runtime API"
    )
    code: Annotated[Path, Existing.CODE] = Field(
        description="folder (or .zip file) of the code: `sys.path[0]` and working directory"
    )
    handler: str = Field(description="`module.function`, as on Lambda")
    layers: list[Annotated[Path, Existing.FOLDER]] = Field(
        default_factory=list, description="folders put on the path as /opt is"
    )
    interpreter: Annotated[Path, Existing.PROGRAM] | None = Field(
        default=None, description="another Python to run workers with, such as a virtual environment's bin/python"
    )


class ProvidedFunction(ProcessFunction):
    """Any executable that speaks Lambda's Runtime API."""

    runtime: Literal["provided"] = Field(description="any executable that speaks Lambda's Runtime API")
    command: list[str] = Field(
        min_length=1, description="the executable and its arguments; a relative path starts in `code`"
    )
    code: Annotated[Path, Existing.FOLDER] = Field(
        description="folder of the code: working directory and LAMBDA_TASK_ROOT"
    )
    handler: str | None = Field(default=None, description="what _HANDLER is set to")


class InProcessFunction(FunctionBase):
    """A Python callable on an event loop and threads of its own inside Headrace."""

    runtime: Literal["in_process"] = Field(description="a Python callable inside Headrace, `def` or `async def`")
    code: Annotated[Path, Existing.FOLDER] = Field(description="folder of the code, put on `sys.path`")
    handler: str = Field(description="`module.function`, as on Lambda")


class LambdaFunction(FunctionBase):
    """A function in AWS (or an emulator), through the Invoke API."""

    runtime: Literal["lambda"] = Field(description="a function in AWS or an emulator, through the Invoke API")
    function_arn: Annotated[str, Kind.ARN] = Field(description="the function's ARN, with or without a qualifier")
    qualifier: str | None = Field(default=None, min_length=1, description="version or alias, if the ARN has none")


class Tls(Model):
    """How an HTTPS endpoint is verified."""

    verify: bool = Field(default=True, description="whether the endpoint's certificate is verified")
    ca_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="authorities to trust instead of the system's (PEM)"
    )
    cert_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="certificate to show to the endpoint (PEM)"
    )
    key_file: Annotated[Path, Existing.FILE] | None = Field(
        default=None, description="key of `cert_file`, if that does not hold it (PEM)"
    )


class HttpFunction(FunctionBase):
    """An HTTP endpoint: the Runtime Interface Emulator or a plain web service."""

    runtime: Literal["http"] = Field(
        description="an HTTP endpoint: Lambda's Runtime Interface Emulator or a web service"
    )
    url: Url | None = Field(default=None, description="the endpoint, which events are posted to")
    urls: list[Url] = Field(default_factory=list, description="several endpoints of one function, in place of `url`")
    headers: dict[str, Annotated[str, Kind.SCALAR]] = Field(
        default_factory=dict, repr=False, description="headers sent with each event"
    )
    bearer_token: Secret | None = Field(
        default=None, min_length=1, repr=False, description="token sent as `Authorization: Bearer`"
    )
    tls: Tls = Field(default=Tls(), description="how HTTPS endpoints are verified")


FunctionModel = Annotated[
    PythonFunction | ProvidedFunction | InProcessFunction | LambdaFunction | HttpFunction,
    Field(discriminator="runtime"),
]


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
    """Pollers that are always running (lambda-behaviour 2.3)."""

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


class Visibility(Model):
    """How messages are kept hidden; Headrace's own, not AWS's."""

    heartbeat: bool = Field(
        default=True, description="extend the visibility of held messages until they are acknowledged"
    )
    retry_delay: Annotated[int, Field(ge=0, le=VISIBILITY_LIMIT_SECONDS)] | RetryDelay | None = Field(
        default=None,
        description="seconds after which a failed message is seen again; null: when its visibility timeout runs out, as on Lambda",
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
    """What mappings of every source take. ``name`` is the key under ``event_source_mappings``."""

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


class DynamoDBMapping(StreamMapping):
    """A DynamoDB table's stream to a function."""


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
