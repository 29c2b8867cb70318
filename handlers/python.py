"""``runtime: python``: Python worker processes, run by AWS's own runtime interface client (awslambdaric)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from handlers.errors import FunctionUnusable
from handlers.worker_code import folder_of
from handlers.worker_environment import Identity, Place
from handlers.workers import WorkerFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from config.models import PythonFunction
    from handlers.world import World

_MAIN = Path(__file__).with_name("worker_main.py")
_OURS = Path(__file__).resolve().parent.parent
_PROBE_SECONDS = 30.0


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
    ) -> None:
        super().__init__(name, model, world=world, wall_clock=wall_clock, random=random)
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
            answer = subprocess.run(  # noqa: S603 - the configured interpreter
                [self._interpreter, str(_MAIN), self._settings(probe=True)],
                capture_output=True,
                timeout=_PROBE_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                env=self._probe_environment(),  # not Headrace's own: this may run user code (sitecustomize, .pth files)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FunctionUnusable(
                f"function {self.name}: interpreter: {self._interpreter} cannot be run ({error}); "
                "expected the path of a virtual environment's python"
            ) from error
        if answer.returncode != 0:
            said = answer.stderr.decode("utf-8", "replace").strip() or f"it ended with status {answer.returncode}"
            raise FunctionUnusable(f"function {self.name}: interpreter: {said}")

    def _probe_environment(self) -> dict[str, str]:
        place = Place(self._code, (), self._scratch, "")
        return self._environment(place, self._identity("probe"))

    def _command(self) -> Sequence[str]:
        return (self._interpreter, str(_MAIN), self._settings())

    def _settings(self, *, probe: bool = False) -> str:
        settings = {
            "handler": self._python.handler,
            "code": str(self._code),
            "layers": [str(layer) for layer in self._layer_folders],
            "ours": str(_OURS),
            "client": _client_folder(),
            "probe": probe,
        }
        return json.dumps(settings)

    def _framed(self) -> bool:
        return True

    def _layers(self) -> Sequence[Path]:
        return self._layer_folders

    def _identity(self, log_stream: str) -> Identity:
        # Which version of Python it is, the worker adds itself.
        return Identity(self.name, self._python.handler, self._world.region, log_stream, "AWS_Lambda_python")


def _client_folder() -> str:
    """Where Headrace's own awslambdaric is installed; empty if it is not."""
    found = importlib.util.find_spec("awslambdaric")
    return str(Path(found.origin).parent.parent) if found is not None and found.origin else ""
