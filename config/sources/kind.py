"""What the configuration knows about a kind of event source: the form of a declaration.

Each kind has a file of its own with one :class:`SourceConfig`; :mod:`config.sources.registry` lists them. Loading, the JSON Schema
and the table of options read the declarations and have no branches by kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Hashable, Iterator, Mapping
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
    ``missing`` and ``invalid`` are as in :class:`config.options.reader.Wording`, for settings and what is inside. ``elsewhere`` is
    AWS's text, by setting, where a mapping of another kind has a setting of this kind. ``url`` is how a URL of such a source
    begins, for a reader who writes it in place of the ARN.
    """

    duplicate: str
    missing: Mapping[str, str] = field(default_factory=dict)
    invalid: Mapping[str, Callable[[Node], str]] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    url: re.Pattern[str] | None = None


class Endpoints(Protocol):
    """Those of the ``aws`` section, as far as kinds look at them."""

    @property
    def documentdb(self) -> str | None:
        """A connection URI in place of every cluster's endpoint."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SourceConfig:
    """All that the configuration knows about one kind of source.

    ``called`` is what a list of all kinds calls it, with its article. ``expected`` says what would be right instead of an ARN of
    one of the kind's services that has none of its ``forms``. ``rules`` find what is wrong although each setting by itself is
    right; they run in this order. ``surrounded`` are rules that also look at the ``aws`` section.

    ``without`` are settings that its mappings do not take, although all models have them. ``silent`` are those whose 0 says nothing
    in what AWS or Terraform report of a mapping: Lambda does not have them for this kind, or 0 stands for a default that no number
    can say. ``part`` is the setting that tells which part of its source a mapping reads, and what makes two parts the same; None
    where each mapping reads all. ``located`` fills in where the source is, where the ``aws`` section says so.
    ``longest_timeout_seconds`` is what Lambda allows the functions of its mappings; None: what it allows all.
    """

    model: type[MappingModel]
    family: Family
    called: str
    forms: tuple[ArnForm, ...]
    expected: Callable[[Arn], str]
    rules: tuple[Rule, ...]
    words: Words
    surrounded: tuple[SurroundedRule, ...] = ()
    without: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    part: tuple[str, Callable[[Any], Hashable]] | None = None
    located: Callable[[Any, Endpoints], MappingModel] = lambda mapping, _endpoints: mapping
    longest_timeout_seconds: int | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """The services (third part) of the kind's ARNs."""
        return tuple(dict.fromkeys(form.service for form in self.forms))


@dataclass(frozen=True, slots=True)
class EventSource:
    """A source as its ARN describes it: its kind, and which of the kind's forms the ARN has."""

    kind: SourceConfig
    form: ArnForm


SurroundedRule: TypeAlias = "Callable[[Reading, Reading], Iterator[Finding]]"
"""Finds faults in the settings of one mapping (the first) that come of those of the ``aws`` section (the second).

It goes by what could be read of both; where the section is not given, by a reading of nothing.
"""

Rule: TypeAlias = "Callable[[EventSource, Reading, datetime], Iterator[Finding]]"
"""Finds faults in the settings of one mapping.

A rule looks at the settings that could be read, so that one wrong setting does not hide another. The time is the present, for
settings that must lie in the past.
"""
