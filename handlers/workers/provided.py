"""``runtime: provided``: any executable that speaks Lambda's Runtime API, one process for each concurrent invocation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable
from handlers.workers.runtime import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import ProvidedFunction
    from handlers.workers.runtime import Site

_FRAMING_CLIENTS = ("awslambdaric", "aws-lambda-ric", "aws_lambda_ric")
"""AWS's runtime clients for Python, Node.js and Ruby, as commands name them."""


async def prepare_provided(model: ProvidedFunction, site: Site) -> Program:
    """An executable (a Go, Rust, C++ or shell bootstrap, AWS's Node.js client, ...).

    Its working directory is the code folder, and its command is relative to it; a command without a slash is looked for in
    ``PATH``. ``handler`` is passed on as ``_HANDLER``, as Lambda does.
    """
    code = await site.folder(model.code, "code", "code")
    _check_command(model, code, site)
    # Only AWS's own clients get a descriptor for frames: another program may close it before it starts one, which then fails.
    framed = any(client in word for word in model.command for client in _FRAMING_CLIENTS)
    command = [_in_copy(word, site.copies) for word in model.command]
    handler = model.handler or Path(model.command[0]).name
    return Program(code, command, handler, framed=framed, copies=site.copies)


def _in_copy(word: str, copies: Mapping[str, str]) -> str:
    """A word of the command, as the copy's file if it is the path of one of the code's."""
    for copy, own in copies.items():
        if word.startswith(own + os.sep):
            return copy + word[len(own) :]
    return word


def _check_command(model: ProvidedFunction, code: Path, site: Site) -> None:
    program, what = model.command[0], f"function {site.function_name}: command"
    if os.sep not in program:
        path = model.environment.get("PATH") or site.world.environment.get("PATH")
        if shutil.which(program, path=path) is None:
            raise FunctionUnusable(f"{what}: {program!r} is not in PATH; expected an executable")
        return
    found = code / program
    # Where the code lies is not said: it may be nobody's folder, but that of a package that the API was sent.
    if not found.is_file():
        raise FunctionUnusable(
            f"{what}: {program} does not exist in its code; expected an executable, relative to code"
        )
    if not os.access(found, os.X_OK):
        how = "chmod +x it, before it is zipped if the code comes as a .zip package (zips made on Windows keep no such right)"
        raise FunctionUnusable(f"{what}: {program} is not executable in its code; {how}")
