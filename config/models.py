"""Every model of the configuration, to import from one place.

A model is where an option's name, type, default, limits and meaning are written; loading, the table of options and
``headrace schema`` are generated from it. The models of functions are in :mod:`config.functions`, those of mappings in
:mod:`config.sources`.
"""

from __future__ import annotations

from pydantic import Field, SerializeAsAny

from config.functions.asynchronous import DeadLetterConfig, EventInvokeConfig, InvokeDestinations, RecordDestination
from config.functions.aws_lambda import LambdaFunction
from config.functions.function import FunctionBase
from config.functions.function_url import Cors, FunctionUrl
from config.functions.http import HttpFunction, Tls
from config.functions.in_process import InProcessFunction
from config.functions.logging_config import LoggingConfig
from config.functions.processes import ProcessFunction
from config.functions.provided import ProvidedFunction
from config.functions.python import PythonFunction
from config.functions.registry import FunctionModel
from config.options.model import Model
from config.schedules.model import (
    FlexibleTimeWindow,
    Schedule,
    ScheduleDeadLetterConfig,
    ScheduleRetryPolicy,
)
from config.settings import Aws, Console, Credentials, EndpointUrls, Http, LambdaApi, Leases, Runtime
from config.sources.documentdb import DocumentDBEventSourceConfig, DocumentDBMapping, SourceAccessConfiguration
from config.sources.dynamodb import DynamoDBMapping
from config.sources.kinesis import KinesisMapping
from config.sources.mapping import Filter, FilterCriteria, Mapping
from config.sources.sqs import ProvisionedPollerConfig, RetryDelay, ScalingConfig, SqsMapping, Visibility
from config.sources.streams import DestinationConfig, OnFailure, ShardedStreamMapping, StreamMapping

API_REGION = "us-east-1"
"""The region that Lambda's API serves where none is given."""


class Config(Model):
    """A whole configuration, checked."""

    aws: Aws = Field(
        default=Aws(),
        description="where AWS is; the SDK's own environment, profiles and roles serve for what is not given",
    )
    runtime: Runtime = Field(default=Runtime(), description="how Headrace itself runs")
    lambda_api: LambdaApi | None = Field(
        default=None,
        description="Lambda's own API for SDKs, the AWS CLI and Terraform, and function URLs; not served if not given",
    )
    console: Console = Field(default=Console(), description="what the console may show")
    functions: dict[str, FunctionModel] = Field(default_factory=dict, description="the functions, by name")
    event_source_mappings: dict[str, SerializeAsAny[Mapping]] = Field(
        default_factory=dict, description="the mappings, by name"
    )
    schedules: dict[str, Schedule] = Field(default_factory=dict, description="the schedules, by name")

    @property
    def api_region(self) -> str | None:
        """The region that Lambda's API serves, and that its functions' ARNs have; None where it is not served."""
        return None if self.lambda_api is None else self.lambda_api.region or self.aws.region or API_REGION


__all__ = [
    "Aws",
    "Config",
    "Console",
    "Cors",
    "Credentials",
    "DeadLetterConfig",
    "DestinationConfig",
    "DocumentDBEventSourceConfig",
    "DocumentDBMapping",
    "DynamoDBMapping",
    "EndpointUrls",
    "EventInvokeConfig",
    "Filter",
    "FilterCriteria",
    "FlexibleTimeWindow",
    "FunctionBase",
    "FunctionModel",
    "FunctionUrl",
    "Http",
    "HttpFunction",
    "InProcessFunction",
    "InvokeDestinations",
    "KinesisMapping",
    "LambdaApi",
    "LambdaFunction",
    "Leases",
    "LoggingConfig",
    "Mapping",
    "Model",
    "OnFailure",
    "ProcessFunction",
    "ProvidedFunction",
    "ProvisionedPollerConfig",
    "PythonFunction",
    "RecordDestination",
    "RetryDelay",
    "Runtime",
    "ScalingConfig",
    "Schedule",
    "ScheduleDeadLetterConfig",
    "ScheduleRetryPolicy",
    "ShardedStreamMapping",
    "SourceAccessConfiguration",
    "SqsMapping",
    "StreamMapping",
    "Tls",
    "Visibility",
]
