"""``runtime: provided``: any executable that speaks Lambda's Runtime API, one process for each concurrent invocation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable
from handlers.workers.environment import Identity
from handlers.workers.function import WorkerFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from config.models import ProvidedFunction
    from handlers.environment.world import World


_FRAMING_CLIENTS = ("awslambdaric", "aws-lambda-ric", "aws_lambda_ric")
"""AWS's runtime clients for Python, Node.js and Ruby, as commands name them."""


class ProvidedFunctionRunner(WorkerFunction):
    """An executable (a Go, Rust, C++ or shell bootstrap, AWS's Node.js client, ...) in worker processes.

    Its working directory is the code folder, and its command is relative to it; a command without a slash is looked for in
    ``PATH``. ``handler`` is passed on as ``_HANDLER``, as Lambda does.
    """

    def __init__(
        self,
        name: str,
        model: ProvidedFunction,
        *,
        world: World | None = None,
        wall_clock: Callable[[], float] | None = None,
        random: Random | None = None,
        metric_line: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name, model, world=world, wall_clock=wall_clock, random=random, metric_line=metric_line)
        self._provided = model

    def _code_path(self) -> Path:
        return self._provided.code

    async def _prepare(self, scratch: Path) -> None:
        program = self._provided.command[0]
        what = f"function {self.name}: command"
        if os.sep not in program:
            path = self._provided.environment.get("PATH") or self._world.environment.get("PATH")
            if shutil.which(program, path=path) is None:
                raise FunctionUnusable(f"{what}: {program!r} is not in PATH; expected an executable")
            return
        found = self._code / program
        if not found.is_file():
            raise FunctionUnusable(f"{what}: {found} does not exist; expected an executable, relative to code")
        if not os.access(found, os.X_OK):
            raise FunctionUnusable(f"{what}: {found} is not executable; chmod +x it")

    def _command(self) -> Sequence[str]:
        return self._provided.command

    def _framed(self) -> bool:
        """Only AWS's own clients: another program may close the descriptor before it starts one, which then fails."""
        return any(client in word for word in self._provided.command for client in _FRAMING_CLIENTS)

    def _identity(self, log_stream: str) -> Identity:
        handler = self._provided.handler or Path(self._provided.command[0]).name
        return Identity(self.name, handler, self._world.region, log_stream)
