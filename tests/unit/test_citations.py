"""Documents and code point at each other, and every pointer leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "handlers", "pollers")
FOLDERS = (*PACKAGES, "tests", "benchmarks", "examples", "docs", "deploy", ".ci")
TEXTS = {".py", ".md", ".yaml", ".toml", ".js", ".sh", ""}
NUMBER = r"\d+(?:\.\d+)?"
LAMBDA = re.compile(rf"docs/lambda ({NUMBER}(?:\(\d+\))?(?:(?:, | and | to )\d+\.\d+)*)")
DESIGN = re.compile(r"docs/design, (decision|promise)s? (\d+(?:(?:, | and | to )\d+)*)")
ANY = re.compile(r"docs/(?:lambda|design)(?=[ ,])(?! N\b|, \w+ N\b)")
OLD = ("lambda" + "-behaviour", *(f"DES{end}" for end in ("IGN decision", "IGN.md", "IGN promise")))
NAMED = re.compile(r"`([^`\n]+)`(?=((?:\s+\(`[^)]*`\)|,\s+`[\w.]+`)?))")
"""A code span, and names that follow it."""
CITED = re.compile(r"docs/(?:lambda|design)[ ,]")
PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(re.escape(folder) for folder in FOLDERS)})/[\w./*-]*")
ROLE = re.compile(r":(?:class|func|data|meth|mod|attr|exc):`~?((?:config|handlers|pollers|tests)(?:\.\w+)+)`")
"""A name with its module, in a comment or docstring."""
EXAMPLES = {"app.py", "functions/orders/app.py"}
"""Files of users, in documents."""
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
"""``KIND`` and ``NAME`` in a path of a document stand for any."""


@cache
def files() -> tuple[Path, ...]:
    """Every text of the project but the changelog, which tells of what was."""
    inside = (file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*")))
    loose = (
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "Makefile", "Dockerfile", "pyproject.toml", "compose.yaml")
    )
    return tuple(
        file
        for file in (*inside, *loose)
        if (file.suffix in TEXTS or file.parent == ROOT) and file.is_file() and "node_modules" not in file.parts
    )


def documents() -> tuple[Path, ...]:
    """The Markdown files."""
    return tuple(file for file in files() if file.suffix == ".md" and not file.is_relative_to(ROOT / "examples"))


@cache
def text_of(file: Path) -> str:
    """A file's text."""
    return file.read_text(encoding="utf-8")


def on_one_line(text: str) -> str:
    """The text without line breaks and marks of comments: a citation may run over the end of a line."""
    return re.sub(r"\s*\n[ \t]*(?:#|//|\*)?[ \t]*", " ", text)


@cache
def lambda_sections() -> frozenset[str]:
    """The numbers that headings of ``docs/lambda`` have; those of lists' items in parentheses, as in ``0.1(3)``."""
    found: set[str] = set()
    for page in (ROOT / "docs" / "lambda").glob("*.md"):
        section = ""
        for line in text_of(page).splitlines():
            if heading := re.match(rf"#+ ({NUMBER})\.? ", line):
                section = heading[1]
                assert section not in found, f"{section} twice"
                found.add(section)
            elif item := re.match(r"(\d+)\. ", line):
                found.add(f"{section}({item[1]})")
    return frozenset(found)


@cache
def design_numbers() -> dict[str, frozenset[str]]:
    """The numbers of the design's decisions and promises."""
    text = text_of(ROOT / "docs" / "design.md")
    promises = text.split("## Promises")[1].split("\n## ")[0]
    return {
        "decision": frozenset(re.findall(r"^### Decision (\d+): ", text, re.MULTILINE)),
        "promise": frozenset(re.findall(r"^(\d+)\. \*\*", promises, re.MULTILINE)),
    }


def numbers(cited: str) -> Iterator[str]:
    """Each number of "4.1, 4.3 to 4.5 and 6": the ends of a range, and what is between them."""
    parts = re.split(r"(, | and | to )", cited)
    for at, part in enumerate(parts):
        if part == " to " and "." in part + parts[at - 1]:
            chapter, first = parts[at - 1].split(".")
            last = parts[at + 1].split(".")[1]
            yield from (f"{chapter}.{n}" for n in range(int(first) + 1, int(last)))
        elif at % 2 == 0:
            yield part


def faults_of_citations(text: str) -> list[str]:
    """The citations of a text that lead nowhere, or that cannot be read."""
    text = on_one_line(text)
    faults = [
        f"docs/lambda {n}" for cited in LAMBDA.findall(text) for n in numbers(cited) if n not in lambda_sections()
    ]
    for what, cited in DESIGN.findall(text):
        faults += [f"docs/design, {what} {n}" for n in numbers(cited) if n not in design_numbers()[what]]
    faults += [old for old in OLD if old in text]
    readable = {match.start() for pattern in (LAMBDA, DESIGN) for match in pattern.finditer(text)}
    return faults + [text[m.start() : m.start() + 40] for m in ANY.finditer(text) if m.start() not in readable]


def faults_of_paths(text: str) -> list[str]:
    """The paths in a document's code spans that do not exist, and the names that the file does not define.

    Names follow their file in parentheses, or behind a comma: `pollers/engine/batching.py` (`Gather`, `join_event`).
    """
    faults = []
    for span, named in NAMED.findall(text):
        if not CITED.match(span):
            faults += [path for path in PATH.findall(span) if not exists(path)]
            faults += [name for name in re.findall(r"(?<![\w/.*-])[\w/]+\.py\b", span) if not ends_a_path(name)]
        target = ROOT / span
        if target.suffix == ".py" and target.is_file():
            faults += [
                f"{span}: {name}"
                for name in re.findall(r"`([\w.]+)`", named)
                if not (name.endswith(".py") or defines(target, name))
            ]
    return faults


