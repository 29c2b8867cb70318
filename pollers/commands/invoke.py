"""``headrace invoke``: one function, once."""

from __future__ import annotations

import logging
import sys
import uuid
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import anyio
import click

from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, Payload
from pollers.commands.chosen_event import LIST, ChosenEvent, unusable
from pollers.commands.configuration import EXIT_UNUSABLE, exit_for_environment, load_or_exit
from pollers.commands.run import backend_options

if TYPE_CHECKING:
    from rich.console import Console

    from config import Loaded
    from config.models import Config, FunctionModel
    from handlers.function import Invocation
    from pollers.functions.host import FunctionMaker

EXIT_FAILED = 1


@click.command("invoke")
@click.argument("function", required=False)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=Path("headrace.yaml"),
    show_default=True,
    help="A file or a folder of files.",
)
@click.option(
    "--event",
    "event_file",
    type=click.File("rb"),
    metavar="FILE",
    help="The event, as JSON; - for standard input. An empty object if not given.",
)
@click.option(
    "--sample", metavar="SERVICE", help="A sample event: s3, sns, api-gateway, ...; `list` says which there are."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="PATH=VALUE",
    help="Another value for a member of the sample, as Records.0.s3.object.key=cat.jpg. May be repeated.",
)
@click.option(
    "--print", "only_print", is_flag=True, help="Print the sample instead of sending it; so does no FUNCTION."
)
def command(
    function: str | None,
    config: Path,
    event_file: BinaryIO | None,
    sample: str | None,
    changes: tuple[str, ...],
    only_print: bool,
) -> None:
    """Run FUNCTION of the configuration once, as a mapping would.

    Its result goes to stdout; its log and how long it took go to stderr. Exits with 0 when it succeeded, 1 when it failed
    (the result is then Lambda's error document), 2 when it, the event or the configuration cannot be used.
    """
    chosen = ChosenEvent(event_file, sample, changes)
    chosen.refuse_contradictions(function=function, only_print=only_print)
    if function is None or sample == LIST:
        click.echo(chosen.text(None))
    elif only_print:
        click.echo(chosen.text(load_or_exit(config).config))
    else:
        _run(function, config, chosen)


def _run(function: str, config: Path, chosen: ChosenEvent) -> NoReturn:
    """Invoke the function, show what came of it, and exit."""
    from rich.console import Console

    from handlers.system import keep_memory_private
    from pollers.telemetry.logging import configure_logging

    keep_memory_private()
    configure_logging()
    _silence_functions()
    loaded = load_or_exit(config)
    model = _defined(function, loaded.config)
    event = chosen.event(loaded.config)
    make = _maker(function, loaded.config)
    _report_faults(function, loaded)
    try:
        invocation = anyio.run(partial(_invoke, function, model, make, event), backend_options=backend_options())
    except FunctionUnusable as problem:
        unusable(str(problem))
    _show_log(invocation, Console(stderr=True, highlight=False, soft_wrap=True))
    _show_result(invocation)
    _show_summary(function, invocation, Console(stderr=True, highlight=False, soft_wrap=True))
    sys.exit(0 if isinstance(invocation.result, Payload) else EXIT_FAILED)


def _defined(name: str, config: Config) -> FunctionModel:
    """The function of that name."""
    model = config.functions.get(name)
    if model is None:
        close = get_close_matches(name, config.functions, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f" (defined: {', '.join(config.functions) or 'none'})"
        unusable(f"no function {name!r} in the configuration{hint}")
    return model


def _maker(name: str, config: Config) -> FunctionMaker:
    """Make the function as ``headrace run`` would."""
    from handlers.environment import read_profile, world_in
    from handlers.factory import make_function

    where = world_in(config, name, profile=read_profile())
    return partial(make_function, aws=config.aws, where=where)


def _report_faults(name: str, loaded: Loaded) -> None:
    """Print what is known without running the function: notes, and faults, after which the command exits."""
    from pollers.supervisor.loading import inspect_functions

    exit_for_environment()
    faults, notes = inspect_functions(loaded, [name])
    for remark in [*notes, *faults]:
        click.echo(remark if remark in faults else f"note: {remark}", err=True)
    if faults:
        sys.exit(EXIT_UNUSABLE)


async def _invoke(name: str, model: FunctionModel, make: FunctionMaker, event: bytes) -> Invocation:
    """Invoke the function in the way that every caller does (docs/design, decision 11)."""
    from pollers.functions import Functions

    functions = Functions(make)
    answer: Invocation | Exception
    async with anyio.create_task_group() as group:
        functions.start(group, {name: model})
        try:
            with functions[name].caller() as caller:
                answer = await caller.invoke(event, request_id=str(uuid.uuid4()))
        except Exception as problem:
            answer = problem  # raised below: a task group would wrap it in an ExceptionGroup
        functions.close()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _silence_functions() -> None:
    """Keep functions' log lines out of the log: they are shown with the result."""
    handlers = logging.getLogger("handlers")
    handlers.setLevel(logging.CRITICAL)
    functions = logging.getLogger("handlers.functions")
    functions.addHandler(logging.NullHandler())
    functions.propagate = False


def _show_log(invocation: Invocation, console: Console) -> None:
    # In process everything is written where the function writes it.
    for line in invocation.log if invocation.reported else ():
        console.print(line, style="dim", markup=False)


def _show_result(invocation: Invocation) -> None:
    """Print the answer or the error document, byte for byte; on a terminal JSON is indented and coloured."""
    result = invocation.result
    if not isinstance(result, Payload | FunctionError):
        return
    body = result.body if isinstance(result, Payload) else result.document
    if sys.stdout.isatty() and _show_json(body):
        return
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.buffer.flush()


def _show_json(body: bytes) -> bool:
    """Print a body as indented JSON, and return whether that was possible: it is not for other text or very deep nesting."""
    from rich.console import Console
    from rich.json import JSON

    try:
        indented = JSON(body.decode())
        indented.text.plain.encode()  # an escape of a lone surrogate is JSON, and cannot be printed
    except (ValueError, RecursionError):
        return False
    Console().print(indented, soft_wrap=True)
    return True


def _show_summary(name: str, invocation: Invocation, console: Console) -> None:
    result = invocation.result
    took = f"{invocation.duration_seconds * 1000:.1f} ms"
    if isinstance(result, Payload):
        console.print(f"{name} succeeded in {took} ({len(result.body)} bytes)", style="green", markup=False)
    elif isinstance(result, FunctionError):
        console.print(f"{name} failed in {took}: {result.error_type}: {result.message}", style="red", markup=False)
    else:
        console.print(f"{name} did not run: {result.message}", style="red", markup=False)
