"""The HTTP server: what it answers, what it does, and which requests it refuses."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from aiohttp.test_utils import unused_port

from handlers.runtime_api.peers import is_headraces_own
from pollers.server.app import ASSETS
from pollers.server.openapi import document
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import Deleted, Depth, Invoked, Invoking, Outcome, Polled, Received, Returned
from tests.unit.server.rig import MADE, rig
from tests.whole_replies import whole

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-of-some-length"


async def test_health_is_green_with_running_mappings(tmp_path: Path) -> None:
    """Mappings that poll are live and ready."""
    async with rig(tmp_path) as at:
        for name in "ab":
            at.facts(name).emit(Polled("", 0))
        for path in ("/healthz", "/readyz"):
            reply = await at.session.get(path)
            assert (reply.status, await reply.json()) == (200, {"status": "ok", "problems": []})


async def test_readiness_waits_for_the_first_poll(tmp_path: Path) -> None:
    """Live from the start, ready when every mapping has polled; the one that has not is named."""
    async with rig(tmp_path) as at:
        at.facts("a").emit(Polled("", 0))
        assert (await at.session.get("/healthz")).status == 200
        reply = await at.session.get("/readyz")
        assert reply.status == 503
        assert (await reply.json())["problems"] == [{"mapping": "b", "reason": "has not polled yet"}]


async def test_a_dead_task_of_the_supervisor_turns_health_red(tmp_path: Path) -> None:
    """The process being up is not health."""
    async with rig(tmp_path) as at:

        async def dies() -> None:
            raise RuntimeError

        await at.monitor.watch("queue depth sampler", dies)
        reply = await at.session.get("/healthz")
        assert reply.status == 503
        assert (await reply.json())["problems"] == [{"mapping": None, "reason": "the queue depth sampler has died"}]


async def test_pause_and_resume_over_http(tmp_path: Path) -> None:
    """A paused mapping stops polling, stays green, and polls again when resumed."""
    async with rig(tmp_path) as at:
        at.facts("b").emit(Polled("", 0))
        assert (await at.session.post("/api/mappings/a/pause")).status == 200
        await at.until("a", MappingState.PAUSED)
        assert (await at.session.get("/readyz")).status == 200
        assert (await at.session.post("/api/mappings/a/resume")).status == 200
        await at.until("a", MappingState.RUNNING)
        assert len(at.bench.pollers["a"]) == 2


async def test_an_unknown_mapping_is_404_with_its_name(tmp_path: Path) -> None:
    """The answer says which name was wrong."""
    async with rig(tmp_path) as at:
        reply = await at.session.post("/api/mappings/nobody/pause")
        assert reply.status == 404
        assert "nobody" in (await reply.json())["error"]


async def test_drain_pauses_every_mapping(tmp_path: Path) -> None:
    """Nothing polls afterwards."""
    async with rig(tmp_path) as at:
        reply = await at.session.post("/api/drain")
        assert (reply.status, (await reply.json())["draining"]) == (202, ["a", "b"])
        for name in "ab":
            await at.until(name, MappingState.PAUSED)


async def test_a_faulty_file_is_refused_whole_on_reload(tmp_path: Path) -> None:
    """Every fault comes back, and the old configuration runs on."""
    path = tmp_path / "headrace.yaml"
    path.write_text("event_source_mappings: {x: {batch_sise: 3}}\nfunctoins: {}\n")
    async with rig(tmp_path, path=path) as at:
        reply = await at.session.post("/api/reload")
        told = await reply.json()
        assert reply.status == 409
        assert len(told["faults"]) >= 2
        assert all("headrace.yaml:" in fault for fault in told["faults"])
        assert set(at.runtime.mappings) == {"a", "b"}


async def test_the_snapshot_tells_each_mappings_state_and_sentence(tmp_path: Path) -> None:
    """State, sentence, ledger and latency of everything that runs."""
    async with rig(tmp_path) as at:
        facts = at.facts("a")
        facts.emit(Polled("", 2))
        facts.emit(Received("", ["1", "2"], 20))
        facts.emit(Invoking("", ["1", "2"], "r-1", 20))
        told = await (await at.session.get("/api/status")).json()
        a = told["mappings"][0]
        assert (a["name"], a["state"], a["batches_in_flight"]) == ("a", "running", 1)
        assert a["sentence"].startswith("invoking: 1 batch of 2 events, the oldest for ")
        assert (a["ledger"]["received"], a["ledger"]["in_flight"]) == (2, 2)
        facts.emit(Invoked("", ["1", "2"], "r-1", Outcome.SUCCESS, 0.25))
        facts.emit(Deleted(["1", "2"]))
        told = await (await at.session.get("/api/status", params={"series": ""})).json()
        assert told["mappings"][0]["latency_seconds"]["p50"] == 0.25
        assert told["mappings"][0]["sentence"] == "waiting for messages"
        with anyio.fail_after(60):
            while not sum(told["mappings"][0]["series"]["done"]):
                await anyio.sleep(0.1)
                told = await (await at.session.get("/api/status", params={"series": ""})).json()


@pytest.mark.parametrize("payloads", [False, True])
async def test_payloads_of_failures_are_shown_only_when_allowed(tmp_path: Path, payloads: bool) -> None:
    """``console.payloads`` is off by default."""
    async with rig(tmp_path, payloads=payloads) as at:
        at.facts("a").emit(Invoked("", ["1"], "r", Outcome.ERROR, 0.1, error="boom", first_payload=b"secret"))
        text = await (await at.session.get("/api/status")).text()
        assert ("secret" in text) is payloads
        assert "boom" in text


async def test_explain_tells_why_twice(tmp_path: Path) -> None:
    """The timeline of a message that failed, came back and was deleted, and what follows from it."""
    async with rig(tmp_path) as at:
        facts = at.facts("a")
        facts.emit(Received("", ["1", "2"], 20, [1, 1]))
        facts.emit(Invoking("", ["1", "2"], "r-1", 20))
        facts.emit(Invoked("", ["1", "2"], "r-1", Outcome.PARTIAL, 0.1, failed_ids=["2"]))
        facts.emit(Deleted(["1"]))
        facts.emit(Returned("", ["2"], None, "failed"))
        facts.emit(Received("", ["2"], 10, [2]))
        facts.emit(Invoking("", ["2"], "r-2", 10))
        facts.emit(Invoked("", ["2"], "r-2", Outcome.SUCCESS, 0.1))
        facts.emit(Deleted(["2"]))
        told = await (await at.session.get("/api/explain/2")).json()
        assert [moment["what"] for moment in told["moments"]] == [
            "received", "invoked", "failed", "returned", "found again", "invoked", "accepted", "deleted",
        ]  # fmt: skip
        assert told["conclusions"] == [
            "received 2 times; why again: failed reported in batchItemFailures after 0.100 s (request r-1)"
        ]
        assert (await (await at.session.get("/api/explain/unheard-of")).json())["moments"] == []


async def test_metrics_have_lambdas_names_and_balanced_books(tmp_path: Path) -> None:
    """Lambda's own metrics in snake case, with mapping labels."""
    async with rig(tmp_path) as at:
        facts = at.facts("a")
        facts.emit(Received("", ["1", "2"], 20))
        facts.emit(Deleted(["1"]))
        text = await (await at.session.get("/metrics")).text()
        assert 'headrace_polled_event_count_total{mapping="a"} 2.0' in text
        assert 'headrace_deleted_event_count_total{mapping="a"} 1.0' in text
        assert 'headrace_ledger_balance{mapping="b"} 1.0' in text
        assert 'headrace_ledger_balance{mapping="a"} 0.0' in text
        assert "headrace_loop_lag_seconds " in text


