"""From CONFIG, a file or a folder of files, to a whole checked configuration, or to every fault in it at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeAlias

from config import between
from config.faults import ConfigError, Fault, Note, Report
from config.files import ConfigFile, fault_of, find_files, read_file
from config.functions.reading import read_function
from config.models import Config
from config.options.reader import Reader
from config.options.spelling import suggestion
from config.schedules.reading import ScheduleReader
from config.sections import SINGLE, read_section, with_places
from config.settings import Aws
from config.sources import listed, registry
from config.sources.reading import MappingReader
from config.text.nodes import Entry, Scalar, Table, Unparsable, describe, is_faulty, is_null, quoted, walk
from config.text.places import Path, Place, dotted
from config.unused import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from config.functions.registry import FunctionModel
    from config.options.outcome import Read, Reading
    from config.schedules.model import Schedule
    from config.sources.kind import EventSource
    from config.sources.mapping import Mapping as MappingModel

    Check: TypeAlias = Callable[[MappingModel], Iterable[tuple[Path, str, bool]]]

NAMED = ("functions", "event_source_mappings", "schedules")
"""Sections whose members may be spread over files."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what the reader should know about it."""

    config: Config
    notes: list[Note]
    files: tuple[FilePath, ...] = ()
    _report: Report = field(default_factory=Report, repr=False, compare=False)

    def where(self, path: Path) -> str:
        """Where a path from the root, in the models' spelling, stands: file and line."""
        place, _ = self._report.locate(path)
        return str(place)

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
        paths, files = self._read(path)
        for file in files:
            self._survey(file)
        if files:
            self._report.enter((), files[0].table, ())
        members = {section: dict(self._members(section, files)) for section in NAMED}
        functions = self._functions(members["functions"])
        sections = self._sections_given_once(files)
        mappings, known = self._mappings(members["event_source_mappings"], members["functions"])
        schedules = self._schedules(members["schedules"], members["functions"])
        self._check_between(
            between.Given(_readings(sections), _readings(functions), known, has_schedules=bool(members["schedules"]))
        )
        if self._report.faults:
            raise ConfigError(self._report.faults)
        folder = files[0].folder if not path.is_dir() else FilePath(os.path.abspath(path))
        single = _models(sections)
        single["runtime"] = with_places(single.get("runtime"), folder)
        endpoints = single.get("aws", Aws()).endpoint_urls
        located = {name: registry.located(mapping, endpoints) for name, mapping in mappings.items()}
        config = Config(**single, functions=_models(functions), event_source_mappings=located, schedules=schedules)
        self._note_without_mappings(config, files)
        self._note_unserved_urls(config)
        self._note_unused(config)
        for found in between.remarks(config):
            self._report.note(found.path, found.message)
        return Loaded(config, sorted(set(self._report.notes)), tuple(paths), self._report)

    def _read(self, path: FilePath) -> tuple[list[FilePath], list[ConfigFile]]:
        """The paths of all files, and those of the files that could be parsed."""
        paths, files = [], []
        try:
            paths = find_files(path)
        except Unparsable as error:
            self._unreadable(error)
        for each in paths:
            try:
                files.append(read_file(each, self._environ))
            except Unparsable as error:
                self._unreadable(error)
        return paths, files

    def _unreadable(self, error: Unparsable) -> None:
        self._report.faults.append(fault_of(error))
        self._complete = False

    def _survey(self, file: ConfigFile) -> None:
        """Faults that do not depend on what options mean: repeated keys, unset variables, sections that do not exist."""
        for path, node in walk(file.table):
            if isinstance(node, Scalar) and node.problem is not None:
                self._report.faults.append(Fault(*node.place, dotted(path), node.problem))
            elif isinstance(node, Table):
                for key, place in node.repeated:
                    self._repeated((*path, key), place)
        for key, entry in file.table.entries.items():
            if key not in SINGLE and key not in NAMED and key not in listed.MEMBERS and not key.startswith("x-"):
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

    def _members(self, section: str, files: list[ConfigFile]) -> Iterator[tuple[str, tuple[ConfigFile, Entry]]]:
        """Each member of a section with its file; one that two files define is a fault."""
        places: dict[str, Place] = {}
        for file, entry in self._sections(section, files):
            if section == "event_source_mappings" and (wrong := listed.misplaced(entry)) is not None:
                self._report.faults.append(Fault(*entry.place, section, wrong))
                continue
            if not isinstance(entry.node, Table):
                message = f"found {describe(entry.node)}, expected a mapping of names to {section.replace('_', ' ')}"
                if not is_faulty(entry.node):
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
                yield name, (file, member)

    def _sections(self, section: str, files: list[ConfigFile]) -> Iterator[tuple[ConfigFile, Entry]]:
        """Where the files give a section, AWS's list of mappings included."""
        for file in files:
            entry = file.table.entries.get(section)
            if entry is not None and not is_null(entry.node):
                yield file, entry
            if section == "event_source_mappings":
                reply = listed.members(file.table, self._report)
                if reply is not None:
                    yield file, reply

    def _sections_given_once(self, files: list[ConfigFile]) -> dict[str, Read[Any]]:
        found = {name: self._single(name, files) for name in SINGLE}
        return {name: section for name, section in found.items() if section is not None}

    def _single(self, name: str, files: list[ConfigFile]) -> Read[Any] | None:
        """A section that may be given once; one that a second file gives is a fault."""
        given = [
            (file, file.table.entries[name])
            for file in files
            if name in file.table.entries and not is_null(file.table.entries[name].node)
        ]
        for _, entry in given[1:]:
            message = f"found the section a second time, expected it once: it is also given in {given[0][1].place}"
            self._report.faults.append(Fault(*entry.place, name, message))
        if not given:
            return None
        file, entry = given[0]
        return read_section(name, entry, Reader(self._report, file.folder))

    def _functions(self, members: dict[str, tuple[ConfigFile, Entry]]) -> dict[str, Read[FunctionModel]]:
        found = {}
        for name, (file, entry) in members.items():
            path: Path = ("functions", name)
            self._report.enter(path, entry.node, path, entry.place)
            found[name] = read_function(name, entry.node, Reader(self._report, file.folder), path)
        return found

    def _mappings(
        self, members: dict[str, tuple[ConfigFile, Entry]], functions: Mapping[str, object]
    ) -> tuple[dict[str, MappingModel], dict[str, tuple[EventSource, Reading]]]:
        """The mappings, and what could be read of each."""
        mappings = MappingReader(functions if self._complete else None, self._checks, self._now)
        found = {}
        for name, (file, entry) in members.items():
            path: Path = ("event_source_mappings", name)
            self._report.enter(path, entry.node, path, entry.place)
            reader = Reader(self._report, file.folder, pasted=True)
            mapping = mappings.read(name, entry.node, reader, path)
            if mapping is not None:
                found[name] = mapping
        return found, mappings.known

    def _schedules(
        self, members: dict[str, tuple[ConfigFile, Entry]], functions: Mapping[str, object]
    ) -> dict[str, Schedule]:
        schedules = ScheduleReader(functions if self._complete else None, self._now)
        found = {}
        for name, (file, entry) in members.items():
            path: Path = ("schedules", name)
            self._report.enter(path, entry.node, path, entry.place)
            schedule = schedules.read(name, entry.node, Reader(self._report, file.folder, pasted=True), path)
            if schedule is not None:
                found[name] = schedule
        return found

    def _check_between(self, given: between.Given) -> None:
        for found in between.findings(given):
            self._report.fault(found.path, found.message)

    def _note_without_mappings(self, config: Config, files: list[ConfigFile]) -> None:
        if not config.event_source_mappings and config.lambda_api is None and not config.schedules:
            self._report.notes.append(
                Note(files[0].file, 1, "", "there are no event_source_mappings: nothing would be polled")
            )

    def _note_unserved_urls(self, config: Config) -> None:
        """A URL is easily thought to be served when nothing serves it, or another of its name."""
        urls = [name for name, function in config.functions.items() if function.function_url is not None]
        for name in urls:
            path: Path = ("functions", name, "function_url")
            if config.lambda_api is None:
                self._report.note(path, "it is not served without lambda_api, which says on which address")
            alike = [other for other in urls if other != name and other.lower() == name.lower()]
            if alike and name != name.lower():
                message = f"it is served by path only: in a host name, {name} cannot be told from {alike[0]}"
                self._report.note(path, message)

    def _note_unused(self, config: Config) -> None:
        for path, message in unused(config):
            self._report.note(path, message)


def _models(read: Mapping[str, Read[Any]]) -> dict[str, Any]:
    return {name: one.model for name, one in read.items() if one.model is not None}


def _readings(read: Mapping[str, Read[Any]]) -> dict[str, Reading]:
    return {name: one.reading for name, one in read.items()}
