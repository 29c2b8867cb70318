"""What the configuration knows about a way to run functions: the form of a declaration.

Each runtime has a file of its own with one :class:`FunctionRuntime`; :mod:`config.functions.registry` lists them. Loading, the JSON
Schema and the table of options read the declarations and have no branches by runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from config.options.shapes import OneOf, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.faults import Finding
    from config.functions.registry import FunctionModel
    from config.options.outcome import Reading


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FunctionRuntime:
    """All that the configuration knows about one runtime.

    ``first`` are the options that say what runs; the table of options begins with them. ``rules`` find what is wrong although each
    option by itself is right; they run in this order. ``instead_of`` is how names of Lambda's own runtimes begin that this one
    runs, and ``advice`` the words for a reader who wrote such a name.
    """

    model: type[FunctionModel]
    first: tuple[str, ...]
    rules: tuple[Rule, ...]
    instead_of: tuple[str, ...] = ()
    advice: str = ""

    @property
    def name(self) -> str:
        """What ``runtime`` is in the configuration."""
        shape = options_of(self.model)["runtime"].shape
        if not isinstance(shape, OneOf):
            raise TypeError(f"the runtime of {self.model.__name__} is no Literal")
        return str(shape.values[0])


Rule: TypeAlias = "Callable[[Reading], Iterator[Finding]]"
"""Finds faults in the options of one function: in those that could be read, so that one wrong option does not hide another."""
