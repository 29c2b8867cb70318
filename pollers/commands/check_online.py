"""The part of ``headrace check`` that asks AWS."""

from __future__ import annotations

import os
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import anyio
import click
from anyio import to_thread

from config import domain_of
from handlers.environment import arn_in, read_profile
from pollers.aws.findings import Finding, Level
from pollers.aws.services.clients import AwsClients
from pollers.clocks.skew import DOUBTFUL_SECONDS, REFUSED_SECONDS, clock_skews
from pollers.commands.lease_tables import examine_tables
from pollers.commands.remote import on_terminal
from pollers.commands.unshared import surroundings, unshared
from pollers.destinations.checking import examine_targets
from pollers.sources.checking import examine
from pollers.sources.registry import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config import Loaded
    from config.models import Config, Mapping
    from pollers.aws.api import AwsService

MARKS = {Level.OK: "ok   ", Level.NOTE: "note ", Level.FAULT: "FAULT"}
STYLES = {Level.OK: ("✓", "green"), Level.NOTE: ("•", "yellow"), Level.FAULT: ("✗", "bold red")}


def check_online(loaded: Loaded) -> int:
    """Print every finding; 1 if there is a fault among them."""
    found = anyio.run(findings, loaded.config)
    alone = unshared(loaded, surroundings(os.environ))
    if alone is not None:
        found.append(alone)
    if on_terminal():
        _draw(found)
    else:
        for finding in found:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(f"{MARKS[finding.level]} {finding.mapping}: {finding.what}{fix}")
    faults = sum(finding.level is Level.FAULT for finding in found)
    click.echo(f"{faults} fault{'' if faults == 1 else 's'} found online")
    return 1 if faults else 0


async def findings(config: Config) -> list[Finding]:
    """What AWS says about every mapping, and what its clocks say about this machine's."""
    async with AwsClients(config.aws) as aws:
        profile = await to_thread.run_sync(read_profile)
        found = await examine(config, aws)
        if config.runtime.sqlite_path is None:
            found += await examine_tables(config, aws)
        found += await examine_targets(config, aws, partial(arn_in, config, profile=profile))
        enabled = [mapping for mapping in config.event_source_mappings.values() if mapping.enabled]
        urls = sorted({_endpoint(service, one, aws) for one in enabled for service in kind_of(one).services(one)})
        return [*found, *skew_findings(await clock_skews(urls))]


def _endpoint(service: AwsService[Any], mapping: Mapping, aws: AwsClients) -> str:
    region = mapping.arn.region
    return aws.endpoint_url(service) or f"https://{service.host}.{region}.{domain_of(region)}/"


def skew_findings(skews: dict[str, float]) -> list[Finding]:
    """Findings about this machine's clock, from its difference to each endpoint's (decider)."""
    return [_skew(url, skew) for url, skew in skews.items()]


def _skew(url: str, skew: float) -> Finding:
    what = f"this machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} that of {url}"
    if abs(skew) > REFUSED_SECONDS:
        return Finding("clock", Level.FAULT, what, "set the clock: AWS refuses requests more than five minutes off")
    if abs(skew) > DOUBTFUL_SECONDS:
        return Finding("clock", Level.NOTE, what, "set the clock: record ages and timestamps are off by as much")
    return Finding("clock", Level.OK, f"the clock agrees with that of {url}")


def _draw(found: Sequence[Finding]) -> None:
    """Print findings for people: by mapping, each fix below what it repairs."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    for mapping, group in groupby(found, key=lambda finding: finding.mapping):
        console.print(Text(mapping, style="bold"))
        for finding in group:
            mark, style = STYLES[finding.level]
            told = Text(f"{mark} ", style=style).append(finding.what, style="" if finding.level is Level.OK else style)
            console.print(Padding(told, (0, 0, 0, 2)))
            if finding.fix:
                console.print(Padding(Text(f"→ {finding.fix}", style="dim"), (0, 0, 0, 4)))
