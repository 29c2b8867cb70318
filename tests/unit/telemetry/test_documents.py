"""The documents of operation say what the code does: metrics, dashboard, alerts, bounds, routes."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pollers.lambda_api import bodies, incoming
from pollers.lambda_api import server as api
from pollers.listening import connections as bounds
from pollers.server import guard, serve, stream
from pollers.server.openapi import document
from pollers.status import health
from pollers.status.async_gauges import ASYNCHRONOUS
from pollers.status.gauges import READ
from pollers.telemetry.families import COUNTED, PREFIX, Family

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[3] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "summary": ("_sum", "_count"),
}
EVERY = (*COUNTED, *READ, *ASYNCHRONOUS)
OUTSIDE = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
"""prometheus-client's own."""
ADDED_BY_PROMETHEUS = {"job", "instance", "le"}


@cache
def exposed() -> dict[str, Family]:
    """Every name that a scrape has."""
    return {PREFIX + f.name + suffix: f for f in EVERY for suffix in SUFFIXES[f.kind]}


def expressions() -> Iterator[str]:
    """Every query of the dashboard, and every alert."""
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]
    for rule in alerts():
        yield rule["expr"]


def alerts() -> list[dict[str, Any]]:
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", OPERATIONS, re.DOTALL) if "alert:" in block)
    rules: list[dict[str, Any]] = yaml.safe_load(block)["groups"][0]["rules"]
    return rules


def test_the_table_of_metrics_is_the_codes() -> None:
    """Every metric, its kind, labels and meaning, and no other."""
    table = OPERATIONS.split("<!-- metrics:begin -->")[1].split("<!-- metrics:end -->")[0]
    rows = [line for line in table.strip().splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{PREFIX}{f.name}{'_total' if f.kind == 'counter' else ''}` | {f.kind} | {', '.join(f.labels)} | {f.meaning} |"
        for f in EVERY
    ]


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_dashboard_and_alerts_ask_for_what_there_is(expression: str) -> None:
    """Each metric that they name exists, with the labels that they use."""
    names = set(re.findall(r"\b(?:headrace|process)_\w+", expression))
    assert names
    assert names - OUTSIDE <= exposed().keys()
    labels = {label for name in names - OUTSIDE for label in exposed()[name].labels}
    used = set(re.findall(r"(\w+)=~?\"", expression))
    for listed in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
        used |= {label.strip() for label in listed.split(",")}
    assert used <= labels | ADDED_BY_PROMETHEUS


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Ids are unique, panels lie on the grid without overlapping, each asks the chosen data source."""
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert all(0 <= x < 24 for x, _ in cells)
        taken |= cells
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


def test_the_dashboard_leaves_no_metric_out() -> None:
    """But for those that only alerts and people ask for."""
    asked = {name for expression in expressions() for name in re.findall(r"\bheadrace_\w+", expression)}
    families = {exposed()[name].name for name in asked}
    missing = {family.name for family in EVERY} - families
    assert missing == {"polls", "mapping_info"}


def test_the_bounds_of_health_and_of_the_server_are_the_codes() -> None:
    """A number that is changed in the code is changed in the document."""
    for words in (
        f"| a poll of a queue or a shard has not come back | {health.POLL_BOUND_SECONDS:.0f} s",
        f"| a stream's shards have not been listed | {health.LISTING_BOUND_SECONDS:.0f} s",
        f"| a batch is with the function | twice the function's timeout and {health.INVOCATION_SLACK_SECONDS:.0f} s",
        f"| a back-off should have ended | {health.POLL_BOUND_SECONDS:.0f} s",
        f"| a poller has neither polled nor said what it does | {health.SILENCE_BOUND_SECONDS:.0f} s",
        f"the file was removed or is locked) | {health.WRITE_BOUND_SECONDS:.0f} s",
        f"| a mapping is starting | {health.STARTING_BOUND_SECONDS:.0f} s",
        f"bound of a batch, and {health.STOPPING_SLACK_SECONDS:.0f} s",
        f"{serve.CONNECTIONS_AT_MOST} connections",
        f"{guard.REQUESTS_AT_ONCE} requests at a time",
        f"{stream.READERS_AT_MOST} readers",
        f"bodies of {guard.BODY_LIMIT_BYTES // 1024} KiB",
        f"{bounds.ARRIVAL_SECONDS:.0f} s for a head to arrive, {bounds.SENDING_SECONDS:.0f} s for an answer to be read",
        f"within {stream.SLOW_SECONDS:.0f} s is let go",
        f"{api.CONNECTIONS_AT_MOST} connections, or a quarter of the file descriptors",
        f"{api.REQUESTS_AT_ONCE} requests at a time, {bodies.HELD_LIMIT_BYTES >> 20} MiB of bodies",
        f"{bodies.ARRIVING_LIMIT_BYTES >> 20} MiB of them",
        f"Heads of {api.HEADS_LIMIT_BYTES >> 10} KiB, {bounds.ARRIVAL_SECONDS:.0f} s for a head",
        f"{incoming.BODY_SECONDS:.0f} s for a body to arrive",
        f"{incoming.READING_SECONDS:.0f} s and then {incoming.SLOWEST_BYTES_A_SECOND // 1000} KB a second",
        f"Idle connections are kept for {api.KEEPALIVE_SECONDS:.0f} s",
    ):
        assert words in OPERATIONS.replace("\n", " "), words


def test_every_route_is_in_the_document() -> None:
    """By its path."""
    for path in document()["paths"]:
        shown = path.replace("{name}", "NAME").replace("{identifier}", "ID").replace("/assets/NAME", "/assets/...")
        assert f" {shown}`" in OPERATIONS, path


def test_the_picture_is_there_and_small() -> None:
    """It is in the README."""
    assert 20_000 < (DOCS / "console.png").stat().st_size < 300_000
