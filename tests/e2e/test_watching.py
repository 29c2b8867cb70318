"""``headrace run --watch`` as a developer has it: a process, workers, and an editor beside them."""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.lambda_api import LambdaApiPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)
CODE = """
import os, time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return {"version": VERSION, "pid": os.getpid()}
"""
PROGRAM = """
import json, os, urllib.request

base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as reply:
        request, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], json.load(reply)
    if event.get("crash"):
        os._exit(3)
    answer = json.dumps({"version": "1", "pid": os.getpid()}).encode()
    urllib.request.urlopen(f"{base}{request}/response", answer).close()
"""
TRIES = 12
IDLE_START = 0.3
"""Of the second, so much is left to the start of a worker, where nothing else runs."""
NUMBERED = 'VERSION = "{}"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaApiPlace]:
    """One process for all tests of this module: five functions, each with code of its own."""
    place = LambdaApiPlace(tmp_path_factory.mktemp("watching"))
    functions: dict[str, dict[str, Any]] = {
        "orders": {"code": "./orders", "timeout": 30},
        "audit": {"code": "./audit"},
        "inside": {"code": "./inside", "runtime": "in_process"},
        "layered": {"code": "./layered", "layers": ["./layer"], "environment": {"TABLE": "t"}},
        "provided": {
            "code": "./provided",
            "runtime": "provided",
            "command": ["./bootstrap"],
            "handler": "app.handler",
        },
    }
    for name in functions:
        (place.folder / name).mkdir()
        write(place, name, "1")
    (place.folder / "layer" / "python").mkdir(parents=True)
    (place.folder / "layer" / "python" / "shared.py").write_text("")
    (place.folder / "provided" / "bootstrap").write_text(f"#!{sys.executable}\n{PROGRAM}")
    (place.folder / "provided" / "bootstrap").chmod(0o755)
    place.configure(functions)
    place.start("--watch")
    try:
        place.until(lambda: place.logged("watching code and configuration"), "the watching")
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def write(place: LambdaApiPlace, name: str, version: str) -> None:
    """The function's code, as an editor saves it: half of it first, then all."""
    file = place.folder / name / "app.py"
    file.write_text(NUMBERED.format(version)[:5])
    file.write_text(NUMBERED.format(version) + CODE)


