"""From CONFIG, a file or a folder of files, to a whole checked configuration, or to every fault in it at once."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeAlias

from config.faults import ConfigError, Fault, Note, Report
from config.files import Source, fault_of, find_files, read_source
from config.functions.reading import read_function
from config.models import Aws, Config, Console, Http, Runtime
from config.options.reader import Reader
from config.options.shapes import options_of
from config.options.spelling import suggestion
from config.sources.reading import MappingReader
from config.text.nodes import Entry, Scalar, Table, Unparsable, describe, is_null, quoted, walk
from config.text.places import Path, Place, dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from config.functions.registry import FunctionModel
    from config.options.shapes import Model
    from config.sources.mapping import Mapping as MappingModel

    Check: TypeAlias = Callable[[MappingModel], Iterable[tuple[Path, str, bool]]]

SINGLE: dict[str, type[Model]] = {"aws": Aws, "runtime": Runtime, "console": Console}
"""Sections that may be given once, in one of the files."""

NAMED = ("functions", "event_source_mappings")
"""Sections whose members may be spread over files."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what the reader should know about it."""

    config: Config
    notes: list[Note]
    files: tuple[FilePath, ...] = ()
    _report: Report = field(default_factory=Report, repr=False, compare=False)

    def fault(self, path: Path, message: str) -> Fault:
        """A fault found later (by asking AWS, say) at a path from the root, in the models' spelling."""
        place, shown = self._report.locate(path)
        return Fault(*place, dotted(shown), message)

    def note(self, path: Path, message: str) -> Note:
        """A note found later at a path from the root, in the models' spelling."""
        place, shown = self._report.locate(path)
        return Note(*place, dotted(shown), message)


def load(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str] = os.environ,
    checks: Iterable[Check] = (),
    now: datetime | None = None,
) -> Loaded:
    """Load CONFIG: a file, or a folder of files.

    ``checks`` are asked about each mapping, also about one with faults elsewhere; what they find becomes faults and notes
    at the place of each path (relative to the mapping, in the models' spelling). ``now`` is for tests.
    Raises :class:`ConfigError` with every fault.
    """
    loader = _Loader(environ, tuple(checks), now or datetime.now(UTC))
    return loader.load(FilePath(path))


