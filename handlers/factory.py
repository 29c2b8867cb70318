"""From a function's model in the configuration to what runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import config.models as models

if TYPE_CHECKING:
    from handlers.function import Function

Process = TypeVar("Process", models.PythonFunction, models.ProvidedFunction)

DEFAULT_REGION = "us-east-1"
ENDPOINT_SUFFIXES = {
    "sqs": "SQS",
    "kinesis": "KINESIS",
    "dynamodb": "DYNAMODB",
    "dynamodbstreams": "DYNAMODB_STREAMS",
    "sns": "SNS",
    "s3": "S3",
    "lambda_": "LAMBDA",
    "sts": "STS",
}
"""How the SDKs' AWS_ENDPOINT_URL_<SERVICE> variables are spelled."""
DEFAULT_ACCOUNT = "000000000000"
"""The account in the ARNs of functions that live in no account."""


def make_function(
    name: str,
    model: models.FunctionModel,
    *,
    aws: models.Aws = models.Aws(),  # noqa: B008 - immutable
    region: str | None = None,
    account: str = DEFAULT_ACCOUNT,
) -> Function:
    """The function that ``model`` describes, not entered yet. Nothing of a runtime that is not used is imported.

    ``aws`` says where the Invoke API is. ``region`` (else that of ``aws``, else the environment's) and ``account`` are those
    of the function's ARN, for functions that have none of their own.
    """
    region = (
        region or aws.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    )
    match model:
        case models.PythonFunction():
            from handlers.python import PythonFunctionRunner

            return PythonFunctionRunner(name, _with_endpoints(model, aws), region=region, account_id=account)
        case models.ProvidedFunction():
            from handlers.provided import ProvidedFunctionRunner

            return ProvidedFunctionRunner(name, _with_endpoints(model, aws), region=region, account_id=account)
        case models.InProcessFunction():
            from handlers.in_process import InProcessFunction

            return InProcessFunction(name, function_arn(name, region, account), model)
        case models.LambdaFunction():
            from handlers.aws_lambda import InvokeApiFunction

            return InvokeApiFunction(name, model, aws)
        case models.HttpFunction():
            from handlers.http import HttpFunction

            return HttpFunction(name, function_arn(name, region, account), model)


def function_arn(name: str, region: str, account: str) -> str:
    """The ARN by which a function outside Lambda is known."""
    return f"arn:{_partition(region)}:lambda:{region}:{account}:function:{name}"


def _with_endpoints(model: Process, aws: models.Aws) -> Process:
    """The model with the configured endpoints in its environment, under the SDKs' own names, where it says nothing of them.

    As on an emulator's own Lambda: a handler that makes a client without more ado reaches what its events come from.
    """
    variables = {"AWS_ENDPOINT_URL": aws.endpoint_url}
    for service, suffix in ENDPOINT_SUFFIXES.items():
        variables[f"AWS_ENDPOINT_URL_{suffix}"] = getattr(aws.endpoint_urls, service)
    given = {name: url for name, url in variables.items() if url is not None and name not in model.inherit_environment}
    return model.model_copy(update={"environment": {**given, **model.environment}})


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
