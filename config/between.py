"""Rules between sections: what one section says of another.

They are asked about what could be read, also of faulty sections, so that all faults are told at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from config.faults import Finding
from config.functions.asynchronous import tells_itself
from config.lease_tables import SCHEME, mapping_problems, schedules_problems
from config.models import API_REGION
from config.options.outcome import Reading
from config.settings import LambdaApi
from config.sources.registry import source_of
from config.text.arns import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from config.models import Config
    from config.sources.kind import EventSource

    Rule: TypeAlias = "Callable[[Given], Iterator[Finding]]"


@dataclass(frozen=True, slots=True)
class Given:
    """What could be read of a whole configuration.

    ``single`` are the sections that may be given once and are, ``functions`` and ``mappings`` what could be read of each; a mapping
    whose source is not known is not among them.
    """

    single: Mapping[str, Reading]
    functions: Mapping[str, Reading]
    mappings: Mapping[str, tuple[EventSource, Reading]]
    has_schedules: bool


def findings(given: Given) -> Iterator[Finding]:
    """What is wrong between sections; paths are from the root."""
    for rule in _RULES:
        yield from rule(given)


def remarks(config: Config) -> Iterator[Finding]:
    """What the reader should know of a configuration without faults; paths are from the root."""
    for mapping in config.event_source_mappings.values():
        limit = source_of(mapping.event_source_arn).kind.longest_timeout_seconds
        timeout = config.functions[mapping.function_name].timeout
        if limit is not None and timeout > limit:
            message = (
                f"Lambda allows {limit} s to a function of a mapping such as {mapping.name}, and Headrace any time"
            )
            yield Finding(("functions", mapping.function_name, "timeout"), message, is_note=True)


def _lease_tables(given: Given) -> Iterator[Finding]:
    """Each stream mapping has a table of its own, and the schedules have one, of names that DynamoDB takes."""
    runtime = given.single.get("runtime", Reading())
    checkpoints = runtime.values.get("checkpoints", "")
    if not runtime.sure("checkpoints") or not checkpoints.startswith(SCHEME):
        return
    pattern = checkpoints.removeprefix(SCHEME)
    streams = [name for name, (source, _) in given.mappings.items() if source.kind.family.has_shards]
    problems = [*mapping_problems(pattern, streams)]
    if given.has_schedules:
        problems += schedules_problems(pattern, streams)
    for problem in problems:
        yield Finding(("runtime", "checkpoints"), problem)


def _own_destinations(given: Given) -> Iterator[Finding]:
    """Where functions have ARNs, which Lambda's API gives them, none is a destination for itself."""
    api, aws = given.single.get("lambda_api"), given.single.get("aws", Reading())
    if api is None or not api.sure("region", "account"):
        return
    region = api.values.get("region")
    if region is None:
        if not aws.sure("region"):
            return
        region = aws.values.get("region") or API_REGION
    account = api.values.get("account", LambdaApi().account)
    for name, reading in given.functions.items():
        invoke = reading.best("event_invoke_config")
        if invoke is None:
            continue
        arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:function:{name}"
        for found in tells_itself(arn, invoke):
            yield Finding(("functions", name, *found.path), found.message)


def _sources(given: Given) -> Iterator[Finding]:
    """What mappings need of the ``aws`` section."""
    aws = given.single.get("aws", Reading())
    for name, (source, reading) in given.mappings.items():
        for rule in source.kind.surrounded:
            for found in rule(reading, aws):
                yield found._replace(path=("event_source_mappings", name, *found.path))


_RULES: tuple[Rule, ...] = (_lease_tables, _own_destinations, _sources)