class _Loader:
    def __init__(self, environ: Mapping[str, str], checks: tuple[Check, ...], now: datetime) -> None:
        self._environ = environ
        self._checks = checks
        self._now = now
        self._report = Report()
        self._complete = True

    def load(self, path: FilePath) -> Loaded:
        files, sources = self._sources(path)
        for source in sources:
            self._survey(source)
        if sources:
            self._report.enter((), sources[0].table, ())
        members = {section: dict(self._members(section, sources)) for section in NAMED}
        functions = self._functions(members["functions"])
        single = {name: self._single(name, model, sources) for name, model in SINGLE.items()}
        mappings = self._mappings(members["event_source_mappings"], members["functions"])
        if self._report.faults:
            raise ConfigError(self._report.faults)
        base = sources[0].folder if not path.is_dir() else FilePath(os.path.abspath(path))
        single["runtime"] = self._runtime(single["runtime"], base)
        given = {name: section for name, section in single.items() if section is not None}
        config = Config(**given, functions=functions, event_source_mappings=mappings)
        self._remark(config, sources)
        return Loaded(config, sorted(set(self._report.notes)), tuple(files), self._report)

    def _sources(self, path: FilePath) -> tuple[list[FilePath], list[Source]]:
        files, sources = [], []
        try:
            files = find_files(path)
        except Unparsable as error:
            self._unreadable(error)
        for file in files:
            try:
                sources.append(read_source(file, self._environ))
            except Unparsable as error:
                self._unreadable(error)
        return files, sources

    def _unreadable(self, error: Unparsable) -> None:
        self._report.faults.append(fault_of(error))
        self._complete = False

    def _survey(self, source: Source) -> None:
        """What is wrong with a file whatever its options mean: repeated keys, unset variables, sections that do not exist."""
        for path, node in walk(source.table):
            if isinstance(node, Scalar) and node.problem is not None:
                self._report.faults.append(Fault(*node.place, dotted(path), node.problem))
            elif isinstance(node, Table):
                for key, place in node.repeated:
                    self._repeated((*path, key), place)
        for key, entry in source.table.entries.items():
            if key not in SINGLE and key not in NAMED and not key.startswith("x-"):
                known = (*SINGLE, *NAMED)
                message = f"found an unknown key{suggestion(key, known)}, expected one of {', '.join(known)}"
                self._report.faults.append(Fault(*entry.place, key, message))

    def _repeated(self, path: Path, place: Place) -> None:
        if any(str(step) in ("pattern", "Pattern") for step in path[:-1]):
            self._report.notes.append(
                Note(*place, dotted(path), "found the key again: the last one counts, as in event patterns on AWS")
            )
        else:
            self._report.faults.append(Fault(*place, dotted(path), "found the key a second time, expected it once"))

    def _members(self, section: str, sources: list[Source]) -> Iterator[tuple[str, tuple[Source, Entry]]]:
        """Each named thing of a section with its file; one that two files define is a fault."""
        places: dict[str, Place] = {}
        for source in sources:
            entry = source.table.entries.get(section)
            if entry is None or is_null(entry.node):
                continue
            if not isinstance(entry.node, Table):
                message = f"found {describe(entry.node)}, expected a mapping of names to {section.replace('_', ' ')}"
                self._report.faults.append(Fault(*entry.place, section, message))
                continue
            for name, member in entry.node.entries.items():
                if name in places:
                    message = (
                        f"found {quoted(name)} a second time, expected it once: it is also defined in {places[name]}"
                    )
                    self._report.faults.append(Fault(*member.place, dotted((section, name)), message))
                    continue
                places[name] = member.place
                yield name, (source, member)

    def _single(self, name: str, model: type[Model], sources: list[Source]) -> Any:  # noqa: ANN401 - an instance of model
        given = [
            (s, s.table.entries[name])
            for s in sources
            if name in s.table.entries and not is_null(s.table.entries[name].node)
        ]
        for _, entry in given[1:]:
            message = f"found the section a second time, expected it once: it is also given in {given[0][1].place}"
            self._report.faults.append(Fault(*entry.place, name, message))
        if not given:
            return None
        source, entry = given[0]
        self._report.enter((name,), entry.node, (name,), entry.place)
        reading = Reader(self._report, source.folder).section(
            options_of(model), entry.node, (name,), (name,), _misplaced(name)
        )
        if reading is None or reading.faulty:
            return None
        if name == "runtime" and not (self._checkpoints(reading.values, source.folder) and self._http(reading.values)):
            return None
        return model(**reading.values)

    def _checkpoints(self, values: dict[str, Any], folder: FilePath) -> bool:
        """Make the checkpoint file's path absolute in place; False after a fault."""
        text = values.get("checkpoints")
        if text is None:
            return True
        scheme, _, rest = text.partition(":")
        if scheme == "dynamodb" and rest:
            message = f"found {quoted(text)}, expected sqlite:PATH: checkpoints in DynamoDB are not supported yet"
        elif scheme != "sqlite" or not rest or rest.startswith("//") or "\0" in rest or rest == ":memory:":
            message = f"found {quoted(text)}, expected sqlite:PATH"
        else:
            values["checkpoints"] = f"sqlite:{os.path.abspath(folder / rest)}"
            return True
        self._report.fault(("runtime", "checkpoints"), message)
        return False

    def _http(self, values: dict[str, Any]) -> bool:
        """Whoever reaches an address that is not loopback could pause mappings: a token is needed. False after a fault."""
        http = values.get("http")
        if not isinstance(http, Http) or http.token is not None or _is_loopback(http.host):
            return True
        message = (
            f"found host {http.host} without a token, expected a token of 8 characters or more (or a loopback host such as "
            "127.0.0.1): who reaches that address could pause mappings and read errors"
        )
        self._report.fault(("runtime", "http"), message)
        return False

    def _runtime(self, runtime: Runtime | None, base: FilePath) -> Runtime:
        """The runtime's options with the default checkpoint file in CONFIG's folder."""
        runtime = runtime or Runtime()
        if "checkpoints" in runtime.model_fields_set:
            return runtime
        default = Runtime().sqlite_path
        return runtime.model_copy(update={"checkpoints": f"sqlite:{os.path.abspath(base / default)}"})

    def _functions(self, members: dict[str, tuple[Source, Entry]]) -> dict[str, FunctionModel]:
        found = {}
        for name, (source, entry) in members.items():
            path: Path = ("functions", name)
            self._report.enter(path, entry.node, path, entry.place)
            function = read_function(name, entry.node, Reader(self._report, source.folder), path)
            if function is not None:
                found[name] = function
        return found

    def _mappings(
        self, members: dict[str, tuple[Source, Entry]], functions: Mapping[str, object]
    ) -> dict[str, MappingModel]:
        mappings = MappingReader(functions if self._complete else None, self._checks, self._now)
        found = {}
        for name, (source, entry) in members.items():
            path: Path = ("event_source_mappings", name)
            self._report.enter(path, entry.node, path, entry.place)
            reader = Reader(self._report, source.folder, pasted=True)
            mapping = mappings.read(name, entry.node, reader, path)
            if mapping is not None:
                found[name] = mapping
        return found

    def _remark(self, config: Config, sources: list[Source]) -> None:
        if not config.event_source_mappings:
            self._report.notes.append(
                Note(sources[0].file, 1, "", "there are no event_source_mappings: nothing would be polled")
            )


def _misplaced(section: str) -> Callable[[str, object], str | None]:
    def explain(key: str, _node: object) -> str | None:
        if section == "runtime" and key == "console":
            return "found a section, expected it at the top level of the file, beside runtime"
        return None

    return explain


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
