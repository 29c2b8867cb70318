"""The table of every option, in Markdown, written from the models.

``python -m config.reference`` prints it; with ``--write FILE`` it goes between the two marks of the file, which is
``docs/configuration.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.functions.registry import DEFAULT, RUNTIMES
from config.options.model import TextKind
from config.options.shapes import (
    Either,
    FilePath,
    Flag,
    Instant,
    Limits,
    ListOf,
    MapOf,
    Number,
    OneOf,
    Option,
    Section,
    Shape,
    Text,
    options_of,
)
from config.schedules.reading import schedule_options
from config.sections import SINGLE
from config.sources import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BEGIN = "<!-- options:begin -->"
END = "<!-- options:end -->"

_KINDS = {
    TextKind.URL: "URL",
    TextKind.CONNECTION_URI: "connection URI",
    TextKind.ARN: "ARN",
    TextKind.SCALAR: "text",
    TextKind.PATTERN: "mapping or JSON text",
    TextKind.JSON: "JSON text or any value",
}


def option_table() -> str:
    """Every option of CONFIG: name, type, default, limits and meaning, and which runtimes or sources take it."""
    return "\n".join(_lines()) + "\n"


def with_table(text: str) -> str:
    """``text`` with the table between its marks. Raises ValueError when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{option_table()}{END}{after}"


def _lines() -> Iterator[str]:
    for title, model in SINGLE.items():
        yield from _table(f"`{title}`", _rows(options_of(model)))
    yield from _table("`functions.NAME`", _function_rows(), "runtimes")
    sources = {family.title: registry.settings_of(kinds[0]) for family, kinds in registry.families().items()}
    yield from _table("`event_source_mappings.NAME`", _merged(sources), "sources")
    yield from _table("`schedules.NAME`", _rows(schedule_options()))


def _table(title: str, rows: Iterator[Sequence[str]], last: str = "") -> Iterator[str]:
    heads = ["option", "type", "default", "limits", *([last] if last else []), "meaning"]
    yield f"**{title}**"
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _rows(options: Mapping[str, Option], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for option in options.values():
        yield (
            f"`{prefix}{option.name}`",
            _type(option.shape),
            _default(option),
            _limits(option.shape),
            option.description,
        )
        yield from _nested(option, prefix)


def _nested(option: Option, prefix: str) -> Iterator[tuple[str, ...]]:
    shapes = option.shape.shapes if isinstance(option.shape, Either) else (option.shape,)
    for shape in shapes:
        if isinstance(shape, Section):
            yield from _rows(options_of(shape.model), f"{prefix}{option.name}.")
        elif isinstance(shape, ListOf) and isinstance(shape.item, Section):
            yield from _rows(options_of(shape.item.model), f"{prefix}{option.name}[].")


def _function_rows() -> Iterator[tuple[str, ...]]:
    runtimes = {name: options_of(runtime.model) for name, runtime in RUNTIMES.items()}
    names = " or ".join(f"`{name}`" for name in runtimes)
    meaning = "; ".join(f"{name}: {options['runtime'].description}" for name, options in runtimes.items())
    yield ("`runtime`", names, f"`{DEFAULT.name}`", "", "all", meaning)
    rest = {name: {o.name: o for o in options.values() if o.name != "runtime"} for name, options in runtimes.items()}
    first = list(dict.fromkeys(f"`{option}`" for runtime in RUNTIMES.values() for option in runtime.first))
    yield from sorted(_merged(rest), key=lambda row: first.index(row[0]) if row[0] in first else len(first))


def _merged(groups: Mapping[str, Mapping[str, Option]]) -> Iterator[tuple[str, ...]]:
    """The rows of several models as one table: each option once, with the groups that have it."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for group, options in groups.items():
        for row in _rows(options):
            found.setdefault(row[0], {})[group] = row
    for by_group in found.values():
        owners = "all" if len(by_group) == len(groups) else ", ".join(by_group)
        columns = [_differing(by_group, column) for column in range(5)]
        yield (*columns[:4], owners, columns[4])


def _differing(by_group: Mapping[str, tuple[str, ...]], column: int) -> str:
    """A cell's text; where groups differ, each group's text after its name."""
    groups: dict[str, list[str]] = {}
    for group, row in by_group.items():
        groups.setdefault(row[column], []).append(group)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in groups.items() if text)


def _type(shape: Shape) -> str:
    match shape:
        case Text(kind):
            return _KINDS.get(kind, "text")
        case Number(whole):
            return "integer" if whole else "number"
        case Flag():
            return "true or false"
        case OneOf(values):
            return " or ".join(f"`{_plain(value)}`" for value in values)
        case FilePath():
            return "path"
        case Instant():
            return "time"
        case ListOf(item):
            return f"list of {_type(item)}"
        case MapOf():
            return "mapping of text"
        case Section():
            return "mapping"
        case Either(shapes):
            return " or ".join(map(_type, shapes))


def _limits(shape: Shape) -> str:
    match shape:
        case Number(_, limits):
            return _range(limits)
        case Text(_, limits):
            return _range(limits, " characters")
        case ListOf(_, limits):
            return _range(limits, " items")
        case FilePath(existing) if existing is not None:
            return f"{existing.value}, which exists"
        case Either(shapes):
            return ", ".join(filter(None, map(_limits, shapes)))
    return ""


def _range(limits: Limits, unit: str = "") -> str:
    if limits.at_least is not None and limits.at_most is not None:
        return f"{limits.at_least} to {limits.at_most}{unit}"
    lower = f"≥ {limits.at_least}{unit}" if limits.at_least is not None else ""
    lower = f"> {limits.more_than}{unit}" if limits.more_than is not None else lower
    upper = f"≤ {limits.at_most}{unit}" if limits.at_most is not None else ""
    return ", ".join(filter(None, (lower, upper)))


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if isinstance(option.default, str | bool | int | float):
        return f"`{_plain(option.default)}`"
    return ""


def _plain(value: Any) -> str:  # noqa: ANN401 - any default
    return str(value).lower() if isinstance(value, bool) else str(value)


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with ``--write FILE`` bring a file up to date."""
    if arguments[:1] != ["--write"]:
        sys.stdout.write(option_table())
        return
    (name,) = arguments[1:]
    file = Path(name)
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