def exists(path: str) -> bool:
    """Whether the path is there, placeholders and stars standing for anything."""
    path = path.rstrip(".")
    pattern = PLACEHOLDER.sub("*", path)
    return bool(list(ROOT.glob(pattern.rstrip("/")))) if "*" in pattern else (ROOT / path).exists()


def ends_a_path(name: str) -> bool:
    """Whether a file of ours, or of an example of a user's code, is called so."""
    return (
        name in EXAMPLES
        or PLACEHOLDER.search(name) is not None
        or any(f"/{file}".endswith(f"/{name}") for file in files())
    )


def defines(file: Path, name: str) -> bool:
    """Whether the file has a definition of the name's last part, and mentions its first."""
    first, _, last = name.rpartition(".")
    text = text_of(file)
    found = re.search(rf"^\s*(?:async )?(?:def|class) {last}\b|^\s*{last}\b[^=\n]*=", text, re.MULTILINE)
    return bool(found) and (not first or re.search(rf"^class {first}\b", text, re.MULTILINE) is not None)


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(file: Path) -> set[str]:
    """What links to the file may end with."""
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)}


def faults_of_links(text: str, file: Path) -> list[str]:
    """The relative links of a document that lead to no file or to no heading."""
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (file.parent / path).resolve() if path else file
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            faults.append(target)
    return faults


def faults_of_roles(text: str) -> list[str]:
    """The dotted names in ``:class:`...``` and the like whose module does not exist, or does not have the name."""
    return [name for name in ROLE.findall(text) if not resolves(name)]


def resolves(name: str) -> bool:
    """Whether a dotted name leads to a module, or to names in the text of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            return all(re.search(rf"\b{part}\b", text_of(file)) for part in parts[end:])
    return False


@pytest.mark.parametrize("folder", [*FOLDERS, ""])
def test_every_citation_resolves(folder: str) -> None:
    """Each names a section that there is, in the form that can be searched for."""
    here = [file for file in files() if (file.relative_to(ROOT).parts[0] == folder if folder else file.parent == ROOT)]
    faults = {str(file): faults_of_citations(text_of(file)) for file in here if file != Path(__file__)}
    assert {file: found for file, found in faults.items() if found} == {}
    assert here


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_document_names_exists(file: Path) -> None:
    """Paths, the names that it says they define, and links."""
    assert faults_of_paths(text_of(file)) == []
    assert faults_of_links(text_of(file), file) == []


def test_documents_that_the_code_names_exist() -> None:
    """``docs/NAME.md`` in a comment or docstring."""
    named = {
        (path, file)
        for file in files()
        if file.suffix == ".py"
        for path in re.findall(r"\bdocs/[\w/-]+\.md", text_of(file))
    }
    assert [(path, str(file)) for path, file in named if file != Path(__file__) and not (ROOT / path).is_file()] == []


def test_what_the_next_version_names_exists() -> None:
    """Of the changelog, what is not released yet is about the code as it is."""
    text = text_of(ROOT / "CHANGELOG.md").split("## [Unreleased]")[1].split("\n## ")[0]
    assert faults_of_paths(text) == []


def test_names_in_other_modules_exist() -> None:
    """What a comment or docstring refers to with its module."""
    found = {str(file): faults_of_roles(text_of(file)) for file in files() if file.suffix == ".py"}
    assert {file: faults for file, faults in found.items() if faults and file != __file__} == {}


@pytest.mark.parametrize(
    "name", ["pollers.engine.no_such_module", "pollers.engine.batching.no_such_name", "pollers.no_such_room.x"]
)
def test_a_name_in_no_module_is_found(name: str) -> None:
    """The module, or the name in it."""
    assert faults_of_roles(f":data:`{name}`") == [name]


@pytest.mark.parametrize(
    "planted",
    [
        "(docs/lambda 4.99)",
        "(docs/lambda 3.3, 4.3 to 4.55)",
        "(docs/lambda 6.2, 6.99)",
        "(docs/lambda\n    # 1.99)",
        "(docs/lambda 0.1(99))",
        "(docs/lambda, section 4)",
        "(docs/design, decision 99)",
        "(docs/design, decisions 4, 8 and 99)",
        "(docs/design, promise 9)",
        "(docs/design 4)",
        *(f"({old} 4)" for old in OLD),
    ],
)
def test_a_citation_that_leads_nowhere_is_found(planted: str) -> None:
    """In each form in which citations are written."""
    assert faults_of_citations(f'"""A rule {planted}."""')


@pytest.mark.parametrize(
    "planted",
    [
        "`pollers/engine/nothing.py`",
        "`tests/no/such`",
        "`pollers/engine/batching.py` (`no_such_name`)",
        "`pollers/engine/batching.py`, `Gather.no_such_name`",
        "`config/KIND/nothing/`",
    ],
)
def test_a_path_that_leads_nowhere_is_found(planted: str) -> None:
    """The file, or what it is said to define."""
    assert faults_of_paths(f"See {planted}.")


@pytest.mark.parametrize("planted", ["[x](nothing.md)", "[x](streams.md#no-such-heading)", "[x](#nothing)"])
def test_a_link_that_leads_nowhere_is_found(planted: str) -> None:
    """The file or the heading."""
    assert faults_of_links(planted, ROOT / "docs" / "streams.md")
