"""Pause, resume, drain, reload and explain, on a real process with real workers, by command, by signal and by token."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import Workplace, ended, terminate, until, until_true
from tests.e2e.operator import Operator
from tests.e2e.queues import queue
from tests.e2e.streams import READING, stream

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

SLOW = """
    def handler(event, context):
        note(began=[record["body"] for record in event["Records"]], request=context.aws_request_id)
        time.sleep(0.4)
        for record in event["Records"]:
            note(id=record["body"], request=context.aws_request_id, mode=os.environ.get("MODE", ""))
"""


@pytest.fixture
def workplace(tmp_path: Path, ministack: Emulator) -> Workplace:
    return Workplace(tmp_path, ministack)


@pytest.fixture
def operator() -> Operator:
    return Operator()


async def test_a_pause_under_load_hands_everything_back_and_a_resume_goes_on(
    workplace: Workplace, operator: Operator
) -> None:
    """Paused: what ran is done, the rest is visible in the queue, nothing is in flight. Resumed: every message once."""
    async with queue(workplace.emulator, visibility=120) as source:
        bodies = [f"m{n}" for n in range(120)]
        await source.send(bodies)
        workplace.function(SLOW)
        workplace.configure(
            {"q": {"event_source_arn": source.arn, "batch_size": 5}},
            function={"concurrency": 3},
            runtime={"http": operator.http},
        )
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 15, running=process)
            told = await operator.run("pause", "q")
            assert (told.code, told.out) == (0, "q: paused\n")
            paused = (await operator.until(lambda mappings: mappings["q"]["state"] == "paused"))["q"]
            assert paused["sentence"] == "paused; resume to poll again"
            assert (paused["ledger"]["in_flight"], paused["ledger"]["balanced"]) == (0, True)
            done = len(workplace.count())
            assert done < len(bodies)

            async def handed_back() -> bool:
                return await source.counts() == (len(bodies) - done, 0)

            await until_true(handed_back, within=100, what="everything back in the queue")
            assert (await operator.run("status")).code == 0
            assert (await operator.run("resume", "q")).code == 0
            await until(lambda: set(workplace.count()) == set(bodies), running=process)
            await until_true(source.empty, what="an empty queue")
            assert all(count == 1 for count in workplace.count().values())


async def test_a_drain_waits_until_nothing_is_held(workplace: Workplace, operator: Operator) -> None:
    """The command returns when no mapping holds anything; the process stays up."""
    async with queue(workplace.emulator, visibility=120) as source:
        await source.send([f"m{n}" for n in range(60)])
        workplace.function(SLOW)
        workplace.configure({"q": {"event_source_arn": source.arn, "batch_size": 5}}, runtime={"http": operator.http})
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 5, running=process)
            told = await operator.run("drain")
            assert (told.code, told.out) == (0, "drained: no mapping polls, nothing is held\n")
            mappings = await operator.status()
            assert {m["state"] for m in mappings.values()} == {"paused"}
            assert (await source.counts())[1] == 0
            assert process.poll() is None
            terminate(process)
            assert await ended(process) == 0


async def test_a_reload_touches_only_what_changed_and_finishes_what_is_in_flight(
    workplace: Workplace, operator: Operator
) -> None:
    """Added, removed and changed mappings start and stop; an untouched one keeps its poller and its running batch."""
    async with (
        queue(workplace.emulator) as kept,
        queue(workplace.emulator) as changed,
        queue(workplace.emulator) as removed,
        queue(workplace.emulator) as added,
    ):
        workplace.function("""
            def handler(event, context):
                bodies = [record["body"] for record in event["Records"]]
                note(began=bodies)
                time.sleep(3 if bodies[0].startswith("long") else 0)
                for body in bodies:
                    note(id=body, mode=os.environ.get("MODE", ""))
        """)
        mappings: dict[str, Any] = {
            "kept": {"event_source_arn": kept.arn, "function_name": "one"},
            "changed": {"event_source_arn": changed.arn, "function_name": "two", "batch_size": 1},
            "removed": {"event_source_arn": removed.arn, "function_name": "three"},
        }
        # A permit each: while its batch runs, a mapping has no receive that a reload would wait for.
        apart = {"runtime": {"http": operator.http}, "functions": one_permit_each(workplace, "one", "two", "three")}
        workplace.configure(mappings, **apart)
        with workplace.headrace() as process:
            await operator.up()
            for source, body in ((kept, "long-kept"), (changed, "long-changed"), (removed, "long-removed")):
                await source.send([body])
            await until(lambda: len(workplace.notes()) == 3, running=process)
            before = await operator.status()
            del mappings["removed"]
            mappings["changed"]["batch_size"] = 2
            mappings["added"] = {"event_source_arn": added.arn, "function_name": "one"}
            workplace.configure(mappings, **apart)
            told = await operator.run("reload")
            assert (told.code, told.out) == (0, "added: added\nremoved: removed\nchanged: changed\n")
            assert {"long-changed", "long-removed"} <= set(workplace.count())
            after = await operator.status()
            assert set(after) == {"kept", "changed", "added"}
            assert after["kept"]["ledger"]["received"] >= before["kept"]["ledger"]["received"]
            await until(lambda: workplace.count()["long-kept"] == 1, running=process)
            assert sum("began" in note for note in workplace.notes()) == 3
            await added.send(["m-added"])
            await changed.send(["m-changed"])
            await until(lambda: {"m-added", "m-changed"} <= set(workplace.count()), running=process)
            await refused_whole(mappings, apart, operator, process, workplace)
            await kept.send(["m-kept"])
            await until(lambda: workplace.count()["m-kept"] == 1, running=process)
            for source in (kept, changed, removed, added):
                await until_true(source.empty, what="an empty queue")


def one_permit_each(workplace: Workplace, *names: str) -> dict[str, Any]:
    """Functions of the same code, each for one invocation at a time."""
    settings = {"code": "./functions", "handler": "app.handler", "timeout": 10, "concurrency": 1}
    return {name: {**settings, "environment": {"JOURNAL": str(workplace.journal)}} for name in names}


async def refused_whole(
    mappings: dict[str, Any],
    apart: dict[str, Any],
    operator: Operator,
    process: subprocess.Popen[bytes],
    workplace: Workplace,
) -> None:
    """A faulty file, by command and by SIGHUP: every fault is told, and the old configuration runs on."""
    faulty = {**mappings, "kept": {**mappings["kept"], "batch_sise": 3}, "added": {"function_name": "nobody"}}
    workplace.configure(faulty, **apart)
    told = await operator.run("reload")
    assert told.code == 2
    faults = told.err.splitlines()
    assert len(faults) >= 3
    assert all("headrace.yaml:" in line for line in faults)
    refusals = len(workplace.logged("configuration refused, the old one runs on"))
    process.send_signal(signal.SIGHUP)
    await until(lambda: len(workplace.logged("configuration refused, the old one runs on")) > refusals)
    workplace.configure(mappings, **apart)
    assert (await operator.run("reload")).out == "nothing changed\n"


async def test_a_changed_function_replaces_its_workers_after_their_batches(
    workplace: Workplace, operator: Operator
) -> None:
    """SIGHUP: code of the old settings finishes what it has, the new ones take the rest, every message once."""
    async with queue(workplace.emulator, visibility=60) as source:
        bodies = [f"m{n}" for n in range(80)]
        await source.send(bodies)
        workplace.function(SLOW)
        mappings = {"q": {"event_source_arn": source.arn, "batch_size": 5}}
        journal = {"JOURNAL": str(workplace.journal)}
        workplace.configure(mappings, function={"concurrency": 2}, runtime={"http": operator.http})
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 10, running=process)
            workplace.configure(
                mappings,
                function={"concurrency": 2, "timeout": 9, "environment": {**journal, "MODE": "new"}},
                runtime={"http": operator.http},
            )
            process.send_signal(signal.SIGHUP)
            await until(lambda: workplace.logged("configuration reloaded"), running=process)
            await until(lambda: set(workplace.count()) == set(bodies), running=process)
            assert all(count == 1 for count in workplace.count().values())
            modes = [note["mode"] for note in workplace.notes() if "id" in note]
            assert modes == sorted(modes)
            assert set(modes) == {"", "new"}
            await until_true(source.empty, what="an empty queue")


async def test_a_stop_during_a_reload_is_not_held_up_by_it(workplace: Workplace, operator: Operator) -> None:
    """SIGTERM while a reload waits for a long batch: the shutdown begins, the batch is finished within the grace period."""
    async with queue(workplace.emulator, visibility=600) as source:
        await source.send(["long"])
        go = workplace.folder / "go"
        workplace.function(f"""
            def handler(event, context):
                note(began=1)
                while not os.path.exists({str(go)!r}):
                    time.sleep(0.02)
                note(id=event["Records"][0]["body"])
        """)
        mapping = {"q": {"event_source_arn": source.arn}}
        function = {"concurrency": 1, "timeout": 300}
        workplace.configure(mapping, function=function, runtime={"http": operator.http, "shutdown_grace": 300})
        with workplace.headrace() as process:
            await until(lambda: workplace.notes(), running=process)
            workplace.configure({}, runtime={"http": operator.http})
            process.send_signal(signal.SIGHUP)
            await until(lambda: workplace.logged("signal"), running=process)
            terminate(process)
            await until(lambda: workplace.logged("shutdown 1: no new receive or read"), running=process)
            go.touch()
            assert await ended(process) == 0
        assert workplace.count()["long"] == 1
        assert await source.empty()


async def test_a_changed_stream_mapping_goes_on_from_its_checkpoint(workplace: Workplace, operator: Operator) -> None:
    """Nothing is read again and nothing is left out."""
    async with stream(workplace.emulator) as source:
        workplace.function(
            READING
            + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
        """
        )
        mapping = {"event_source_arn": source.arn, "starting_position": "TRIM_HORIZON", "batch_size": 10}
        workplace.configure({"s": mapping}, runtime={"http": operator.http})
        with workplace.headrace():
            await source.put([f"r{n}" for n in range(40)])
            await operator.until(lambda mappings: mappings["s"]["ledger"]["checkpointed"] == 40)
            workplace.configure({"s": {**mapping, "batch_size": 20}}, runtime={"http": operator.http})
            assert (await operator.run("reload")).out == "changed: s\n"
            await source.put([f"r{n}" for n in range(40, 80)])
            await operator.until(lambda mappings: mappings["s"]["ledger"]["checkpointed"] == 80)
        assert workplace.count() == {f"r{n}": 1 for n in range(80)}


