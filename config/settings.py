"""The sections of CONFIG about Headrace itself: where AWS is, how it runs, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from config.options.model import Model, TextKind

DEFAULT_CHECKPOINTS = "sqlite:.headrace/checkpoints.db"


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
    sts: Annotated[str, TextKind.URL] | None = Field(default=None, description="STS's endpoint")


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
