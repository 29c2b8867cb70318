"""What each kind of source gives the walk over the registry: one mapping, and one record of it in both its forms.

A kind has its sample in ``tests/unit/sources/KIND/sample.py``, as ``SAMPLE``.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from pollers.engine.kind import M

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias

    from pollers.aws.api import Aws, Wire
    from pollers.sources.streams.source import StreamSource

    MakeSource: TypeAlias = Callable[[Any, Aws], Awaitable[StreamSource]]
    from pollers.engine.kind import SourceKind


@dataclass(frozen=True, slots=True)
class Sample(Generic[M]):
    """``wire`` as the service sends it and ``event`` as the function gets it are one record, which ``pattern`` matches.

    ``settings`` are the least that a mapping must say besides its source ``arn``. ``services`` makes, by their names, the
    services in memory that have the source. ``payload`` is what a person is shown of the record. ``pattern`` None: the kind has no
    filters.
    """

    kind: SourceKind[M]
    arn: str
    settings: Mapping[str, object]
    services: Callable[[], Mapping[str, object]]
    wire: Wire
    event: bytes
    payload: bytes
    pattern: Mapping[str, object] | None
    examined_in: str | None = None
    """The test that examines the source, where what is examined cannot be in memory."""

    def mapping(self, **settings: object) -> M:
        """A mapping of the source."""
        named = {"name": "sample", "event_source_arn": self.arn, "function_name": "work"}
        return self.kind.model.model_validate({**named, **self.settings, **settings})


def stream_source_of(kind: SourceKind[Any]) -> MakeSource | None:
    """What makes the stream sources of a kind of stream; None for any other."""
    made: MakeSource | None = getattr(importlib.import_module(f"pollers.sources.{kind.name}.kind"), "make_source", None)
    return made


def sample_of(kind: SourceKind[Any]) -> Sample[Any]:
    """The sample of a kind. Raises ImportError where it has none."""
    found: Sample[Any] = importlib.import_module(f"tests.unit.sources.{kind.name}.sample").SAMPLE
    return found