async def test_an_open_address_without_a_token_does_not_start(workplace: Workplace) -> None:
    """Exit 2, with the fault on its line."""
    workplace.function(SLOW)
    workplace.configure({}, runtime={"http": {"host": "0.0.0.0", "port": 0}})
    with workplace.headrace() as process:
        assert await ended(process) == 2
    assert "runtime.http: found host 0.0.0.0 without a token, expected a token" in workplace.log.read_text()


async def test_a_token_is_needed_by_every_command(workplace: Workplace) -> None:
    """Without it, and with a wrong one, nothing is told and nothing is changed."""
    operator = Operator(token="the-token-of-this-test")
    stranger, guesser = Operator(), Operator(token="a-token-that-is-wrong")
    stranger.url = guesser.url = operator.url
    async with queue(workplace.emulator) as source:
        workplace.function(SLOW)
        workplace.configure({"q": {"event_source_arn": source.arn}}, runtime={"http": operator.http})
        with workplace.headrace():
            await operator.up()
            for who in (stranger, guesser):
                for command in (("status",), ("pause", "q"), ("drain",), ("reload",), ("explain", "1")):
                    told = await who.run(*command)
                    assert (told.code, told.out) == (1, "")
                    assert told.err == "refused: a bearer token is needed (runtime.http.token)\n"
            assert (await operator.status())["q"]["state"] == "running"
            assert "the-token-of-this-test" not in workplace.log.read_text()
            told = await operator.run("pause", "nobody")
            assert (told.code, told.err) == (1, "refused: there is no mapping named 'nobody'\n")