def invoked(place: LambdaApiPlace, name: str, **event: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return answered(place.client(), name, event)[0]


def answered(client: Any, name: str, event: dict[str, Any]) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - botocore's
    """The answer, and the tail of the log."""
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
    return json.loads(reply["Payload"].read()), base64.b64decode(reply["LogResult"]).decode()


@pytest.mark.parametrize("name", ["orders", "inside"])
def test_saved_code_runs_within_a_second(place: LambdaApiPlace, name: str) -> None:
    """In its workers, or in Headrace's own process; the other function keeps its worker.

    How long a worker takes to start is the machine's: it is measured, and only what comes on top of it is bounded.
    """
    client = place.client()  # one for all: to make it takes longer than what is measured
    write(place, name, "1")
    place.until(lambda: answered(client, name, {})[0]["version"] == "1", "the first version")
    other = invoked(place, "audit")["pid"]
    seconds: list[tuple[float, float]] = []
    # On a busy machine the rest may take longer, too: one of a few tries counts.
    while len(seconds) < 3 or (min(rest for _, rest in seconds) >= 1 - IDLE_START and len(seconds) < TRIES):
        version = str(2 + len(seconds))
        write(place, name, version)
        saved, answers = time.monotonic(), list[tuple[dict[str, Any], str]]()

        def renewed(version: str = version, answers: list[Any] = answers) -> bool:
            answers.append(answered(client, name, {}))
            return bool(answers[-1][0]["version"] == version)

        place.until(renewed, f"version {version}")
        taken = time.monotonic() - saved
        start = re.search(r"Init Duration: ([\d.]+) ms", answers[-1][1])
        assert (start is not None) is (name == "orders")  # it is the first invocation of its worker
        seconds.append((taken, taken - (float(start[1]) / 1000 if start else 0)))
    print("seconds from saving to the new code's first answer, and without the worker's start:", seconds)
    assert invoked(place, "audit")["pid"] == other
    assert min(rest for _, rest in seconds) < 1 - IDLE_START


def test_a_running_invocation_is_finished_by_the_code_that_began_it(place: LambdaApiPlace) -> None:
    """The next one has the new code."""
    write(place, "orders", "five")
    place.until(lambda: invoked(place, "orders")["version"] == "five", "version five")
    answers: list[dict[str, Any]] = []
    running = threading.Thread(target=lambda: answers.append(invoked(place, "orders", seconds=3)))
    running.start()
    time.sleep(0.5)  # it has begun; if it had not, the test would not fail but show less
    write(place, "orders", "six")
    place.until(lambda: invoked(place, "orders")["version"] == "six", "version six")
    assert not answers
    running.join(60)
    assert answers[0]["version"] == "five"


def test_code_that_cannot_be_read_leaves_the_old_one_running(place: LambdaApiPlace) -> None:
    """The fault is logged with file and line."""
    before, said = invoked(place, "audit"), len(refusals(place, "audit"))
    (place.folder / "audit" / "app.py").write_text("x = 1\ndef handler(event, context:\n")
    fault = refusal(place, "audit", said)
    assert "headrace.yaml:" in fault
    assert "audit/app.py:2: " in fault
    assert invoked(place, "audit") == before
    write(place, "audit", "7")
    place.until(lambda: invoked(place, "audit")["version"] == "7", "the repaired code")


def test_a_changed_configuration_is_applied(place: LambdaApiPlace) -> None:
    """Without `headrace reload`."""
    path = place.folder / "headrace.yaml"
    path.write_text(path.read_text().replace("    code: ./audit\n", "    code: ./audit\n    memory_size: 256\n"))
    client = place.client()
    place.until(
        lambda: client.get_function_configuration(FunctionName="audit")["MemorySize"] == 256, "the configuration"
    )


def refusal(place: LambdaApiPlace, name: str, before: int) -> str:
    """The fault of the next refusal of this function's code; ``before`` are the refusals so far."""
    place.until(lambda: len(refusals(place, name)) > before, "the refusal")
    fault: str = refusals(place, name)[-1]["faults"][0]
    return fault


def refusals(place: LambdaApiPlace, name: str) -> list[dict[str, Any]]:
    return [line for line in place.logged("code refused, the old one runs on") if line["function"] == name]


@pytest.mark.parametrize("name", ["orders", "inside"])
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("import json\nTABLE = os_environ()\n", "app.py:2: "),
        ("import json\n\nfrom json import nothing\n", "app.py:3: "),
        ("import json\n\n\nraise SystemExit(3)\n", "app.py:4: "),
        ("x = (\n", "app.py:1: "),
        ("import sys\nsys.modules[__name__] = sys\n", "handler"),
    ],
)
def test_code_that_does_not_load_leaves_the_old_one_running(
    place: LambdaApiPlace, name: str, lines: str, told: str
) -> None:
    """The fault has file and line of the user's own file, once, and the worker that runs stays. Repaired, it is taken."""
    write(place, name, "good")
    place.until(lambda: invoked(place, name)["version"] == "good", "the first version")
    before, said = invoked(place, name), len(refusals(place, name))
    (place.folder / name / "app.py").write_text(lines + CODE)
    fault = refusal(place, name, said)
    assert told in fault
    assert "headrace.yaml:" in fault
    if ".py:" in told:
        assert f"{place.folder}/{name}/{told}" in fault
    assert invoked(place, name) == before
    write(place, name, "repaired")
    place.until(lambda: invoked(place, name)["version"] == "repaired", "the repaired code")
    assert len(refusals(place, name)) == said + 1


