"""``headrace import``, as the user sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pollers.cli import main

if TYPE_CHECKING:
    from click.testing import Result

TEMPLATE = """\
Parameters: {Secret: {Type: String}}
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.12, Handler: app.handler, Code: src, Environment: {Variables: {SECRET: !Ref Secret}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, in which the command runs."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "cdk.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(main, ["import", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("folder")
def test_the_configuration_goes_to_stdout_and_what_to_do_to_stderr() -> None:
    """So that it can be piped."""
    done = run("template.yaml")
    assert done.exit_code == 0
    assert "    code: ./src\n" in done.stdout
    assert "note: template.yaml:1: set ${SECRET}: the parameter Secret" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "imported 1 function, 0 mappings, 0 schedules; 1 variable to set before it can be used"
    )


def test_what_is_imported_can_be_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file in another folder as well: paths are relative to the file."""
    (folder / "conf").mkdir()
    monkeypatch.setenv("SECRET", "x")
    assert run("template.yaml", "-o", "conf/headrace.yaml").exit_code == 0
    assert "    code: ../src\n" in (folder / "conf" / "headrace.yaml").read_text()
    checked = CliRunner().invoke(main, ["check", "conf/headrace.yaml"], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output


def test_a_file_that_is_there_is_written_over_only_when_asked(folder: Path) -> None:
    """It may be somebody's work."""
    file = folder / "headrace.yaml"
    file.write_text("mine\n")
    refused = run("template.yaml", "-o", "headrace.yaml")
    assert refused.exit_code == 2
    assert "headrace.yaml:1: found a file of this name, expected none, or --force to write over it" in refused.stderr
    assert file.read_text() == "mine\n"
    assert run("template.yaml", "-o", "headrace.yaml", "--force").exit_code == 0
    assert file.read_text() != "mine\n"
    assert {path.name for path in folder.iterdir()} == {"src", "app", "template.yaml", "headrace.yaml"}


def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(folder: Path) -> None:
    """Configurations are often linked to from where they are used."""
    (folder / "conf").mkdir()
    (folder / "conf" / "real.yaml").write_text("old\n")
    (folder / "headrace.yaml").symlink_to("conf/real.yaml")
    assert run("template.yaml", "-o", "headrace.yaml", "--force").exit_code == 0
    assert (folder / "headrace.yaml").is_symlink()
    assert "functions:" in (folder / "conf" / "real.yaml").read_text()


def test_what_is_no_file_takes_the_text_and_stays_what_it_is(folder: Path) -> None:
    """A device or a pipe must not be replaced by a file, which root could do even to /dev/stdout."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("template.yaml", "-o", "pipe", "--force").exit_code == 0
        assert b"functions:" in os.read(reader, 65536)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [(), ("-o", "/dev/full", "--force")])
def test_output_that_has_no_room_is_a_failure_in_one_line(arguments: tuple[str, ...]) -> None:
    """As when the disk is full to which stdout is redirected."""
    command = [sys.executable, "-m", "pollers", "import", "template.yaml", *arguments]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environ)
    assert done.returncode == 1
    assert "cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("folder")
def test_a_folder_that_is_not_there_cannot_be_written_to() -> None:
    """That is a failure, not a fault of the arguments."""
    done = run("template.yaml", "-o", "nowhere/headrace.yaml")
    assert done.exit_code == 1
    assert "nowhere/headrace.yaml:1: cannot be written (No such file or directory)" in done.stderr


def test_a_source_without_anything_to_run_is_said_and_writes_nothing(folder: Path) -> None:
    """After the notes, which say what was left out."""
    nested = "Resources: {N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}}\n"
    (folder / "parent.yaml").write_text(nested)
    done = run("parent.yaml", "-o", "headrace.yaml")
    assert done.exit_code == 2
    assert "note: parent.yaml:1: N: left out: what is in the nested stack whose template x is not there" in done.stderr
    assert done.stderr.endswith("parent.yaml:1: found no function, no mapping and no schedule, expected at least one\n")
    assert not (folder / "headrace.yaml").exists()


@pytest.mark.usefixtures("folder")
def test_parameters_and_code_folders_are_given_by_name() -> None:
    """A value may have an equals sign."""
    done = run("template.yaml", "--parameter", "Secret=a=b", "--code-folder", "F=.")
    assert "environment: {SECRET: a=b}" in done.stdout
    assert '    code: "."\n' in done.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "nowhere.yaml:1: found no file and no folder of this name, expected "),
        (("x" * 300,), ":1: found no file and no folder of this name, expected "),
        (("src",), "src:1: found a folder that cannot be imported itself, expected "),
        ((".",), ".:1: found a folder that cannot be imported itself, expected a file in it, such as ./template.yaml"),
        (("app",), "app:1: found a folder that cannot be imported itself, expected what it makes: run `cdk synth`"),
        (("template.yaml", "--parameter", "Secret"), "expected --parameter NAME=VALUE"),
        (("template.yaml", "--parameter", "Other=1"), "found --parameter Other, expected one of Secret"),
        (("template.yaml", "--stack", "nowhere.json"), "nowhere.json:1: found a file that cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(arguments: tuple[str, ...], message: str) -> None:
    """The exit code is 2."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_source_without_a_name_is_said_by_what_it_is_called() -> None:
    """A variable of a script that is not set."""
    done = run("")
    assert done.exit_code == 2
    assert "for SOURCE: found an empty text, expected a file, a folder or `account`" in done.stderr


@pytest.mark.usefixtures("folder")
def test_a_folder_of_code_that_no_function_runs_from_is_said() -> None:
    """Most likely its name was misspelled; a name that fits is not mentioned."""
    assert (
        "note: --code-folder G=src: no function runs here from it\n"
        in run("template.yaml", "--code-folder", "G=src").stderr
    )
    assert "no function runs here" not in run("template.yaml", "--code-folder", "F=src").stderr