async def test_a_function_cannot_control_the_headrace_that_runs_it(workplace: Workplace, operator: Operator) -> None:
    """It has no token in its environment, and with the one that it finds in the file it is refused; the operator is not.

    Nor does it see Headrace's environment and memory.
    """
    async with queue(workplace.emulator) as source:
        workplace.function("""
            import ctypes, glob, subprocess, sys

            ASK = '''if True:
                import http.client, sys
                connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
                connection.request("POST", "/api/mappings/q/pause", headers={"Authorization": "Bearer " + sys.argv[2]})
                print(connection.getresponse().status)
            '''

            def ask(token, **options):
                command = [sys.executable, "-c", ASK, os.environ["PORT"], token]
                note(status=subprocess.check_output(command, text=True, **options).strip())

            LOOK = '''if True:
                import os, sys
                for name in ("environ", "mem"):
                    try:
                        open(f"/proc/{sys.argv[1]}/{name}", "rb").read(1)
                        print(name)
                    except PermissionError:
                        pass
            '''

            def without_capabilities():  # where the tests run as root, who may read everything by some of them
                for capability in range(64):
                    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)

            def look():
                headrace = open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[1]
                command = [sys.executable, "-c", LOOK, headrace]
                note(seen=subprocess.check_output(command, text=True, preexec_fn=without_capabilities))

            def handler(event, context):
                (path,) = glob.glob(f"{os.environ['FOLDER']}/headrace-*/127.0.0.1-{os.environ['PORT']}.token")
                token = open(path).read().strip()
                ask("none")
                ask(token)
                ask(token, start_new_session=True)
                look()
                mine = {name: value for name, value in os.environ.items() if token in value or "HEADRACE" in name}
                note(id=event["Records"][0]["body"], mine=mine)
        """)
        environment = {
            "JOURNAL": str(workplace.journal),
            "PORT": str(operator.http["port"]),
            "FOLDER": str(workplace.folder),
        }
        workplace.configure(
            {"q": {"event_source_arn": source.arn}},
            function={"environment": environment, "inherit_environment": ["HEADRACE_TOKEN"]},
            runtime={"http": operator.http},
        )
        started = {"TMPDIR": str(workplace.folder), "HEADRACE_TOKEN": "of-another-headrace"}
        with workplace.headrace(environment=started) as process:
            await operator.up()
            await source.send(["m"])
            await until(lambda: workplace.count()["m"] == 1, running=process)
            assert [note["status"] for note in workplace.notes() if "status" in note] == ["401", "403", "403"]
            assert workplace.notes()[-1]["mine"] == {}
            assert [note["seen"] for note in workplace.notes() if "seen" in note] == [""]
            assert (await operator.status())["q"]["state"] == "running"
            (told,) = workplace.logged("the console, with the token that changes need")
            file = workplace.folder / f"headrace-{os.geteuid()}" / f"127.0.0.1-{environment['PORT']}.token"
            assert told["token_file"] == str(file)
            assert file.read_text().strip() not in workplace.log.read_text()
            assert (await operator.run("pause", "q", token=file.read_text().strip())).out == "q: paused\n"
            terminate(process)
            assert await ended(process) == 0
            assert not file.exists()


