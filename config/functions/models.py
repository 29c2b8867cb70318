"""The models of functions: one for each way to run one. Re-exported by :mod:`config.models`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, Literal

from pydantic import Field

from config.options.shapes import Existing, Kind, Model, Pasted


class FunctionBase(Model):
    """What functions of every runtime take."""

    timeout: float = Field(default=3, gt=0, le=43_200, description="seconds an invocation may take")
    concurrency: int = Field(
        default=5, ge=1, le=10_000, description="invocations at most at a time, of all its mappings together"
    )


class LoggingConfig(Model):
    """What a function's log holds and in which form, as ``AWS::Lambda::Function LoggingConfig`` says it."""

    log_format: Literal["Text", "JSON"] = Field(
        default="Text", description="form of what the runtime client and Headrace write for the function"
    )
    application_log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] | None = Field(
        default=None, description="least level of the function's own log; with JSON only, where it is INFO if not given"
    )
    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = Field(
        default=None,
        description="least level of what is said of the function's invocations; with JSON only, where it is INFO if not given",
    )
    log_group: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="name of the log group that the function is told; /aws/lambda/NAME if not given",
    )

    @property
    def application_level(self) -> str | None:
        """The level that the function's own log is filtered by; None: it is not."""
        return (self.application_log_level or "INFO") if self.log_format == "JSON" else None

    @property
    def system_level(self) -> str:
        """The level that Headrace's lines on the function's invocations are filtered by."""
        return (self.system_log_level or "INFO") if self.log_format == "JSON" else "DEBUG"


class LoggingFunction(FunctionBase):
    """What functions take whose log Headrace writes."""

    logging_config: Annotated[LoggingConfig, Pasted.ALSO] = Field(
        default=LoggingConfig(), description="form and levels of the function's log, as on Lambda"
    )


class ProcessFunction(LoggingFunction):
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


class InProcessFunction(LoggingFunction):
    """A Python callable on an event loop and threads of its own inside Headrace."""

    runtime: Literal["in_process"] = Field(description="a Python callable inside Headrace, `def` or `async def`")
    code: Annotated[Path, Existing.FOLDER] = Field(
        description="folder of the code, whose modules are the function's own"
    )
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
    url: Annotated[str, Kind.URL] | None = Field(default=None, description="the endpoint, which events are posted to")
    urls: list[Annotated[str, Kind.URL]] = Field(
        default_factory=list, description="several endpoints of one function, in place of `url`"
    )
    headers: dict[str, Annotated[str, Kind.SCALAR]] = Field(
        default_factory=dict, repr=False, description="headers sent with each event"
    )
    bearer_token: Annotated[str, Kind.SECRET] | None = Field(
        default=None, min_length=1, repr=False, description="token sent as `Authorization: Bearer`"
    )
    tls: Tls = Field(default=Tls(), description="how HTTPS endpoints are verified")


FunctionModel = Annotated[
    PythonFunction | ProvidedFunction | InProcessFunction | LambdaFunction | HttpFunction,
    Field(discriminator="runtime"),
]
