"""The part of ``headrace check`` that asks AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import click

from pollers.aws.clients import AwsClients
from pollers.clock_skew import DOUBTFUL_SECONDS, REFUSED_SECONDS, clock_skews
from pollers.doctor import Finding, Level, examine

if TYPE_CHECKING:
    from config.models import Config

SERVICES = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "streams.dynamodb"}


def check_online(config: Config) -> int:
    """Print every finding; 1 if there is a fault among them."""
    return anyio.run(_check, config)


async def _check(config: Config) -> int:
    faults = 0
    async with AwsClients(config.aws) as aws:
        async for finding in examine(config, aws):
            faults += finding.level is Level.FAULT
            _print(finding)
        for finding in skew_findings(await clock_skews(_endpoints(config, aws))):
            faults += finding.level is Level.FAULT
            _print(finding)
    click.echo(f"{faults} fault{'' if faults == 1 else 's'} found online")
    return 1 if faults else 0


def _endpoints(config: Config, aws: AwsClients) -> list[str]:
    urls = set()
    for mapping in config.event_source_mappings.values():
        service = mapping.arn.service
        known = aws.endpoint_url("dynamodbstreams" if service == "dynamodb" else service)
        urls.add(known or f"https://{SERVICES[service]}.{mapping.arn.region}.amazonaws.com/")
    return sorted(urls)


def skew_findings(skews: dict[str, float]) -> list[Finding]:
    """What the endpoints' clocks say of ours (decider)."""
    found = []
    for url, skew in skews.items():
        what = f"this machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} that of {url}"
        if abs(skew) > REFUSED_SECONDS:
            found.append(
                Finding("clock", Level.FAULT, what, "set the clock: AWS refuses requests more than five minutes off")
            )
        elif abs(skew) > DOUBTFUL_SECONDS:
            found.append(
                Finding("clock", Level.NOTE, what, "set the clock: record ages and timestamps are off by as much")
            )
        else:
            found.append(Finding("clock", Level.OK, f"the clock agrees with that of {url}"))
    return found


def _print(finding: Finding) -> None:
    mark = {Level.OK: "ok   ", Level.NOTE: "note ", Level.FAULT: "FAULT"}[finding.level]
    click.echo(f"{mark} {finding.mapping}: {finding.what}" + (f"; {finding.fix}" if finding.fix else ""))
