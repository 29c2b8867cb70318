"""What mappings of every kind of source have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from config.options.model import Model, Spellings, TextKind
from config.text.arns import Arn, parse_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.sources.extra import Extra


class Filter(Model):
    """One event pattern, as AWS's JSON string or as a mapping; kept as the JSON text."""

    pattern: Annotated[str, TextKind.PATTERN] = Field(max_length=4096, description="what an event must be like")


class FilterCriteria(Model):
    """Event patterns, any of which lets an event through."""

    filters: Annotated[list[Filter], Spellings(("filter",))] = Field(
        default_factory=list,
        max_length=10,
        description="event patterns, any of which lets an event through; none lets all through",
    )


class Mapping(Model):
    """What mappings of every source take. ``name`` is the key under ``event_source_mappings``.

    ``kind`` names the kind of source; what else there is to know about the kind is looked up by it.
    """

    kind: ClassVar[str]
    taken_over_from: ClassVar[str | None] = None
    """The starting position of a mapping that goes on here where another system stopped, whose checkpoint nobody knows:
    AT_TIMESTAMP where sources have it; None where there are no positions."""
    extra: ClassVar[Extra | None] = None
    """What must be installed for it beside Headrace; None where nothing must."""

    name: str = Field(description="the mapping's key: its identity in checkpoints, logs and metrics")
    event_source_arn: str = Field(description="ARN of the queue, the stream, the stream's consumer or the cluster")
    function_name: Annotated[str, Spellings(("FunctionArn", "function_arn"))] = Field(
        description="name or ARN (full or partial) of a function defined under `functions`"
    )
    enabled: bool = Field(default=True, description="whether the mapping polls")
    batch_size: int
    maximum_batching_window_in_seconds: int | None = Field(
        default=0, ge=0, le=300, description="seconds to gather a batch"
    )
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        default_factory=list,
        max_length=1,
        description="`[ReportBatchItemFailures]`: the function's response names the items that failed",
    )
    filter_criteria: FilterCriteria = Field(default=FilterCriteria(), description="which events the function gets")

    @property
    def arn(self) -> Arn:
        """The event source's ARN, in parts."""
        return parse_arn(self.event_source_arn)

    def particulars(self) -> Iterator[str]:
        """The settings of this kind of source that tell most about a mapping, each as a few words."""
        return iter(())

    @property
    def reports_batch_item_failures(self) -> bool:
        """Whether the function's response names the items that failed."""
        return "ReportBatchItemFailures" in self.function_response_types
