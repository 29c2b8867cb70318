"""``headrace import``: a configuration from a template, a state or an account."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from pollers.commands.configuration import EXIT_UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.faults import Fault, Note
    from pollers.importing import Imported, Request, Written

EXIT_FAILED = 1


@click.command("import")
@click.argument("source")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter or a variable of SOURCE.",
)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Resources or outputs of the deployed stack, as `aws cloudformation describe-stack-resources` prints them.",
)
@click.option(
    "--code-folder",
    "folders",
    multiple=True,
    metavar="ID=PATH",
    help="Where the code of a function is, by its logical id or name.",
)
def command(
    source: str,
    output: Path | None,
    force: bool,
    parameters: tuple[str, ...],
    stacks: tuple[Path, ...],
    folders: tuple[str, ...],
) -> None:
    """Write a configuration with the functions, mappings and schedules of SOURCE.

    SOURCE is a CloudFormation or SAM template, a cdk.out folder, a .serverless folder or serverless.yml, a Terraform state or what
    `terraform show -json` prints, or `account`, the live one. The configuration goes to stdout, or to a file with -o; what it
    cannot hold, and what must be set before it can be used, is said on stderr.
    """
    from pollers.importing import Request, Source, write

    if not source:
        raise click.BadParameter("found an empty text, expected a file, a folder or `account`", param_hint="SOURCE")
    request = Request(
        Source(source, Path(source)),
        _pairs(parameters, "--parameter"),
        stacks,
        {name: Path(path) for name, path in _pairs(folders, "--code-folder").items()},
    )
    imported = _read(request)
    _note_unused(imported, request)
    written = write(imported, (output or Path()).absolute().parent if output else Path.cwd())
    if imported.is_empty:
        _say(written.notes)
        click.echo(f"{source}:1: found no function, no mapping and no schedule, expected at least one", err=True)
        sys.exit(EXIT_UNUSABLE)
    _put(written, output, force=force)
    _say(written.notes)
    click.echo(_summary(imported, written, output), err=True)


def _read(request: Request) -> Imported:
    """What is in the source; or each fault on a line of its own on stderr, and the exit."""
    from config.faults import ConfigError
    from config.files import fault_of
    from config.text.nodes import Unparsable
    from pollers.importing import SourceUnreachable
    from pollers.importing.forms import form_of

    try:
        return form_of(request.source).read(request)
    except Unparsable as error:
        _exit_unusable([fault_of(error)])
    except ConfigError as error:
        _exit_unusable(error.faults)
    except SourceUnreachable as error:
        click.echo(f"{request.source.text}: {error}", err=True)
        sys.exit(EXIT_FAILED)


def _note_unused(imported: Imported, request: Request) -> None:
    """Say which folders of code no function runs from: most likely a name that was misspelled."""
    from pollers.importing import LocalPath

    used = {
        str(value.path) for one in imported.functions for value in one.options.values() if isinstance(value, LocalPath)
    }
    for name, path in request.code_folders.items():
        if str(path) not in used:
            imported.note(None, "", f"--code-folder {name}={path}: no function runs here from it")


def _say(notes: Iterable[Note]) -> None:
    for note in notes:
        click.echo(f"note: {str(note).removeprefix(':0: ')}", err=True)


def _exit_unusable(faults: Iterable[Fault]) -> NoReturn:
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(EXIT_UNUSABLE)


def _pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.UsageError(f"found {option} {text}, expected {option} NAME=VALUE")
        found[name] = value
    return found


def _put(written: Written, output: Path | None, *, force: bool) -> None:
    try:
        if output is None:
            click.echo(written.text, nl=False)
        else:
            _write(output, written.text, force=force)
    except FileExistsError:
        click.echo(f"{output}:1: found a file of this name, expected none, or --force to write over it", err=True)
        sys.exit(EXIT_UNUSABLE)
    except BrokenPipeError:
        raise  # Whoever reads stdout has enough of it: that ends every command in the same way.
    except OSError as error:
        where = f"{output}:1" if output else "stdout"
        click.echo(f"{where}: cannot be written ({error.strerror or error})", err=True)
        sys.exit(EXIT_FAILED)


def _write(output: Path, text: str, *, force: bool) -> None:
    """The whole file or none: it appears under its name when it is complete. Without ``force`` no other file gives way.

    A link stays one: the file that it leads to is replaced. What is no file (``/dev/stdout``, a pipe) takes the text as it comes.
    """
    if not force and os.path.lexists(output):
        raise FileExistsError(output)
    output = Path(os.path.realpath(output))
    if output.exists() and not output.is_file():
        output.write_text(text, encoding="utf-8", newline="\n")
        return
    handle, name = tempfile.mkstemp(prefix=".headrace-", dir=output.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        if force:
            temporary.replace(output)
        else:
            output.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _summary(imported: Imported, written: Written, output: Path | None) -> str:
    counts = [
        _count(len(members), noun)
        for members, noun in (
            (imported.functions, "function"),
            (imported.mappings, "mapping"),
            (imported.schedules, "schedule"),
        )
    ]
    where = f" in {output}" if output else ""
    variables = len(written.variables)
    to_set = f"; {_count(variables, 'variable')} to set before it can be used" if variables else ""
    return f"imported {', '.join(counts)}{where}{to_set}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
