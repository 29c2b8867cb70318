"""Which settings say something: AWS and Terraform tell every one, also those that have their default or do not apply. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.options.shapes import Number, Option, Section, options_of
from pollers.importing.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pollers.importing.values import Value


def settled(values: Mapping[str, Value], options: Mapping[str, Option], told: Collection[str] = ()) -> dict[str, Value]:
    """The options without those that have their default anyway (but for ``told``), and without zeros where none is allowed."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        option = options.get(name)
        if option is None:
            found[name] = value
        elif isinstance(option.shape, Section) and isinstance(value, dict):
            if inner := settled(value, options_of(option.shape.model)):
                found[name] = inner
        elif _says_something(option, value, is_told=name in told):
            found[name] = value
    return found


def _says_something(option: Option, value: Value, *, is_told: bool) -> bool:
    if isinstance(value, Unknown):
        return True
    if (
        value == 0
        and not isinstance(value, bool)
        and isinstance(option.shape, Number)
        and not option.shape.limits.allow(0)
    ):
        return False
    if is_told or option.required:
        return True
    return not (isinstance(value, str | int) and value == option.default)
