"""Which made mappings run beside those of the configuration. A decider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.sources import registry, source_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from config.models import Config, Mapping


@dataclass(frozen=True, slots=True)
class Completed:
    """What runs: ``config``. ``waiting``: why others of the made mappings do not, by UUID."""

    config: Config
    waiting: dict[str, str]


def what_it_does(mapping: Mapping) -> tuple[str, Hashable, str]:
    """What only one mapping may do: bring a source, or a part of it, to a function."""
    kind = source_of(mapping.event_source_arn).kind
    part = registry.part_of(kind, lambda setting: getattr(mapping, setting))
    return mapping.event_source_arn, part, mapping.function_name


def completed(config: Config, made: Iterable[Mapping]) -> Completed:
    """The file's ``config`` with the ``made`` mappings that can run beside it.

    The file never fails for their sake: a mapping whose function it does not have, or that it has itself, waits until that changes.
    """
    given = config.event_source_mappings
    taken = {what_it_does(one): name for name, one in given.items()}
    added: dict[str, Mapping] = {}
    waiting: dict[str, str] = {}
    for one in made:
        twin = taken.get(what_it_does(one))
        if one.function_name not in config.functions:
            waiting[one.name] = f"function {one.function_name} is not configured: it runs when it is"
        elif twin is not None:
            waiting[one.name] = (
                f"the configuration's mapping {twin} has the same source and function: it runs when that is gone"
            )
        elif one.name in given:
            waiting[one.name] = "the configuration has a mapping of this name"
        else:
            added[one.name] = registry.located(one, config.aws.endpoint_urls)
    if not added:
        return Completed(config, waiting)
    return Completed(config.model_copy(update={"event_source_mappings": {**given, **added}}), waiting)
