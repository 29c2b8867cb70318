"""Where the code of a function is on this machine, as far as a state tells: the folder of an archive, or the archive itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pollers.importing.local import is_code
from pollers.importing.running import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pollers.importing.deployed import Document
    from pollers.importing.terraform.resources import Resource

_HASHES = ("output_base64sha256", "output_sha256", "output_sha", "output_md5")


def code_finder(resources: Iterable[Resource], folder: Path, chosen: Mapping[str, Path]) -> Callable[[Document], Code]:
    """Finds the code of functions. Paths in a state are relative to ``folder``; ``chosen`` are folders by a function's name or its
    address.
    """
    archives = [one for one in resources if one.type == "archive_file"]

    def code_of(document: Document) -> Code:
        address = document.origin.called
        for name in (document.text("function_name"), document.name, address):
            if name in chosen:
                there = is_code(chosen[name])
                return Code(chosen[name]) if there else Code(missing=f"{chosen[name]} is not there", expected=True)
        use = f"(or use --code-folder {document.text('function_name') or document.name}=PATH)"
        if document.text("package_type") == "Image":
            return Code(missing="it is an image")
        for path in _paths(document, archives):
            found = folder / path
            if is_code(found):
                return Code(found)
        return Code(missing=f"where its code is on this machine is not told {use}", expected=_is_planned(document))

    return code_of


def _paths(document: Document, archives: list[Resource]) -> Iterable[Path]:
    """Where the code may be: the folder that its archive was made of, the folder of the one file in it, the archive."""
    filename, made = document.text("filename"), document.text("source_code_hash")
    for archive in archives:
        values = archive.values
        if (filename and values.get("output_path") == filename) or (made and made in map(values.get, _HASHES)):
            folder, file = values.get("source_dir"), values.get("source_file")
            if isinstance(folder, str) and folder:
                yield Path(folder)
            elif isinstance(file, str) and file:
                yield Path(file).parent
    if filename:
        yield Path(filename)


def _is_planned(document: Document) -> bool:
    """Whether it is only planned: there is nothing in AWS yet that could be called."""
    return not document.text("arn")
