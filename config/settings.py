"""The sections of CONFIG about Headrace itself: where AWS is, how it runs, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from config.lease_tables import SCHEME, schedules_table, table_of
from config.options.model import Model, TextKind

DEFAULT_CHECKPOINTS = "sqlite:.headrace/checkpoints.db"
DEFAULT_STATE = ".headrace"


class EndpointUrls(Model):
    """An endpoint for each service, where they differ."""

    sqs: Annotated[str, TextKind.URL] | None = Field(default=None, description="SQS's endpoint")
    kinesis: Annotated[str, TextKind.URL] | None = Field(default=None, description="Kinesis's endpoint")
    dynamodb: Annotated[str, TextKind.URL] | None = Field(default=None, description="DynamoDB's endpoint")
    dynamodbstreams: Annotated[str, TextKind.URL] | None = Field(
        default=None, description="DynamoDB Streams' endpoint; that of `dynamodb` if not given"
    )
    sns: Annotated[str, TextKind.URL] | None = Field(default=None, description="SNS's endpoint")
    s3: Annotated[str, TextKind.URL] | None = Field(default=None, description="S3's endpoint")
    lambda_: Annotated[str, TextKind.URL] | None = Field(default=None, alias="lambda", description="Lambda's endpoint")
    events: Annotated[str, TextKind.URL] | None = Field(default=None, description="EventBridge's endpoint")
    sts: Annotated[str, TextKind.URL] | None = Field(default=None, description="STS's endpoint")
    rds: Annotated[str, TextKind.URL] | None = Field(
        default=None, description="endpoint of the API that describes DocumentDB's clusters, which is RDS's"
    )
    secretsmanager: Annotated[str, TextKind.URL] | None = Field(default=None, description="Secrets Manager's endpoint")
    documentdb: Annotated[str, TextKind.CONNECTION_URI] | None = Field(
        default=None,
        repr=False,
        description="where every DocumentDB cluster is, in place of its own endpoint; mappings need no secret then",
    )


class Aws(Model):
    """Where AWS is. The SDK's own environment, profiles and roles serve for what is not given."""

    region: Annotated[str, TextKind.REGION] | None = Field(
        default=None,
        description="region of what no ARN gives one for; event sources have that of their ARN, and so have their functions",
    )
    endpoint_url: Annotated[str, TextKind.URL] | None = Field(
        default=None, description="endpoint of every service: LocalStack or another AWS-compatible one"
    )
    endpoint_urls: EndpointUrls = Field(
        default=EndpointUrls(), description="endpoints by service; they win over `endpoint_url`"
    )


class Http(Model):
    """Where health, metrics and the console are served."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all")
    port: int = Field(default=8787, ge=0, le=65_535, description="port to listen on; 0 for any free one")
    token: Annotated[str, TextKind.SECRET] | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="bearer token for everything but the health checks; required on any address but loopback, where without "
        "it only changes need a token, which is made at the start",
    )


class Credentials(Model):
    """One pair of keys that callers of Lambda's API sign with."""

    access_key_id: str = Field(min_length=1, max_length=128, description="the key's id")
    secret_access_key: Annotated[str, TextKind.SECRET] = Field(
        min_length=1, repr=False, description="the secret; best from the environment"
    )


class LambdaApi(Model):
    """Lambda's own API for SDKs, the AWS CLI and Terraform, and function URLs."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all")
    port: int = Field(default=9001, ge=0, le=65_535, description="port to listen on; 0 for any free one")
    region: Annotated[str, TextKind.REGION] | None = Field(
        default=None, description="region in the functions' ARNs; `aws.region` if not given, else us-east-1"
    )
    account: str = Field(
        default="000000000000", min_length=12, max_length=12, description="account in the functions' ARNs"
    )
    functions: bool = Field(
        default=False, description="whether functions may be made and changed by the API, which brings code"
    )
    queue_seconds: float = Field(
        default=0,
        ge=0,
        le=900,
        description="seconds that a synchronous call may wait for a free worker before it is 429",
    )
    credentials: list[Credentials] = Field(
        default_factory=list,
        description="keys that signatures are verified with; required on any address but loopback, where without them any "
        "signature is taken",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="addresses or networks (10.0.0.0/8) of reverse proxies whose `x-forwarded-*` headers are believed",
    )


class Console(Model):
    """What the console may show."""

    payloads: bool = Field(default=False, description="show the first lines of the payloads of failures")


class Leases(Model):
    """How replicas share the shards of streams through a table."""

    failover: float = Field(
        default=10, ge=2, le=3_600, description="seconds without a sign of a replica until others take its shards over"
    )
    interval: float = Field(
        default=1,
        ge=0,
        le=60,
        description="least seconds between two checkpoint writes of a shard, less than `failover`; a longer one costs less, and "
        "more is repeated after a crash",
    )
    with_kcl: bool = Field(
        default=False,
        description="share the table with an application of the Kinesis Client Library that runs: only what it leaves is taken",
    )


class Runtime(Model):
    """How Headrace itself runs."""

    checkpoints: str = Field(
        default=DEFAULT_CHECKPOINTS,
        description="where stream checkpoints are kept: `sqlite:PATH`, PATH relative to the file that gives it, or to CONFIG's "
        "folder; or `dynamodb:TABLE`, which replicas share (schedules, too), with `{mapping}` in TABLE for the mapping's name",
    )
    leases: Leases = Field(
        default=Leases(), description="how replicas share shards and schedules; only with `checkpoints: dynamodb:TABLE`"
    )
    state: str = Field(
        default=DEFAULT_STATE,
        min_length=1,
        description="folder of what must survive a restart beside checkpoints: the asynchronous queue, what the API made, and when "
        "schedules ran; relative as `checkpoints` is",
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
    def sqlite_path(self) -> Path | None:
        """The checkpoint database's file; None where checkpoints are in DynamoDB."""
        scheme, _, path = self.checkpoints.partition(":")
        return Path(path) if scheme == "sqlite" else None

    @property
    def lease_tables(self) -> str | None:
        """TABLE, in which ``{mapping}`` may stand; None where checkpoints are in a file."""
        return self.checkpoints.removeprefix(SCHEME) if self.checkpoints.startswith(SCHEME) else None

    def lease_table(self, mapping: str) -> str | None:
        """The name of the table that a stream mapping's checkpoints are in; None where they are in a file."""
        return None if self.lease_tables is None else table_of(self.lease_tables, mapping)

    @property
    def schedules_table(self) -> str | None:
        """The name of the table by which replicas share schedules; None where checkpoints are in a file."""
        return None if self.lease_tables is None else schedules_table(self.lease_tables)

    @property
    def state_folder(self) -> Path:
        """The folder of what must survive a restart beside checkpoints."""
        return Path(self.state)
