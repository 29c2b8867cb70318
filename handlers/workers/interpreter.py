"""Asking a Python interpreter what a worker needs of it: whether it runs at all, AWS's client, and modules."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAIN = Path(__file__).with_name("main.py")
"""What a Python worker's process runs."""
PROBE_SECONDS = 30.0
NONE_COPIED: MappingProxyType[str, str] = MappingProxyType({})
_NAMING = Path(__file__).parents[1] / "copies" / "naming.py"
_OURS = Path(__file__).resolve().parents[2]


class InterpreterSilent(FunctionUnusable):
    """It did not answer in time, which another try may cure."""


def worker_settings(
    handler: str, code: Path, layers: Sequence[Path], copies: Mapping[str, str] = NONE_COPIED
) -> dict[str, object]:
    """What :data:`MAIN` is told on its command line. ``copies``: folders among these that are copies, with what each is of."""
    return {
        "handler": handler,
        "code": str(code),
        "layers": [str(layer) for layer in layers],
        "ours": str(_OURS),
        "client": _client_folder(),
        "probe": False,
        "copies": dict(copies),
        "naming": str(_NAMING),
    }


def _client_folder() -> str:
    """Where Headrace's own awslambdaric is installed; empty if it is not."""
    found = importlib.util.find_spec("awslambdaric")
    return str(Path(found.origin).parent.parent) if found is not None and found.origin else ""


def ask(
    interpreter: str,
    settings: Mapping[str, object],
    *,
    find: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> frozenset[str]:
    """Which of the modules ``find`` a worker on this interpreter would not find. None of them is loaded.

    ``settings`` are a worker's; ``environment`` and ``folder`` those in which it is started. Raises FunctionUnusable, with the
    interpreter named, if no worker can run on it; InterpreterSilent if nobody can tell now.
    """
    asked = json.dumps({**settings, "probe": True, "find": [*find]})
    try:
        answer = subprocess.run(  # noqa: S603 - the configured interpreter
            [interpreter, str(MAIN), asked],
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        )
    except (subprocess.TimeoutExpired, BlockingIOError, MemoryError) as error:
        raise InterpreterSilent(f"{interpreter} could not be asked ({error}); perhaps the machine is busy") from error
    except (OSError, ValueError) as error:
        raise FunctionUnusable(
            f"{interpreter} cannot be run ({error}); expected the path of a virtual environment's python"
        ) from error
    answered = _answered(answer.stdout) if answer.returncode == 0 else None
    if answered is None:
        raise FunctionUnusable(_no_answer(interpreter, answer.stderr.decode("utf-8", "replace")))
    refused, missing = answered
    if refused is not None:
        raise FunctionUnusable(refused)
    return missing


def _no_answer(interpreter: str, said: str) -> str:
    """Why it did not say anything that we understand: a Python too old for our few lines stumbles over the first of them."""
    if "SyntaxError" in said and MAIN.name in said:
        return f"{interpreter} is a Python too old for AWS's client (awslambdaric); expected 3.10 or newer"
    last = said.strip().rpartition("\n")[2][:300]
    told = f" ({last})" if last else ""
    return f"{interpreter} does not work as a Python{told}; expected the path of a virtual environment's python"


def _answered(output: bytes) -> tuple[str | None, frozenset[str]] | None:
    try:
        answer = json.loads(output.rpartition(b"\n")[2])
        return answer["refused"], frozenset(answer["missing"])
    except (ValueError, TypeError, KeyError):
        return None
