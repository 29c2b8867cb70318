"""From CONFIG, a file or a folder of files, to a whole checked configuration, or to every fault in it at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeAlias

from config.faults import ConfigError, Fault, Note, Report
from config.files import ConfigFile, fault_of, find_files, read_file
from config.functions.asynchronous import tells_itself
from config.functions.reading import read_function
from config.lease_tables import mapping_problems, schedules_problems
from config.models import API_REGION, Config
from config.options.reader import Reader
from config.options.spelling import suggestion
from config.schedules.reading import ScheduleReader
from config.sections import SINGLE, read_section, with_places
from config.sources import listed
from config.sources.reading import MappingReader
from config.sources.registry import source_of
from config.text.arns import partition_of
from config.text.nodes import Entry, Scalar, Table, Unparsable, describe, is_faulty, is_null, quoted, walk
from config.text.places import Path, Place, dotted
from config.unused import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from config.functions.registry import FunctionModel
    from config.schedules.model import Schedule
    from config.settings import Runtime
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
        single = {name: self._single(name, files) for name in SINGLE}
        self._check_destinations(functions, single)
        mappings = self._mappings(members["event_source_mappings"], members["functions"])
        schedules = self._schedules(members["schedules"], members["functions"])
        self._check_lease_tables(single["runtime"], mappings, has_schedules=bool(members["schedules"]))
        if self._report.faults:
            raise ConfigError(self._report.faults)
        folder = files[0].folder if not path.is_dir() else FilePath(os.path.abspath(path))
        single["runtime"] = with_places(single["runtime"], folder)
        given = {name: section for name, section in single.items() if section is not None}
        config = Config(**given, functions=functions, event_source_mappings=mappings, schedules=schedules)
        self._note_without_mappings(config, files)
        self._note_unserved_urls(config)
        self._note_unused(config)
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

    def _single(self, name: str, files: list[ConfigFile]) -> Any:  # noqa: ANN401 - an instance of the section's model
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

    def _functions(self, members: dict[str, tuple[ConfigFile, Entry]]) -> dict[str, FunctionModel]:
        found = {}
        for name, (file, entry) in members.items():
            path: Path = ("functions", name)
            self._report.enter(path, entry.node, path, entry.place)
            function = read_function(name, entry.node, Reader(self._report, file.folder), path)
            if function is not None:
                found[name] = function
        return found

    def _check_destinations(self, functions: Mapping[str, FunctionModel], single: Mapping[str, Any]) -> None:
        """Where functions have ARNs, which Lambda's API gives them, none is a destination for itself."""
        aws, api = single["aws"], single["lambda_api"]
        if api is None:
            return
        region = api.region or (aws.region if aws is not None else None) or API_REGION
        for name, function in functions.items():
            arn = f"arn:{partition_of(region)}:lambda:{region}:{api.account}:function:{name}"
            for found in tells_itself(arn, function.event_invoke_config):
                self._report.fault(("functions", name, *found.path), found.message)

    def _mappings(
        self, members: dict[str, tuple[ConfigFile, Entry]], functions: Mapping[str, object]
    ) -> dict[str, MappingModel]:
        mappings = MappingReader(functions if self._complete else None, self._checks, self._now)
        found = {}
        for name, (file, entry) in members.items():
            path: Path = ("event_source_mappings", name)
            self._report.enter(path, entry.node, path, entry.place)
            reader = Reader(self._report, file.folder, pasted=True)
            mapping = mappings.read(name, entry.node, reader, path)
            if mapping is not None:
                found[name] = mapping
        return found

    def _check_lease_tables(
        self, runtime: Runtime | None, mappings: Mapping[str, MappingModel], *, has_schedules: bool
    ) -> None:
        """Each stream mapping has a table of its own, and the schedules have one, of names that DynamoDB takes."""
        if runtime is None or runtime.lease_tables is None:
            return
        streams = [
            name for name, mapping in mappings.items() if source_of(mapping.event_source_arn).kind.family.has_shards
        ]
        problems = [*mapping_problems(runtime.lease_tables, streams)]
        if has_schedules:
            problems += schedules_problems(runtime.lease_tables, streams)
        for problem in problems:
            self._report.fault(("runtime", "checkpoints"), problem)

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