async def test_metrics_tell_of_functions_output(tmp_path: Path) -> None:
    """Lines that were dropped, and metrics in the embedded format."""
    async with rig(tmp_path) as at:
        (name,) = at.runtime.functions
        text = await (await at.session.get("/metrics")).text()
        assert f'headrace_log_lines_dropped_total{{function="{name}"}} 3.0' in text
        assert f'headrace_embedded_metrics_total{{function="{name}"}} 2.0' in text


async def test_a_token_is_needed_for_everything_but_probes_and_the_page(tmp_path: Path) -> None:
    """Wrong, missing and oddly formed tokens are all refused alike."""
    async with rig(tmp_path, token=TOKEN) as at:
        for path in ("/healthz", "/readyz", "/", "/assets/console.js", "/assets/console.css"):
            assert (await at.session.get(path)).status in (200, 503)
        for given in (None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \udcff"):
            headers = {"Authorization": given} if given is not None else {}
            for path in ("/metrics", "/api/status", "/api/explain/1", "/openapi.json", "/api/events"):
                reply = await at.session.get(path, headers=headers)
                assert reply.status == 401, path
        assert (await at.session.get("/api/status", headers={"Authorization": f"Bearer {TOKEN}"})).status == 200


CHANGES = ("/api/mappings/a/pause", "/api/mappings/a/resume", "/api/drain", "/api/reload")


async def test_changes_need_the_made_token_where_none_is_configured(tmp_path: Path) -> None:
    """On loopback anybody may look; nothing is changed without it, nor with a wrong one."""
    async with rig(tmp_path) as at, aiohttp.ClientSession(at.url, raise_for_status=whole) as stranger:
        for path in ("/metrics", "/api/status", "/openapi.json", "/", "/healthz"):
            assert (await stranger.get(path)).status in (200, 503)
        for given in (None, "Bearer", "Bearer wrong", f"Basic {MADE}", f"Bearer {MADE}x", "Bearer \udcff"):
            headers = {"Authorization": given} if given is not None else {}
            for path in CHANGES:
                reply = await stranger.post(path, headers=headers)
                assert reply.status == 401, path
                assert "a token is needed" in (await reply.json())["error"]
            assert (await stranger.put("/", headers=headers)).status == 401
        assert not any(runner.paused for runner in at.runtime.mappings.values())
        reply = await stranger.post("/api/mappings/a/pause", headers={"Authorization": f"Bearer {MADE}"})
        assert reply.status == 200


async def test_the_code_of_a_function_changes_nothing_even_with_the_token(tmp_path: Path) -> None:
    """Here the test's own process, which runs the server, is that code; a connection that is gone counts as its too."""
    async with rig(tmp_path, is_own_code=is_headraces_own) as at:
        for path in CHANGES:
            reply = await at.session.post(path)
            assert reply.status == 403
            assert (await reply.json())["error"] == "a function may not control the Headrace that runs it"
        for _ in range(20):
            with socket.create_connection(at.address) as client:
                head = f"POST /api/drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {MADE}\r\n"
                client.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
        assert (await at.session.get("/api/status")).status == 200
        assert not any(runner.paused for runner in at.runtime.mappings.values())


async def test_other_origins_cannot_change_anything(tmp_path: Path) -> None:
    """A page in the operator's browser cannot pause a mapping."""
    async with rig(tmp_path) as at:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            assert (await at.session.post("/api/mappings/a/pause", headers=headers)).status == 403
        own = {"Origin": at.url, "Sec-Fetch-Site": "same-origin"}
        assert (await at.session.post("/api/mappings/a/pause", headers=own)).status == 200


async def test_other_origins_cannot_read_or_follow_anything(tmp_path: Path) -> None:
    """Nor can they use up the event stream's readers; following a link into the console is a person's own doing."""
    async with rig(tmp_path) as at:
        for site in ("cross-site", "same-site"):
            for path in ("/api/status", "/api/events", "/metrics"):
                reply = await at.session.get(path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
                assert reply.status == 403, path
        for path in ("/", "/api/status"):
            followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
            assert (await at.session.get(path, headers=followed)).status == 200
        assert (await at.session.post("/api/drain", headers=followed)).status == 403
        assert "Access-Control-Allow-Origin" not in (await at.session.get("/api/status")).headers


async def test_a_foreign_host_name_is_not_served_without_a_token(tmp_path: Path) -> None:
    """A page cannot reach the server through a name that it made resolve to 127.0.0.1."""
    async with rig(tmp_path) as at:
        for path in ("/api/status", "/healthz", "/readyz", "/", "/assets/console.js", "/metrics"):
            assert (await at.session.get(path, headers={"Host": "rebound.example:8787"})).status == 421, path
        assert (await at.session.get("/healthz", headers={"Host": "127.0.0.1"})).status == 200
        assert (await at.session.get("/api/status", headers={"Host": f"localhost:{unused_port()}"})).status == 200


async def test_with_a_token_a_probe_may_use_any_name(tmp_path: Path) -> None:
    """An orchestrator asks by the address of the pod, a proxy by the name of the service."""
    async with rig(tmp_path, token=TOKEN) as at:
        for name in ("10.1.2.3:8787", "[fd00::1]:8787", "headrace:8787"):
            assert (await at.session.get("/healthz", headers={"Host": name})).status == 200


async def test_a_client_that_names_no_host_is_no_browser(tmp_path: Path) -> None:
    """HTTP/1.0, which some health checks still speak."""
    async with rig(tmp_path) as at:
        reader, writer = await asyncio.open_connection(*at.address)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in await reader.readline()
        writer.close()


async def test_the_console_has_no_outside_assets(tmp_path: Path) -> None:
    """The page loads its own style and script under a policy that allows nothing else."""
    async with rig(tmp_path) as at:
        reply = await at.session.get("/")
        page = await reply.text()
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "").replace("xmlns='http:", "")
        assert "https://" not in page
        assert (await at.session.get("/assets/console.html")).status == 404
        for name in ASSETS:
            reply = await at.session.get(f"/assets/{name}")
            assert reply.status == 200
            assert "://" not in (await reply.text()).replace("http://www.w3.org/2000/svg", "")


async def test_the_event_stream_brings_the_newest_snapshot(tmp_path: Path) -> None:
    """Server-sent events: the past of each mapping, then whole snapshots."""
    async with rig(tmp_path) as at, at.session.get("/api/events") as reply:
        assert reply.content_type == "text/event-stream"
        events = [(await reply.content.readuntil(b"\n\n")).split(b"\n") for _ in range(4)]
        told = [(event.decode(), json.loads(data.removeprefix(b"data: "))) for event, data, *_ in events]
        assert [event for event, _ in told] == ["event: series"] * 2 + ["event: snapshot"] * 2
        assert [data["name"] for _, data in told[:2]] == ["a", "b"]
        assert [mapping["name"] for mapping in told[3][1]["mappings"]] == ["a", "b"]


async def test_the_openapi_document_describes_every_route(tmp_path: Path) -> None:
    """Each route is in the document and the other way round."""
    async with rig(tmp_path) as at:
        told = await (await at.session.get("/openapi.json")).json()
        assert told == document()
        for path, methods in told["paths"].items():
            for method in methods:
                reply = await at.session.request(
                    method,
                    path.replace("assets/{name}", "assets/console.js")
                    .replace("{name}", "a")
                    .replace("{identifier}", "1"),
                )
                assert reply.status != 404, path
                reply.close()


async def test_unknown_paths_and_methods_are_json_errors(tmp_path: Path) -> None:
    """Whatever is asked, the answer can be read by a program."""
    async with rig(tmp_path) as at:
        reply = await at.session.get("/nowhere")
        assert (reply.status, list(await reply.json())) == (404, ["error"])
        reply = await at.session.get("/api/drain")
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")


async def test_scaling_answers_with_numbers_only(tmp_path: Path) -> None:
    """Of each mapping by its name, and of all: an autoscaler reads them at a path; a mapping that does not run counts as 0."""
    async with rig(tmp_path) as at:
        at.facts("a").emit(Invoking("", ["1"], "r", 1))
        at.board.of("a").depth = Depth(8, 1, 0)
        at.board.of("a").ready_since = anyio.current_time() - 60
        reply = await (await at.session.get("/api/scaling")).json()
        assert reply.keys() == {"backlog_seconds", "utilisation", "open_shards", "owned_shards", "mappings"}
        assert reply["mappings"].keys() == {"a", "b"}
        assert 60 <= reply["mappings"]["a"]["backlog_seconds"] == reply["backlog_seconds"] < 120
        assert reply["mappings"]["b"] == {"backlog_seconds": 0, "utilisation": 0, "open_shards": 0, "owned_shards": 0}
        assert 0 < reply["mappings"]["a"]["utilisation"] <= reply["utilisation"] <= 1
        text = await (await at.session.get("/metrics")).text()
        assert 'headrace_mapping_owned_shards{mapping="a"} 0.0' in text
        assert f"headrace_utilisation {reply['utilisation']}" in text
        at.runtime.mappings["a"].pause()
        await at.until("a", MappingState.PAUSED)
        reply = await (await at.session.get("/api/scaling")).json()
        assert reply["mappings"]["a"] == reply["mappings"]["b"]
