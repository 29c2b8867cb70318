"""From the configuration's models to what runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import config.models as models
from handlers.factory import function_arn, make_function
from handlers.workers import WorkerFunction

EXAMPLES = Path(__file__).parents[3] / "examples"
BILLING = "arn:aws:lambda:eu-west-1:123456789012:function:billing"
MODELS: dict[str, dict[str, object]] = {
    "python": {"code": EXAMPLES / "orders", "handler": "app.handler"},
    "provided": {"code": EXAMPLES, "command": ["./bootstrap"]},
    "in_process": {"code": EXAMPLES / "audit", "handler": "audit.handle"},
    "lambda": {"function_arn": BILLING},
    "http": {"url": "http://127.0.0.1:1/"},
}


def model(runtime: str, **settings: object) -> models.FunctionModel:
    adapter: TypeAdapter[models.FunctionModel] = TypeAdapter(models.FunctionModel)
    return adapter.validate_python({"runtime": runtime, **MODELS[runtime], **settings})


@pytest.mark.parametrize("runtime", MODELS)
def test_every_runtime_has_its_runner(runtime: str) -> None:
    """With name, timeout, concurrency and ARN as the configuration says."""
    function = make_function(
        "billing", model(runtime, timeout=7, concurrency=3), region="eu-west-1", account="123456789012"
    )

    assert (function.name, function.timeout_seconds, function.concurrency) == ("billing", 7, 3)
    assert function.arn == BILLING


def test_the_region_comes_from_the_configuration_else_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it is AWS's first."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert make_function("f", model("http")).arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert ":eu-north-1:" in make_function("f", model("http")).arn
    assert ":eu-west-3:" in make_function("f", model("http"), aws=models.Aws(region="eu-west-3")).arn


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_an_arn_is_in_its_region_s_partition(region: str, partition: str) -> None:
    """China and the government's regions have their own."""
    assert function_arn("f", region, "123456789012") == f"arn:{partition}:lambda:{region}:123456789012:function:f"


def test_a_runtime_that_is_not_used_is_not_imported() -> None:
    """An in-process function needs neither the AWS SDK nor an HTTP client."""
    code = f"""
import sys
from pathlib import Path
import config.models as models
from handlers.factory import make_function
code = Path({str(EXAMPLES / "audit")!r})
make_function("f", models.InProcessFunction(runtime="in_process", code=code, handler="audit.handle"))
print([name for name in ("botocore", "aiohttp", "handlers.python") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert json.loads(done.stdout.replace("'", '"')) == []


class TestEndpoints:
    """Workers find the endpoints that Headrace itself was given."""

    def _environment(self, tmp_path: Path, aws: models.Aws, **settings: object) -> dict[str, str]:
        model = models.PythonFunction.model_validate({"code": tmp_path, "handler": "app.handler", **settings})
        runner = make_function("work", model, aws=aws)
        assert isinstance(runner, WorkerFunction)
        return runner._model.environment

    def test_configured_endpoints_are_in_a_workers_environment(self, tmp_path: Path) -> None:
        """Under the SDKs' own names, so that a handler's clients reach the emulator that its events come from."""
        aws = models.Aws.model_validate(
            {"endpoint_url": "http://a:1", "endpoint_urls": {"dynamodbstreams": "http://b:2"}}
        )
        found = self._environment(tmp_path, aws)
        assert found == {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://b:2"}

    def test_what_the_function_says_of_endpoints_wins(self, tmp_path: Path) -> None:
        """Its own value, or Headrace's own variable where it asks for that."""
        aws = models.Aws.model_validate({"endpoint_url": "http://a:1"})
        assert self._environment(tmp_path, aws, environment={"AWS_ENDPOINT_URL": "x"}) == {"AWS_ENDPOINT_URL": "x"}
        assert self._environment(tmp_path, aws, inherit_environment=["AWS_ENDPOINT_URL"]) == {}
        assert self._environment(tmp_path, models.Aws()) == {}
