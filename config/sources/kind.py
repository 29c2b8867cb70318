"""What the configuration knows about a kind of event source: the form of a declaration.

Each kind has a file of its own with one :class:`SourceConfig`; :mod:`config.sources.registry` lists them. Loading, the JSON Schema
and the table of options read the declarations and have no branches by kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from config.faults import Finding
    from config.options.outcome import Reading
    from config.sources.mapping import Mapping as MappingModel
    from config.text.arns import Arn
    from config.text.nodes import Node


@dataclass(frozen=True, slots=True)
class Family:
    """Kinds whose mappings take the same settings.

    ``noun`` is what faults call one source ("queue"), ``title`` what the table of options calls the family. ``has_shards``: it is
    read shard by shard, with checkpoints.
    """

    noun: str
    title: str
    has_shards: bool = False


@dataclass(frozen=True, slots=True)
class ArnForm:
    """A form of ARN that sources of a kind have; a kind may have several, as queues do: standard and FIFO.

    ``called`` is what faults call such a source, with its article. ``resource`` is the form of the ARN's last part. ``example`` is
    an ARN of this form.
    """

    called: str
    service: str
    resource: re.Pattern[str]
    example: str


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences about a kind's settings, with AWS's own words where these are recorded (docs/lambda 1.3).

    ``duplicate`` is AWS's text for a second mapping of one source and one function, with ``{source}`` and ``{function}``.
    ``missing`` and ``invalid`` are as in :class:`config.options.reader.Wording`. ``elsewhere`` is AWS's text, by setting, where a
    mapping of another kind has a setting of this kind. ``url`` is how a URL of such a source begins, for a reader who writes it in
    place of the ARN.
    """

    duplicate: str
    missing: Mapping[str, str] = field(default_factory=dict)
    invalid: Mapping[str, Callable[[Node], str]] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    url: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SourceConfig:
    """All that the configuration knows about one kind of source.

    ``called`` is what a list of all kinds calls it, with its article. ``expected`` says what would be right instead of an ARN of
    one of the kind's services that has none of its ``forms``. ``rules`` find what is wrong although each setting by itself is
    right; they run in this order.
    """

    model: type[MappingModel]
    family: Family
    called: str
    forms: tuple[ArnForm, ...]
    expected: Callable[[Arn], str]
    rules: tuple[Rule, ...]
    words: Words

    @property
    def services(self) -> tuple[str, ...]:
        """The services (third part) of the kind's ARNs."""
        return tuple(dict.fromkeys(form.service for form in self.forms))


@dataclass(frozen=True, slots=True)
class EventSource:
    """A source as its ARN describes it: its kind, and which of the kind's forms the ARN has."""

    kind: SourceConfig
    form: ArnForm


Rule: TypeAlias = "Callable[[EventSource, Reading, datetime], Iterator[Finding]]"
"""Finds faults in the settings of one mapping.

A rule looks at the settings that could be read, so that one wrong setting does not hide another. The time is the present, for
settings that must lie in the past.
"""
