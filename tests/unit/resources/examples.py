"""Functions as their configuration gives them, for tests of what the API makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.models import PythonFunction
from pollers.resources.changes import Before
from pollers.resources.made import Made

if TYPE_CHECKING:
    from config.models import FunctionModel

DONE = "arn:aws:sqs:us-east-1:000000000000:done"
FAILED = "arn:aws:sqs:us-east-1:000000000000:failed"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"


def model(**options: Any) -> FunctionModel:  # noqa: ANN401 - whatever options the configuration takes
    """A function with these options."""
    return PythonFunction.model_validate({"code": ".", "handler": "app.handler", **options})


def before(made: Made | None = None, *, now: float = 100.0, **options: Any) -> Before:  # noqa: ANN401 - as above
    """The function ``orders`` before a change, with these options in its configuration."""
    return Before("orders", model(**options), made or Made(), now)
