"""Functions made from a few lines of code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from config.models import InProcessFunction as Model
from config.models import LoggingConfig
from handlers.in_process.function import InProcessFunction

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
MakeFunction = Callable[..., InProcessFunction]


@pytest.fixture
def make(tmp_path: Path) -> MakeFunction:
    """Makes a function whose ``app.py`` holds the given code."""

    def made(
        code: str,
        *,
        handler: str = "app.handler",
        timeout: float = 20,
        concurrency: int = 5,
        folder: str = "code",
        logging_config: LoggingConfig = LoggingConfig(),  # noqa: B008 - immutable
    ) -> InProcessFunction:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        (path / "app.py").write_text(textwrap.dedent(code))
        model = Model(
            runtime="in_process",
            code=path,
            handler=handler,
            timeout=timeout,
            concurrency=concurrency,
            logging_config=logging_config,
        )
        return InProcessFunction("orders", ARN, model)

    return made