async def test_a_poison_message_is_explained_to_its_end(workplace: Workplace, operator: Operator) -> None:
    """Received, invoked, failed, returned, found again, and moved to the dead-letter queue unseen."""
    async with queue(workplace.emulator, visibility=30, maximum_receives=2) as source:
        workplace.function("""
            def handler(event, context):
                record = event["Records"][0]
                note(id=record["body"], message=record["messageId"])
                raise ValueError("cannot be done")
        """)
        workplace.configure(
            {"q": {"event_source_arn": source.arn, "visibility": {"retry_delay": 1}}}, runtime={"http": operator.http}
        )
        with workplace.headrace() as process:
            await source.send(["poison"])
            await until(lambda: workplace.count()["poison"] == 2, running=process)
            identifier = workplace.notes()[0]["message"]
            await operator.until(lambda mappings: mappings["q"]["ledger"]["returned"] == 2)
            told = await operator.run("explain", identifier)
            assert told.code == 0
            moments = [line.split("  q  ")[1].split(":")[0] for line in told.out.splitlines() if "  q  " in line]
            once = ["invoked", "failed", "returned"]
            assert moments == ["received", *once, "found again", *once]
            assert "ValueError: cannot be done" in told.out
            assert "=> received 2 times; why again: failed with error: ValueError: cannot be done" in told.out
            assert "after 2 receives here, and not seen since" in told.out
            assert (await operator.run("explain", "unheard-of")).code == 1


async def test_top_draws_until_interrupted(workplace: Workplace, operator: Operator) -> None:
    """In a pipe as well as on a terminal; an interrupt is its normal end."""
    async with queue(workplace.emulator) as source:
        workplace.function(SLOW)
        workplace.configure({"q": {"event_source_arn": source.arn}}, runtime={"http": operator.http})
        with workplace.headrace():
            await operator.up()
            with operator.top(workplace.folder / "top") as (top, output):
                await until(lambda: "running" in output.read_text(), running=top)
                top.send_signal(signal.SIGINT)
                assert await ended(top) == 0
