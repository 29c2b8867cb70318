"""What functions of every runtime take."""

from __future__ import annotations

from pydantic import Field

from config.options.model import Model


class FunctionBase(Model):
    """What functions of every runtime take."""

    timeout: float = Field(default=3, gt=0, le=43_200, description="seconds an invocation may take")
    concurrency: int = Field(
        default=5, ge=1, le=10_000, description="invocations at most at a time, of all its mappings together"
    )
