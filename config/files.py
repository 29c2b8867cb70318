"""The files of a configuration: which they are, and their text as trees of values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.faults import Fault
from config.text.encoding import decoded
from config.text.interpolation import interpolate
from config.text.json_text import parse_json
from config.text.nodes import Scalar, Table, Unparsable, describe
from config.text.places import Place
from config.text.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIXES = (".yaml", ".yml", ".json")
SIZE_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One parsed file. ``folder`` is absolute; relative paths in the file are relative to it."""

    file: str
    folder: Path
    table: Table


def find_files(path: Path) -> list[Path]:
    """The files of CONFIG: itself, or a folder's ``*.yaml``, ``*.yml`` and ``*.json`` by name, hidden ones left out.

    Raises :class:`config.text.nodes.Unparsable` when there are none.
    """
    place = Place(str(path), 1)
    try:
        if not path.is_dir():
            return [path]
        found = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".") and p.is_file())
    except (OSError, ValueError) as error:
        raise Unparsable(
            place, f"found a folder that cannot be read ({_reason(error)}), expected a readable one"
        ) from error
    if not found:
        raise Unparsable(place, f"found a folder without files, expected at least one file *{', *'.join(SUFFIXES)}")
    return found


def read_file(path: Path, environ: Mapping[str, str]) -> ConfigFile:
    """One file, parsed, with the environment's values filled in. Raises :class:`config.text.nodes.Unparsable`."""
    file = str(path)
    text = decoded(_read(path), file)
    root = (parse_json if path.suffix == ".json" else parse_yaml)(text, file)
    if root is None:
        raise Unparsable(
            Place(file, 1), "found an empty file, expected a mapping with event_source_mappings and functions"
        )
    if isinstance(root, Scalar) and root.problem is not None:
        raise Unparsable(root.place, root.problem)
    if not isinstance(root, Table):
        raise Unparsable(
            root.place, f"found {describe(root)}, expected a mapping with event_source_mappings and functions"
        )
    interpolate(root, environ)
    return ConfigFile(file, Path(os.path.abspath(path)).parent, root)


def fault_of(error: Unparsable) -> Fault:
    """The fault that an unreadable file is."""
    return Fault(error.place.file, error.place.line, "", str(error))


def _read(path: Path) -> bytes:
    place = Place(str(path), 1)
    try:
        with path.open("rb") as opened:
            data = opened.read(SIZE_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unparsable(
            place, f"found a file that cannot be read ({_reason(error)}), expected a readable file"
        ) from error
    if len(data) > SIZE_LIMIT_BYTES:
        raise Unparsable(place, f"found a file of more than {SIZE_LIMIT_BYTES >> 20} MiB, expected a smaller one")
    return data


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
