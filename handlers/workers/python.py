"""``runtime: python``: Python worker processes, run by AWS's own runtime interface client (awslambdaric)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from anyio import to_thread

from handlers.errors import FunctionUnusable
from handlers.workers.interpreter import MAIN, ask, worker_settings
from handlers.workers.runtime import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import PythonFunction
    from handlers.workers.runtime import Site


async def prepare_python(model: PythonFunction, site: Site) -> Program:
    """A Python handler, on this interpreter or another one."""
    code = await site.folder(model.code, "code", "code")
    layers = [await site.folder(path, f"layer-{n}", f"layers[{n}]") for n, path in enumerate(model.layers)]
    settings = worker_settings(model.handler, code, layers, site.copies)
    interpreter = str(model.interpreter.absolute()) if model.interpreter is not None else sys.executable
    command = (interpreter, str(MAIN), json.dumps(settings))
    # Which version of Python it is, the worker adds itself.
    program = Program(code, command, model.handler, "AWS_Lambda_python", layers, framed=True, copies=site.copies)
    if model.interpreter is not None:
        # Not in Headrace's own environment: the interpreter may run user code (sitecustomize, .pth files).
        environment = site.environment(model, program, log_stream="probe")
        await to_thread.run_sync(_probe, interpreter, settings, environment, site.function_name)
    return program


def _probe(
    interpreter: str, settings: Mapping[str, object], environment: Mapping[str, str], function_name: str
) -> None:
    """Ask the interpreter for what a worker will need of it."""
    try:
        ask(interpreter, settings, environment=environment)
    except FunctionUnusable as unusable:
        raise FunctionUnusable(f"function {function_name}: interpreter: {unusable}") from unusable