def test_workers_that_start_while_faulty_code_is_on_the_disk_run_the_old_one(place: LambdaApiPlace) -> None:
    """One for more concurrency, and one after a crash. What they load late is the old code as well, with its data files."""
    (place.folder / "orders" / "late.py").write_text("NAME = 'old'\n")
    (place.folder / "orders" / "data.json").write_text('"old"')
    code = (
        CODE
        + """
    # not reached
def read(event):
    import json, pathlib, late
    here = pathlib.Path(__file__).parent / "data.json"
    return [late.NAME, json.loads(here.read_text()), json.load(open("data.json")), read.__code__.co_filename]

plain = handler
def handler(event, context):
    if event.get("crash"):
        os._exit(3)
    return {**plain(event, context), "read": read(event)}
"""
    )
    file = place.folder / "orders" / "app.py"
    file.write_text('VERSION = "old"\n' + code)
    place.until(lambda: "read" in invoked(place, "orders"), "the old code")
    said = len(refusals(place, "orders"))
    (place.folder / "orders" / "late.py").write_text("NAME = 'new'\n")
    (place.folder / "orders" / "data.json").write_text('"new"')
    file.write_text('VERSION = "new"\nraise ValueError("not yet")\n' + code)
    assert f"{file}:2: ValueError: not yet" in refusal(place, "orders", said)
    first = invoked(place, "orders")
    invoked(place, "orders", crash=True)
    second = invoked(place, "orders")
    assert second["pid"] != first["pid"]
    assert second["version"] == "old"
    assert second["read"] == ["old", "old", "old", str(file)]
    write(place, "orders", "after")
    place.until(lambda: invoked(place, "orders")["version"] == "after", "the repaired code")


def test_code_that_becomes_faulty_while_an_invocation_runs_is_refused_at_once(place: LambdaApiPlace) -> None:
    """The invocation ends as it began, and so do those after it."""
    write(place, "orders", "busy")
    place.until(lambda: invoked(place, "orders")["version"] == "busy", "the version")
    said = len(refusals(place, "orders"))
    answers: list[dict[str, Any]] = []
    running = threading.Thread(target=lambda: answers.append(invoked(place, "orders", seconds=3)))
    running.start()
    (place.folder / "orders" / "app.py").write_text("raise KeyError(1)\n" + CODE)
    assert "app.py:1: KeyError: 1" in refusal(place, "orders", said)
    assert not answers
    running.join(60)
    assert answers[0]["version"] == invoked(place, "orders")["version"] == "busy"
    write(place, "orders", "again")
    place.until(lambda: invoked(place, "orders")["version"] == "again", "the repaired code")


def test_a_faulty_layer_is_refused_with_its_own_file(place: LambdaApiPlace) -> None:
    """And so is an environment with which the code does not load."""
    file = place.folder / "layer" / "python" / "shared.py"
    app = place.folder / "layered" / "app.py"
    good = "import shared\n" + NUMBERED.format("good") + CODE
    app.write_text(good)
    place.until(lambda: invoked(place, "layered").get("version") == "good", "the function with a layer")
    before, said = invoked(place, "layered"), len(refusals(place, "layered"))
    file.write_text("import os\nTABLE = os.environ['TABEL']\n")
    assert f"{file}:2: KeyError: 'TABEL'" in refusal(place, "layered", said)
    assert invoked(place, "layered") == before
    file.write_text("import os\nTABLE = os.environ['TABLE']\n")
    place.until(lambda: invoked(place, "layered")["pid"] != before["pid"], "the repaired layer")
    before = invoked(place, "layered")
    path = place.folder / "headrace.yaml"
    refused = len(place.logged("configuration refused, the old one runs on"))
    text = path.read_text()
    path.write_text(text.replace("TABLE: t", "TABLES: t"))
    place.until(lambda: len(place.logged("configuration refused, the old one runs on")) > refused, "the refusal")
    fault = place.logged("configuration refused, the old one runs on")[-1]["faults"][0]
    assert f"{file}:2: KeyError: 'TABLE'" in fault
    assert invoked(place, "layered") == before
    path.write_text(text)


def test_a_program_that_does_not_start_leaves_the_old_one_running(place: LambdaApiPlace) -> None:
    """A worker that the old one starts meanwhile runs the old program."""
    program = place.folder / "provided" / "bootstrap"
    place.until(lambda: invoked(place, "provided").get("version") == "1", "the program")
    before, said = invoked(place, "provided"), len(refusals(place, "provided"))
    program.write_text("#!/bin/sh\nexit 7\n")
    assert "exit status 7" in refusal(place, "provided", said)
    assert invoked(place, "provided") == before
    invoked(place, "provided", crash=True)
    again = invoked(place, "provided")
    assert again["version"] == "1"
    assert again["pid"] != before["pid"]
