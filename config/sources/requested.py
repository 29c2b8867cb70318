"""A mapping that a request of Lambda's API gives, read as a mapping of a file is: by the same rules, with the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.faults import ConfigError, Report
from config.options.outcome import Reading
from config.options.reader import Reader
from config.sources.reading import MappingReader
from config.text.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from config.options.model import Model
    from config.sources.mapping import Mapping as MappingModel
    from config.text.places import Path as ConfigPath


def read_request(
    name: str,
    settings: Mapping[str, Any],
    checks: Iterable[Callable[[MappingModel], Iterable[tuple[ConfigPath, str, bool]]]],
    now: datetime,
    aws: Model | None = None,
) -> MappingModel:
    """The mapping of this ``name`` that has these ``settings``, which are in AWS's spelling.

    Whether its function exists is not asked, and no environment variables are filled in: what a request says is what it means.
    ``aws`` is the configuration's section: what the mapping needs of it is asked for; None asks nothing.
    Raises :class:`config.faults.ConfigError` with every fault; the path of a fault begins at the mapping, in AWS's spelling.
    """
    report = Report()
    node = parse_json(json.dumps(settings), "")
    assert node is not None  # noqa: S101 - the text of a document is never empty
    report.enter((), node, ())
    reader = Reader(report, Path("/"), pasted=True)
    mappings = MappingReader(None, checks, now)
    mapping = mappings.read(name, node, reader, ())
    if aws is not None and name in mappings.known:
        source, reading = mappings.known[name]
        surroundings = Reading(values=dict(aws))
        for rule in source.kind.surrounded:
            for found in rule(reading, surroundings):
                report.fault(found.path, found.message)
    if mapping is None or report.faults:
        raise ConfigError(report.faults)
    return mapping
