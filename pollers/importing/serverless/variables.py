"""The values of variables, as far as they can be known without running the framework.

A variable that is a whole text keeps its type. What is not known becomes a parameter of the template, which has no default. The
only thing read are files that ``${file(...)}`` names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config.text.nodes import Entry, Node, Scalar, Sequence, Table, Unparsable
from pollers.importing.local import is_file
from pollers.importing.serverless.references import Asked, Literal, Reference, candidates, split
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.text.places import Place

LONGEST_CHAIN = 60
"""Variables within one another, or files within files. More is no service that a person wrote."""
MOST_VALUES = 100_000
"""Of a service with its variables filled in, so that a few lines cannot fill the memory."""
_NAMED = ("opt", "param", "env")
"""Sources whose values have names of their own."""
_FILES = (".yml", ".yaml", ".json")
DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"


class _Missing:
    """A source that has nothing at this address: the next one counts."""


MISSING: Final = _Missing()


@dataclass(slots=True)
class Variables:
    """Resolves the variables of one service. ``given`` are the values that the user gave for options, parameters and others.

    ``unknown`` are the names of those that nobody gave, and ``asked`` of all that could have been given.
    """

    root: Node
    folder: Path
    shown: str
    given: Mapping[str, str]
    unknown: dict[str, Place] = field(default_factory=dict)
    notes: list[tuple[Place, str]] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    _files: dict[str, Node | None] = field(default_factory=dict)
    _active: list[str] = field(default_factory=list)
    _count: int = 0

    def resolved(self, node: Node) -> Node:
        """A tree without variables."""
        self._count += 1
        if self._count > MOST_VALUES:
            raise Unparsable(
                node.place, f"found more than {MOST_VALUES:,} values (variables filled in), expected fewer"
            )
        match node:
            case Scalar():
                return (
                    self._text(node.value, node.place) if isinstance(node.value, str) and "${" in node.value else node
                )
            case Sequence():
                return Sequence(node.place, [self.resolved(item) for item in node.items])
            case Table():
                entries = {key: Entry(entry.place, self.resolved(entry.node)) for key, entry in node.entries.items()}
                return Table(node.place, entries, node.repeated)

    def at(self, *path: str) -> Node | None:
        """What stands at a path of the service, without variables; None where nothing does."""
        found = self._walk(self.root, list(path))
        return None if isinstance(found, _Missing) or (isinstance(found, Scalar) and found.value is None) else found

    def text_at(self, *path: str) -> str | None:
        """The same as text, if it is a single value that is known."""
        found = self.at(*path)
        return found.text if isinstance(found, Scalar) else None

    @property
    def stage(self) -> str:
        """The stage: as the user says, as the service says, or the framework's own default."""
        return self.given.get("stage") or self.text_at("provider", "stage") or DEFAULT_STAGE

    @property
    def region(self) -> str:
        """The region, in the same way."""
        return self.given.get("region") or self.text_at("provider", "region") or DEFAULT_REGION

    def _text(self, text: str, place: Place) -> Node:
        parts = split(text)
        nodes = [Scalar(place, part, part) if isinstance(part, str) else self._variable(part, place) for part in parts]
        if len(nodes) == 1:
            return nodes[0]
        if all(isinstance(node, Scalar) for node in nodes):
            whole = "".join(_spelled(node) for node in nodes if isinstance(node, Scalar))
            return Scalar(place, whole, whole)
        joined = Sequence(place, [Scalar(place, "", ""), Sequence(place, nodes)])
        return Table(place, {"Fn::Join": Entry(place, joined)})

    def _variable(self, variable: Asked, place: Place) -> Node:
        content = variable.content
        if content in self._active or len(self._active) >= LONGEST_CHAIN:
            return self._unknown(content, place)
        self._active.append(content)
        try:
            return self._first(content, place)
        finally:
            self._active.pop()

    def _first(self, content: str, place: Place) -> Node:
        """The first of the sources that has something."""
        if "${" in content:
            inner = self._text(content, place)
            if not isinstance(inner, Scalar):
                return self._unknown(content, place)
            content = inner.text
        tried = candidates(content)
        for number, candidate in enumerate(tried):
            if number:
                self._note_fallback(tried[number - 1], place)
            if isinstance(candidate, Literal):
                return Scalar(place, candidate.value, _spelled_value(candidate.value))
            found = self._source(candidate, place) if candidate is not None else None
            if found is None:
                # A source that only the framework can ask comes before what would be taken instead of it.
                return self._unknown(_bare(candidate) if candidate is not None and number == 0 else content, place)
            if not isinstance(found, _Missing):
                return found
        return self._unknown(_bare(tried[0]) if isinstance(tried[0], Reference) else content, place)

    def _note_fallback(self, passed: Reference | Literal | None, place: Place) -> None:
        if isinstance(passed, Reference) and passed.source == "env":
            name = passed.address
            message = f"the environment variable {name} is not looked up: its fallback counts (or use --parameter {name}=VALUE)"
            self.notes.append((place, message))

    def _source(self, reference: Reference, place: Place) -> Node | _Missing | None:
        """What a source has; None for a source that cannot be asked here."""
        given = self._given(reference, place)
        if given is not None:
            return given
        ask = _SOURCES.get(reference.source)
        return ask(self, reference, place) if ask is not None else None

    def _given(self, reference: Reference, place: Place) -> Node | None:
        names = [reference.called]
        if reference.source in _NAMED:
            names.append(reference.address)
        if reference.source not in ("self", "file", "sls"):
            self.asked.add(names[-1])
        text = next((self.given[name] for name in names if name in self.given), None)
        return None if text is None else Scalar(place, text, text)

    def _self(self, reference: Reference, _place: Place) -> Node | _Missing:
        return self._walk(self.root, reference.address.split(".") if reference.address else [])

    def _nothing(self, _reference: Reference, _place: Place) -> _Missing:
        return MISSING

    def _sls(self, reference: Reference, place: Place) -> Node | None:
        return Scalar(place, self.stage, self.stage) if reference.address == "stage" else None

    def _aws(self, reference: Reference, place: Place) -> Node | None:
        names = {"accountId": "AWS::AccountId", "region": "AWS::Region", "partition": "AWS::Partition"}
        name = names.get(reference.address)
        return None if name is None else _reference_to(name, place)

    def _param(self, reference: Reference, _place: Place) -> Node | _Missing:
        for stage in (self.stage, "default"):
            found = self._walk(self.root, ["params", stage, reference.address])
            if not isinstance(found, _Missing):
                return found
        return MISSING

    def _file(self, reference: Reference, place: Place) -> Node | _Missing | None:
        path = Path(reference.argument.strip())
        if path.suffix not in _FILES:
            return None
        tree = self._tree(path, place)
        if tree is None:
            return MISSING
        return self._walk(tree, reference.address.split(".") if reference.address else [])

    def _tree(self, path: Path, place: Place) -> Node | None:
        name = str(path)
        if name not in self._files:
            full = self.folder / path.expanduser()
            shown = str(Path(self.shown).parent / path)
            self._files[name] = read_tree(full, shown) if is_file(full) else None
            if self._files[name] is None:
                self.notes.append((place, f"found no file {name}"))
        return self._files[name]

    def _walk(self, node: Node, path: list[str]) -> Node | _Missing:
        """What stands at a path. Variables on the way are resolved when they are met."""
        for step in path:
            if isinstance(node, Scalar):
                node = self.resolved(node)
            if isinstance(node, Sequence) and step.isdecimal() and int(step[:9]) < len(node.items):
                node = node.items[int(step)]
            elif isinstance(node, Table) and step in node.entries:
                node = node.entries[step].node
            else:
                return MISSING
        found = self.resolved(node)
        return MISSING if isinstance(found, Scalar) and found.value is None and path else found

    def _unknown(self, name: str, place: Place) -> Node:
        self.unknown.setdefault(name, place)
        return _reference_to(name, place)


_SOURCES: dict[str, Callable[[Variables, Reference, Place], Node | _Missing | None]] = {
    "self": Variables._self,
    "opt": Variables._nothing,
    "env": Variables._nothing,
    "param": Variables._param,
    "file": Variables._file,
    "sls": Variables._sls,
    "aws": Variables._aws,
}


def _bare(reference: Reference | Literal) -> str:
    """The name of what is unknown; that of an option, a parameter or an environment variable is its own."""
    if isinstance(reference, Literal):
        return _spelled_value(reference.value)
    return reference.address if reference.source in _NAMED else reference.called


def _reference_to(name: str, place: Place) -> Table:
    return Table(place, {"Ref": Entry(place, Scalar(place, name, name))})


def _spelled(node: Scalar) -> str:
    return _spelled_value(node.value) if isinstance(node.value, bool) or node.value is None else node.text


def _spelled_value(value: str | int | bool | None) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
