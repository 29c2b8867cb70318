"""``runtime: python``: Python worker processes, run by AWS's own runtime interface client (awslambdaric)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from anyio import to_thread

from handlers.errors import FunctionUnusable
from handlers.workers.code_folder import folder_of
from handlers.workers.environment import Identity, Place
from handlers.workers.function import WorkerFunction
from handlers.workers.interpreter import MAIN, ask, worker_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from config.models import PythonFunction
    from handlers.environment.world import World


class PythonFunctionRunner(WorkerFunction):
    """A Python handler in worker processes, on this interpreter or another one."""

    def __init__(
        self,
        name: str,
        model: PythonFunction,
        *,
        world: World | None = None,
        wall_clock: Callable[[], float] | None = None,
        random: Random | None = None,
        metric_line: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name, model, world=world, wall_clock=wall_clock, random=random, metric_line=metric_line)
        self._python = model
        self._interpreter = str(model.interpreter.absolute()) if model.interpreter is not None else sys.executable
        self._layer_folders: list[Path] = []

    def _code_path(self) -> Path:
        return self._python.code

    async def _prepare(self, scratch: Path) -> None:
        for number, layer in enumerate(self._python.layers):
            what = f"function {self.name}: layers[{number}]"
            folder = await to_thread.run_sync(folder_of, layer, scratch / f"layer-{number}", what)
            self._layer_folders.append(folder)
        if self._python.interpreter is not None:
            await to_thread.run_sync(self._probe)

    def _probe(self) -> None:
        """Ask the interpreter for what a worker will need of it."""
        try:
            # Not in Headrace's own environment: this may run user code (sitecustomize, .pth files).
            ask(self._interpreter, self._settings(), environment=self._probe_environment())
        except FunctionUnusable as unusable:
            raise FunctionUnusable(f"function {self.name}: interpreter: {unusable}") from unusable

    def _probe_environment(self) -> dict[str, str]:
        place = Place(self._code, (), self._scratch, "")
        return self._environment(place, self._identity("probe"))

    def _command(self) -> Sequence[str]:
        return (self._interpreter, str(MAIN), json.dumps(self._settings()))

    def _settings(self) -> dict[str, object]:
        return worker_settings(self._python.handler, self._code, self._layer_folders)

    def _framed(self) -> bool:
        return True

    def _layers(self) -> Sequence[Path]:
        return self._layer_folders

    def _identity(self, log_stream: str) -> Identity:
        # Which version of Python it is, the worker adds itself.
        return Identity(self.name, self._python.handler, self._world.region, log_stream, "AWS_Lambda_python")
