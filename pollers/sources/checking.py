"""``headrace check --online``: asks AWS, by calls that change nothing, whether each mapping can do its work, and names each fix.

What is asked of a source is declared by its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError
from pollers.aws.findings import Finding, Level, fault_of
from pollers.sources.registry import kind_of

if TYPE_CHECKING:
    from config.models import Config, Mapping
    from pollers.aws.api import Aws

ANSWER_SECONDS = 20.0
AT_ONCE = 8


async def examine(config: Config, aws: Aws) -> list[Finding]:
    """Everything found, in the order of the mappings; several are looked at at a time. Never raises for what AWS answers."""
    found: dict[str, list[Finding]] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def look(mapping: Mapping) -> None:
        async with limit:
            found[mapping.name] = await _examined(mapping, config, aws)

    async with anyio.create_task_group() as group:
        for mapping in config.event_source_mappings.values():
            group.start_soon(look, mapping)
    return [finding for name in config.event_source_mappings for finding in found[name]]


async def _examined(mapping: Mapping, config: Config, aws: Aws) -> list[Finding]:
    if not mapping.enabled:
        return [Finding(mapping.name, Level.NOTE, "is disabled: not looked at")]
    found: list[Finding] = []
    timeout = config.functions[mapping.function_name].timeout
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            async for finding in kind_of(mapping).examine(mapping, timeout, aws):
                found.append(finding)  # noqa: PERF401 - what was found before an error counts
    except AwsError as error:
        found.append(fault_of(mapping.name, mapping.arn, error))
    except TimeoutError:
        fix = "check region, endpoint_url and the network"
        found.append(Finding(mapping.name, Level.FAULT, f"AWS did not answer within {ANSWER_SECONDS:g} s", fix))
    return found
