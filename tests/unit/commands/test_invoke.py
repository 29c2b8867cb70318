"""``headrace invoke``: what it prints where, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
import structlog
from click.testing import CliRunner

from pollers.commands.invoke import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]

APP = """
import logging

def echo(event, context):
    return {"got": event}

def broken(event, context):
    raise ValueError("no such order")

def chatty(event, context):
    logging.getLogger("shop").warning("about to answer")
    return "héllo"

def large(event, context):
    return "x" * (7 * 1024 * 1024)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a function for each handler of the module."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(textwrap.dedent(APP))
    handlers = ["echo", "broken", "chatty", "large", "missing"]
    functions = "\n".join(f"  {name}: {{runtime: in_process, code: ./code, handler: app.{name}}}" for name in handlers)
    path = tmp_path / "headrace.yaml"
    path.write_text(f"functions:\n{functions}\n  gone: {{runtime: http, url: 'http://127.0.0.1:1'}}\n")
    return path


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with this configuration, leaving the test process's logging alone."""
    monkeypatch.setattr("pollers.telemetry.logging.configure_logging", lambda: None)

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        with structlog.testing.capture_logs():
            return CliRunner().invoke(command, [*arguments, "-c", str(config)], input=stdin)

    return run


def test_the_result_goes_to_stdout_and_the_rest_to_stderr(run: Run) -> None:
    """So that the result can be piped on."""
    done = run("echo", "--event", "-", stdin='{"a": 1}')

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"got": {"a": 1}}
    assert "echo succeeded in " in done.stderr


def test_the_event_is_an_empty_object_if_none_is_given(run: Run) -> None:
    """For functions that need none."""
    assert json.loads(run("echo").stdout) == {"got": {}}


def test_the_event_may_come_from_a_file(run: Run, tmp_path: Path) -> None:
    """With or without a byte order mark."""
    (tmp_path / "event.json").write_bytes(b'\xef\xbb\xbf{"caf\xc3\xa9": [1]}')

    assert json.loads(run("echo", "--event", str(tmp_path / "event.json")).stdout) == {"got": {"café": [1]}}


def test_a_function_that_fails_prints_its_error_document_and_exits_with_1(run: Run) -> None:
    """The document to stdout as ``aws lambda invoke`` has it, the reason to stderr."""
    done = run("broken")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["errorType"] == "ValueError"
    assert "broken failed in " in done.stderr
    assert "ValueError: no such order" in done.stderr


def test_a_function_that_cannot_be_reached_exits_with_1(run: Run) -> None:
    """It prints no result, for there is none."""
    done = run("gone")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "gone did not run: http://127.0.0.1:1: " in done.stderr


def test_an_answer_that_is_too_large_is_a_failure(run: Run) -> None:
    """As it would be for a mapping."""
    done = run("large")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_unknown_function_exits_with_2_and_names_the_closest(run: Run) -> None:
    """A slip of the keyboard is the likeliest reason."""
    done = run("ehco")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "no function 'ehco' in the configuration; did you mean 'echo'?" in done.stderr


def test_a_function_that_is_like_no_other_lists_them(run: Run) -> None:
    """So that one can be chosen."""
    assert "(defined: echo, broken, chatty, large, missing, gone)" in run("xyzzy").stderr


def test_a_function_that_is_unusable_exits_with_2(run: Run) -> None:
    """Where that stands in the configuration is printed."""
    done = run("missing")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "headrace.yaml:6: functions.missing.handler: found 'app.missing', but " in done.stderr


def test_what_can_be_seen_without_running_is_said_before(run: Run, config: Path) -> None:
    """An import that cannot be found, say; the function runs all the same."""
    app = config.parent / "code" / "app.py"
    app.write_text(app.read_text() + "\ndef rare():\n    import nowhere\n")
    done = run("echo")

    assert done.exit_code == 0
    assert done.stderr.startswith("note: ")
    assert "(inside a function) imports nowhere: " in done.stderr


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (b'{"a": 1,\n oops}', "<stdin>:2: the event is not JSON: "),
        (b"", "<stdin>:1: the event is not JSON: Expecting value (column 1)"),
        (b"{\n\xff", "<stdin>:2: the event is not JSON: found the byte 0xff, expected text in UTF-8"),
        ("{}".encode("utf-16-le"), "<stdin>:1: the event is not JSON: found text in another encoding, expected UTF-8"),
        (b'"' + b"x" * (6 * 1024 * 1024) + b'"', "larger than 6291456 bytes"),
        (b"[" * 100_000, "the event is not JSON: "),
    ],
)
def test_an_event_that_no_function_can_get_exits_with_2(run: Run, event: bytes, problem: str) -> None:
    """It says where it is wrong."""
    done = run("echo", "--event", "-", stdin=event)

    assert (done.exit_code, done.stdout) == (2, "")
    assert problem in done.stderr


def test_an_event_in_utf_16_is_read_by_its_mark(run: Run) -> None:
    """PowerShell's ``>`` writes such files; the function gets UTF-8."""
    done = run("echo", "--event", "-", stdin='{"a": "\u00e4"}'.encode("utf-16"))

    assert (done.exit_code, json.loads(done.stdout)) == (0, {"got": {"a": "\u00e4"}})


def test_a_configuration_with_faults_exits_with_2(tmp_path: Path) -> None:
    """Each on a line of its own."""
    (tmp_path / "headrace.yaml").write_text("functions: {f: {runtime: in_process, code: nowhere, handler: a.b}}\n")

    done = CliRunner().invoke(command, ["f", "-c", str(tmp_path / "headrace.yaml")])

    assert done.exit_code == 2
    assert "headrace.yaml:1: functions.f.code" in done.stderr


def test_the_command_as_a_user_runs_it(config: Path) -> None:
    """Nothing but the result is on stdout, in the function's own bytes; what it logs is on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pollers", "invoke", "chatty", "-c", str(config)],
        capture_output=True,
        timeout=60,
        check=False,
        cwd=config.parent,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == "héllo"
    assert b"about to answer" in done.stderr
    assert b"chatty succeeded in " in done.stderr
