"""What to import instead of something that is near it: the project's own files, before a tool has made anything of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.importing.form import Source

_SOURCES = ("template.yaml", "template.yml", "template.json", "serverless.yml", "serverless.yaml")
_CDK = "what it makes: run `cdk synth`, and import the folder cdk.out"


def hint(source: Source) -> str | None:
    """What would be right in this source's place; None where nothing is near."""
    try:
        if source.is_folder:
            return _of_folder(source.path, source.text.rstrip("/"))
        return _of_file(source.path) if source.is_file else None
    except OSError:
        return None


def _of_file(path: Path) -> str | None:
    return _CDK if path.name == "cdk.json" else None


def _of_folder(path: Path, shown: str) -> str | None:
    if (path / "cdk.json").is_file():
        return f"{shown}/cdk.out" if (path / "cdk.out").is_dir() else _CDK
    for name in _SOURCES:
        if (path / name).is_file():
            return f"a file in it, such as {shown}/{name}"
    return None
