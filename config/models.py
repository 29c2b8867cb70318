"""The configuration's models: the one place where an option's name, type, default, limits and meaning are written.

Names, defaults and limits of mapping settings are Lambda's (lambda-behaviour 1.2). The README's option table and
``headrace schema`` are generated from here.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.arns import Arn, parse_arn


class Model(BaseModel):
    """What every part of the configuration shares: immutable, strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())


class EndpointUrls(Model):
    """An endpoint for each service, where they differ."""

    sqs: str | None = None
    kinesis: str | None = None
    dynamodb: str | None = None
    dynamodbstreams: str | None = None
    sns: str | None = None
    s3: str | None = None
    lambda_: str | None = Field(default=None, alias="lambda")
    sts: str | None = None


class Aws(Model):
    """Where AWS is. The SDK's own environment, profiles and roles serve for what is not given."""

    region: str | None = None
    endpoint_url: str | None = None
    endpoint_urls: EndpointUrls = EndpointUrls()


class Http(Model):
    """Where health, metrics and the console are served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535)


class Console(Model):
    """What the console may show."""

    payloads: bool = Field(default=False, description="show the first lines of failed payloads")


class Runtime(Model):
    """How Headrace itself runs."""

    checkpoints: str = Field(default="sqlite:.headrace/checkpoints.db", description="sqlite:PATH")
    shutdown_grace: float = Field(default=30, ge=0, description="seconds that running invocations are given to finish")
    http: Http | Literal[False] = Http()
    console: Console = Console()


class FunctionBase(Model):
    """What functions of every runtime take."""

    timeout: float = Field(default=3, gt=0, le=43_200, description="seconds an invocation may take")
    concurrency: int = Field(default=5, ge=1, le=10_000, description="invocations at most at a time")


class ProcessFunction(FunctionBase):
    """What functions in worker processes take."""

    environment: dict[str, str] = Field(default_factory=dict, description="environment variables")
    inherit_environment: list[str] = Field(default_factory=list, description="names of Headrace's own variables to pass on")
    credentials: Literal["inherit", "none"] = Field(default="inherit", description="whether workers get Headrace's AWS credentials")
    memory_size: int | None = Field(default=None, ge=128, le=32_768, description="MiB a worker may use")
    idle_timeout: float = Field(default=300, gt=0, description="seconds after which an idle worker is stopped")


class PythonFunction(ProcessFunction):
    """Python worker processes, run by AWS's own runtime interface client."""

    runtime: Literal["python"] = "python"
    code: Path
    handler: str
    layers: list[Path] = Field(default_factory=list)
    interpreter: Path | None = None


class ProvidedFunction(ProcessFunction):
    """Any executable that speaks Lambda's Runtime API."""

    runtime: Literal["provided"]
    command: list[str] = Field(min_length=1)
    code: Path
    handler: str | None = None


class InProcessFunction(FunctionBase):
    """A Python callable on an event loop and threads of its own inside Headrace."""

    runtime: Literal["in_process"]
    code: Path
    handler: str


class LambdaFunction(FunctionBase):
    """A function in AWS (or an emulator), through the Invoke API."""

    runtime: Literal["lambda"]
    function_arn: str
    qualifier: str | None = None


class Tls(Model):
    """How an HTTPS endpoint is verified."""

    verify: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class HttpFunction(FunctionBase):
    """An HTTP endpoint: the Runtime Interface Emulator or a plain web service."""

    runtime: Literal["http"]
    url: str | None = None
    urls: list[str] = Field(default_factory=list)
    headers: dict[str, str] = Field(default_factory=dict)
    bearer_token: str | None = None
    tls: Tls = Tls()


FunctionModel = Annotated[
    PythonFunction | ProvidedFunction | InProcessFunction | LambdaFunction | HttpFunction, Field(discriminator="runtime")
]


class Filter(Model):
    """One event pattern, as AWS's JSON string or as a mapping; kept as the JSON text."""

    pattern: str = Field(max_length=4096)


class FilterCriteria(Model):
    """Event patterns, any of which lets an event through."""

    filters: list[Filter] = Field(default_factory=list, max_length=10)


class ScalingConfig(Model):
    """Limits of an SQS mapping's concurrency."""

    maximum_concurrency: int | None = Field(default=None, ge=2, le=1000)


class RetryDelay(Model):
    """A delay that grows with the message's receive count, doubling from ``initial`` up to ``maximum`` (seconds)."""

    initial: int = Field(ge=0, le=43_200)
    maximum: int = Field(ge=0, le=43_200)


class Visibility(Model):
    """How messages are kept hidden; Headrace's own, not AWS's."""

    heartbeat: bool = Field(default=True, description="extend the visibility of held messages until they are acknowledged")
    retry_delay: int | RetryDelay | None = Field(
        default=None, description="seconds after which a failed message is seen again; null: when its visibility timeout runs out, as on Lambda"
    )


class OnFailure(Model):
    """Where failure records go."""

    destination: str | None = None


class DestinationConfig(Model):
    """Destinations of a stream mapping."""

    on_failure: OnFailure = OnFailure()


class MappingBase(Model):
    """What mappings of every source take. ``name`` is the key under ``event_source_mappings``."""

    name: str
    event_source_arn: str
    function_name: str
    enabled: bool = True
    batch_size: int
    maximum_batching_window_in_seconds: int = Field(default=0, ge=0, le=300)
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(default_factory=list, max_length=1)
    filter_criteria: FilterCriteria = FilterCriteria()

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

    batch_size: int = Field(default=10, ge=1, le=10_000)
    scaling_config: ScalingConfig = ScalingConfig()
    visibility: Visibility = Visibility()

    @property
    def fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return self.event_source_arn.endswith(".fifo")


class StreamMapping(MappingBase):
    """A stream to a function."""

    batch_size: int = Field(default=100, ge=1, le=10_000)
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    starting_position_timestamp: datetime | None = None
    parallelization_factor: int = Field(default=1, ge=1, le=10)
    maximum_record_age_in_seconds: int = Field(default=-1, ge=-1, le=604_800)
    maximum_retry_attempts: int = Field(default=-1, ge=-1, le=10_000)
    bisect_batch_on_function_error: bool = False
    tumbling_window_in_seconds: int = Field(default=0, ge=0, le=900)
    destination_config: DestinationConfig = DestinationConfig()

    @property
    def on_failure(self) -> str | None:
        """The on-failure destination's ARN, if any."""
        return self.destination_config.on_failure.destination or None


class KinesisMapping(StreamMapping):
    """A Kinesis stream (or an enhanced fan-out consumer of one) to a function."""


class DynamoDBMapping(StreamMapping):
    """A DynamoDB table's stream to a function."""


Mapping = SqsMapping | KinesisMapping | DynamoDBMapping


class Config(Model):
    """A whole configuration, checked."""

    aws: Aws = Aws()
    runtime: Runtime = Runtime()
    functions: dict[str, FunctionModel] = Field(default_factory=dict)
    event_source_mappings: dict[str, Annotated[Any, Field()]] = Field(default_factory=dict)
