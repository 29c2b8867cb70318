"""From the configuration's models to what runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import config.models as models
from config.functions.registry import RUNTIMES
from handlers.environment.world import World
from handlers.factory import make_function

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


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_has_its_runner(runtime: str) -> None:
    """With name, timeout, concurrency and ARN as the configuration says."""
    function = make_function(
        "billing", model(runtime, timeout=7, concurrency=3), where=World(region="eu-west-1", account="123456789012")
    )

    assert (function.name, function.timeout_seconds, function.concurrency) == ("billing", 7, 3)
    assert function.arn == BILLING


def test_a_runtime_that_is_not_used_is_not_imported() -> None:
    """An in-process function needs neither the AWS SDK nor an HTTP client."""
    code = f"""
import sys
from pathlib import Path
import config.models as models
from handlers.factory import make_function
code = Path({str(EXAMPLES / "audit")!r})
make_function("f", models.InProcessFunction(runtime="in_process", code=code, handler="audit.handle"))
print([name for name in ("botocore", "aiohttp", "handlers.workers.python") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert json.loads(done.stdout.replace("'", '"')) == []
