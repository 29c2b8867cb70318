"""How facts reach those who use them: sinks, their routes, and one mapping's :class:`Facts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

from pollers.telemetry.facts import Fact

Sink: TypeAlias = Callable[[str, Fact], None]
"""Takes the mapping's name and a fact; it must neither block nor raise."""

Routes: TypeAlias = Mapping[type, Callable[[Any], None]]
"""The function that handles each type of fact; other types are ignored."""


@runtime_checkable
class RoutedSink(Protocol):
    """A sink that handles some types of facts, each with a function of its own: a fact goes straight to it,
    and others cost nothing.
    """

    def __call__(self, mapping: str, fact: Fact, /) -> None:
        """As any sink."""

    def routes(self, mapping: str) -> Routes:
        """The functions that handle this mapping's facts; called once for each life of the mapping.

        A sink with ``wants_trace_headers`` gets the trace contexts of messages.
        """


@dataclass(slots=True)
class Facts:
    """Where one mapping's facts go: its poller calls :meth:`emit`.

    ``traced`` asks pollers for the trace contexts of their messages. ``sinks`` must not change after the first fact, as what
    handles each type of fact is looked up once: that keeps a fact at the cost of a dictionary lookup and the calls.
    """

    mapping: str
    sinks: list[Sink] = field(default_factory=list)
    traced: bool = False
    _handlers: dict[type, list[Callable[[Any], None]]] = field(default_factory=dict, init=False, repr=False)
    _routes: list[Routes | Sink] = field(default_factory=list, init=False, repr=False)

    def emit(self, fact: Fact) -> None:
        """Hand ``fact`` to every sink, in order."""
        handlers = self._handlers.get(type(fact))
        if handlers is None:
            handlers = self._handlers[type(fact)] = self._find_handlers(type(fact))
        for handle in handlers:
            handle(fact)

    def _find_handlers(self, kind: type) -> list[Callable[[Any], None]]:
        if not self._routes:
            self._routes = [s.routes(self.mapping) if isinstance(s, RoutedSink) else s for s in self.sinks]
        found: list[Callable[[Any], None]] = []
        for route in self._routes:
            if callable(route):
                found.append(partial(route, self.mapping))
            elif (handle := route.get(kind)) is not None:
                found.append(handle)
        return found
