"""The exact versions that set-up installs: constraints.txt and the emulators' own files."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pollers.emulators import LocalStack, Ministack, SecantusDB
from pollers.emulators.pinned import PINS

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "constraints.txt", *sorted(PINS.glob("*.txt"))]
LINE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.!+]*( ; [a-z_]+ [!=<>]=? '[A-Za-z0-9_.]+'( (and|or) .*)?)?")


def pins(file: Path) -> dict[str, list[Requirement]]:
    """The lines of a file by name; there are several where platforms or Pythons differ."""
    found: dict[str, list[Requirement]] = {}
    for line in file.read_text().splitlines():
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def wanted() -> list[Requirement]:
    """Everything that pyproject.toml asks for: to run, to develop, to build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    texts = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    return [Requirement(text) for text in [*texts, *(text for more in [*extras, *groups] for text in more)]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_line_is_a_name_and_an_exact_version(file: Path) -> None:
    """No addresses, hashes, ranges or remarks: the same file serves behind any index."""
    lines = file.read_text().splitlines()

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert len(set(lines)) == len(lines)


def test_everything_that_is_asked_for_is_pinned_within_its_range() -> None:
    """``make constraints`` was run after the last change of pyproject.toml."""
    pinned = pins(ROOT / "constraints.txt")

    for requirement in wanted():
        lines = pinned.get(canonicalize_name(requirement.name), [])
        assert lines, f"{requirement.name} is not in constraints.txt: run make constraints"
        for line in lines:
            [exact] = line.specifier
            assert requirement.specifier.contains(exact.version, prereleases=True), f"{requirement} against {line}"


def test_the_extra_boto3_agrees_with_the_botocore_that_aiobotocore_needs() -> None:
    """Each boto3 wants botocore of its own minor version, and aiobotocore holds botocore to a few releases."""
    needed = [Requirement(text) for text in requires("aiobotocore") or ()]
    [botocore] = [one.specifier for one in needed if one.name == "botocore" and one.marker is None]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [boto3] = [Requirement(text) for text in project["optional-dependencies"]["boto3"]]
    pinned = pins(ROOT / "constraints.txt")

    lowest = next(one.version for one in botocore if one.operator == ">=")
    assert boto3.specifier.contains(lowest)
    major, minor = Version(lowest).release[:2]
    assert not boto3.specifier.contains(f"{major}.{minor + 1}.0")
    assert pinned["boto3"][0].specifier == pinned["botocore"][0].specifier


@pytest.mark.parametrize(
    ("recipe", "distribution"),
    [(Ministack(), "ministack"), (LocalStack(), "localstack-core"), (SecantusDB(), "secantusdb")],
)
def test_an_emulators_file_is_of_the_version_that_is_installed(
    recipe: Ministack | LocalStack | SecantusDB, distribution: str
) -> None:
    """What an emulator needs was resolved for that version, and what installs and builds it is pinned beside it."""
    found = pins(PINS / f"{recipe.name}.txt")

    assert str(found[distribution][0].specifier) == f"=={recipe.version}"
    assert {"pip", "setuptools", "wheel"} <= found.keys()


def test_a_renewed_file_is_another_revision() -> None:
    """So that it is installed anew, beside what others still run."""
    assert Ministack().revision != LocalStack().revision
    assert re.fullmatch(r"[0-9]+-[0-9a-f]{8}", Ministack().revision)
