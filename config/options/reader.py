"""From a tree of values to the values of a model, with a fault for each value that the model does not allow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from config.options import values
from config.options.model import TextKind
from config.options.outcome import Faulty, Reading
from config.options.shapes import (
    Either,
    FilePath,
    Flag,
    Instant,
    ListOf,
    MapOf,
    Number,
    OneOf,
    Option,
    Section,
    Shape,
    Text,
    expected,
    options_of,
)
from config.options.spelling import Named, recognise, suggestion
from config.text.nodes import Node, Scalar, Sequence, Table, describe, is_faulty, is_null, is_unset, json_text, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path as FolderPath

    from config.faults import Report
    from config.options.model import Model
    from config.text.places import Path


@dataclass(frozen=True, slots=True)
class Wording:
    """What to say instead of the general sentence.

    ``missing``: what is expected of a required option, by name. ``invalid``: the whole sentence about a wrong value, by name.
    """

    missing: Mapping[str, str] = field(default_factory=dict)
    invalid: Mapping[str, Callable[[Node], str]] = field(default_factory=dict)


@dataclass(slots=True)
class Reader:
    """Reads one file's options.

    ``folder`` is what relative paths are relative to. With ``pasted``, CloudFormation's and Terraform's spellings are understood
    as well, and so is a list of one where a mapping is expected, which is how Terraform's JSON writes a block. With ``in_quotes``,
    numbers, times, true and false may be texts, as in a CloudFormation template.
    """

    report: Report
    folder: FolderPath
    pasted: bool = False
    in_quotes: bool = False
    wording: Wording = field(default_factory=Wording)

    def section(
        self,
        options: Mapping[str, Option],
        node: Node,
        path: Path,
        shown: Path,
        foreign: Callable[[str, Node], str | None] = lambda _key, _node: None,
    ) -> Reading | None:
        """Read a mapping of options; None when there is no mapping. ``foreign`` explains a key that is no option."""
        if is_null(node):
            node = Table(node.place)
        table = node.items[0] if self.pasted and isinstance(node, Sequence) and len(node.items) == 1 else node
        if not isinstance(table, Table):
            if not is_faulty(table):
                self._fault(path, node, f"a mapping of {', '.join(options)}")
            return None
        names = {
            word: name for name, o in options.items() for word in (o.names if self.pasted or o.pasted else (name,))
        }
        known, again = recognise(table, names)
        self._refuse_repeats(known, again, path, shown)
        self._refuse_unknown(table, names, path, shown, foreign)
        reading = Reading()
        for found in known:
            self._option(options[found.name], found, reading, path, shown)
        self._refuse_missing(options, reading, path)
        return reading

    def value(self, shape: Shape, node: Node, path: Path, shown: Path) -> Any:  # noqa: ANN401 - as the shape tells
        """Read one value; :class:`Faulty` after a fault."""
        if isinstance(node, Scalar) and node.problem is not None:
            return Faulty()  # reported already, with everything else that interpolation could not fill in
        match shape:
            case Section(model):
                return self._model(model, node, path, shown)
            case ListOf():
                return self._list(shape, node, path, shown)
            case MapOf(item):
                return self._map(item, node, path, shown)
            case Either(shapes):
                return self._either(shape, shapes, node, path, shown)
            case _:
                return self._simple(shape, node, path)

    def _option(self, option: Option, found: Named, reading: Reading, path: Path, shown: Path) -> None:
        node = found.entry.node
        if option.pasted and not self.pasted:
            replace(self, pasted=True)._option(option, found, reading, path, shown)
            return
        at, spelled = (*path, option.name), (*shown, found.key)
        self.report.enter(at, node, spelled, found.entry.place)
        if is_null(node) or (_emptied(node) and not option.required) or (self.pasted and _is_absent(option, node)):
            return
        reading.given.add(option.name)
        value = self.value(option.shape, node, at, spelled)
        if isinstance(value, Faulty):
            reading.faulty[option.name] = value
        else:
            reading.values[option.name] = value

    def _refuse_missing(self, options: Mapping[str, Option], reading: Reading, path: Path) -> None:
        for name, option in options.items():
            if option.required and name not in reading.given:
                wanted = self.wording.missing.get(name) or expected(option.shape)
                self.report.fault(path, f"{name} is missing, expected {wanted}")
                reading.faulty[name] = Faulty()

    def _refuse_repeats(self, known: list[Named], again: list[Named], path: Path, shown: Path) -> None:
        first = {found.name: found for found in known}
        for found in again:
            other = first[found.name]
            message = (
                f"found both {other.key} (line {other.entry.place.line}) and {found.key}, which are the same option, "
                "expected one"
            )
            self.report.enter((*path, found.key), found.entry.node, (*shown, found.key), found.entry.place)
            self.report.fault((*path, found.key), message, found.entry.place)

    def _refuse_unknown(
        self,
        table: Table,
        names: Mapping[str, str],
        path: Path,
        shown: Path,
        foreign: Callable[[str, Node], str | None],
    ) -> None:
        for key, entry in table.entries.items():
            if key in names:
                continue
            message = foreign(key, entry.node)
            if message is None:
                wanted = ", ".join(dict.fromkeys(names.values()))
                message = f"found an unknown key{suggestion(key, names)}, expected one of {wanted}"
            if message:
                self.report.enter((*path, key), entry.node, (*shown, key), entry.place)
                self.report.fault((*path, key), message, entry.place)

    def _model(self, model: type[Model], node: Node, path: Path, shown: Path) -> Any:  # noqa: ANN401 - an instance of model
        options = options_of(model)
        reading = self.section(options, node, path, shown, self._unread(model, path))
        if reading is None:
            return Faulty()
        if reading.faulty:
            best = reading.values | {name: f.best for name, f in reading.faulty.items() if f.best is not None}
            return Faulty(model.model_construct(**best))
        return model(**reading.values)

    def _unread(self, model: type[Model], path: Path) -> Callable[[str, Node], str | None]:
        """Explain a key that is no option of a section."""

        def explain(key: str, node: Node) -> str | None:
            for refused in model.refused:
                if key in refused.names:
                    return "" if is_unset(node, section=refused.section) else refused.message
            for idle in model.idle if self.pasted else ():
                if key in idle.names:
                    self.report.note((*path, key), idle.message, node.place)
                    return ""
            return None

        return explain

    def _list(self, shape: ListOf, node: Node, path: Path, shown: Path) -> Any:  # noqa: ANN401 - a list
        items = node.items if isinstance(node, Sequence) else None
        if items is None and self.pasted and isinstance(node, Table) and isinstance(shape.item, Section):
            items = [node]
        if items is None:
            return self._fault(path, node, expected(shape))
        found = []
        for number, item in enumerate(items):
            at, spelled = (*path, number), (*shown, number)
            self.report.enter(at, item, spelled)
            found.append(self.value(shape.item, item, at, spelled))
        if not shape.length.allow(len(found)):
            self.report.fault(path, f"found {len(found)} items, expected {expected(shape)}")
            return Faulty(found)
        return Faulty(found) if any(isinstance(item, Faulty) for item in found) else found

    def _map(self, item: Shape, node: Node, path: Path, shown: Path) -> Any:  # noqa: ANN401 - a dict
        if not isinstance(node, Table):
            return self._fault(path, node, "a mapping")
        found = {}
        for key, entry in node.entries.items():
            at, spelled = (*path, key), (*shown, key)
            self.report.enter(at, entry.node, spelled, entry.place)
            found[key] = self.value(item, entry.node, at, spelled)
        return Faulty(found) if any(isinstance(value, Faulty) for value in found.values()) else found

    def _either(self, shape: Shape, shapes: tuple[Shape, ...], node: Node, path: Path, shown: Path) -> Any:  # noqa: ANN401
        if isinstance(node, Table):
            for part in shapes:
                if isinstance(part, Section):
                    return self._model(part.model, node, path, shown)
        for part in shapes:
            if not isinstance(part, Section):
                value = values.convert(part, node, in_quotes=self.in_quotes)
                if value is not values.REFUSED:
                    return value
        return self._fault(path, node, expected(shape))

    def _simple(self, shape: Shape, node: Node, path: Path) -> Any:  # noqa: ANN401 - as the shape tells
        if isinstance(shape, Text) and shape.kind is TextKind.PATTERN:
            return self._pattern(shape, node, path)
        if isinstance(shape, Text) and shape.kind is TextKind.JSON:
            return self._json(node, path)
        if isinstance(shape, FilePath):
            return self._path(shape, node, path)
        value = values.convert(shape, node, in_quotes=self.in_quotes)
        return self._fault(path, node, expected(shape), shape) if value is values.REFUSED else value

    def _path(self, shape: FilePath, node: Node, path: Path) -> Any:  # noqa: ANN401 - a Path
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value or "\0" in node.value:
            return self._fault(path, node, expected(shape))
        found = values.absolute(self.folder, node.value)
        problem = values.path_problem(found, shape.existing)
        if problem is None:
            return found
        self.report.fault(path, f"found {quoted(node.value)}, which {problem} ({found}), expected {expected(shape)}")
        return Faulty()

    def _pattern(self, shape: Text, node: Node, path: Path) -> Any:  # noqa: ANN401 - a str
        if isinstance(node, Table):
            try:
                text = json_text(node)
            except ValueError:
                self.report.fault(
                    path, "found .inf or .nan, expected numbers that JSON has (AWS: Invalid filter pattern definition.)"
                )
                return Faulty()
        elif isinstance(node, Scalar) and isinstance(node.value, str):
            text = node.value
        else:
            return self._fault(path, node, f"{shape.kind.value} (AWS: Invalid filter pattern definition.)")
        if not shape.length.allow(len(text)):
            limit = shape.length.at_most or 0
            self.report.fault(path, f"found a pattern of {len(text)} characters, expected at most {limit:g}")
            return Faulty()
        return text

    def _json(self, node: Node, path: Path) -> Any:  # noqa: ANN401 - a str
        """A text as it is, and any other value as JSON text."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        try:
            return json_text(node)
        except ValueError:
            self.report.fault(path, "found .inf or .nan, expected numbers that JSON has")
            return Faulty()

    def _fault(self, path: Path, node: Node, wanted: str, shape: Shape | None = None) -> Faulty:
        secret = isinstance(shape, Text) and shape.kind.is_secret
        refuse = self.wording.invalid.get(str(path[-1])) if path else None
        message = refuse(node) if refuse else f"found {describe(node, secret=secret)}, expected {wanted}"
        if not refuse and _number_in_quotes(node, shape):
            message += " (without quotes)"
        self.report.fault(path, message)
        return Faulty()


def _emptied(node: Node) -> bool:
    """Whether the environment made a value empty, which counts as an option that is not given."""
    return isinstance(node, Scalar) and bool(node.variables) and node.value == ""


def _is_absent(option: Option, node: Node) -> bool:
    """Whether this is how Terraform's state writes what is not set: an empty list for a block, an empty text for others."""
    if isinstance(node, Scalar):
        text = isinstance(option.shape, Text) and option.shape.kind is TextKind.TEXT
        nothing = isinstance(option.shape, OneOf | Instant) or (text and option.default is None)
        return nothing and not option.required and node.value == ""
    return isinstance(option.shape, Section) and isinstance(node, Sequence) and not node.items


def _number_in_quotes(node: Node, shape: Shape | None) -> bool:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or node.variables:
        return False
    return isinstance(shape, Number | Flag | OneOf | Instant) and values.looks_like(shape, node.value)
