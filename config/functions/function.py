"""What functions of every runtime take."""

from __future__ import annotations

from pydantic import Field

from config.functions.asynchronous import (
    AsynchronousOption,
    DeadLetterConfig,
    DeadLetterOption,
    EventInvokeConfig,
    asynchronous_targets,
)
from config.functions.function_url import FunctionUrlOption, cors_methods
from config.options.model import Model

HOW_IT_IS_CALLED = frozenset({"event_invoke_config", "dead_letter_config", "function_url"})
"""Options that say how a function is called, and not what runs."""


class FunctionBase(Model):
    """What functions of every runtime take."""

    timeout: float = Field(default=3, gt=0, le=43_200, description="seconds an invocation may take")
    concurrency: int = Field(
        default=5, ge=1, le=10_000, description="invocations at most at a time, of all its callers together"
    )
    event_invoke_config: AsynchronousOption = Field(
        default=EventInvokeConfig(), description="what becomes of asynchronous invocations, as on Lambda"
    )
    dead_letter_config: DeadLetterOption = Field(
        default=DeadLetterConfig(), description="where asynchronous events go that were given up, as on Lambda"
    )
    function_url: FunctionUrlOption = Field(default=None, description="an HTTP endpoint of the function, as on Lambda")

    def runs_as(self, other: FunctionBase) -> bool:
        """Whether what runs is the same, however it is called: workers need not be renewed for another destination."""
        return type(self) is type(other) and self._program() == other._program()

    def _program(self) -> dict[str, object]:
        return {name: value for name, value in self if name not in HOW_IT_IS_CALLED}


RULES = (asynchronous_targets, cors_methods)
"""What every runtime's functions are held to beside the rules of their runtime."""
