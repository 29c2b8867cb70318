"""The README is short, and has one set of speed figures, which the benchmarks' page repeats to the digit."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS_AT_MOST = 1_100
"""Without examples and pictures. What is longer belongs into a document of its own."""
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
SPEED = re.compile(r"\d\s?(?:µs|ms)\b|\d x\b|\bCPU-second|\d (?:messages|records|invocations)[\w ]* a second")


def around(file: Path) -> tuple[str, str]:
    """The figures of a page, and the page without them."""
    before, rest = file.read_text(encoding="utf-8").split(BEGIN)
    figures, after = rest.split(END)
    return figures, before + after


def test_the_readme_is_short() -> None:
    """Four thousand words say less to a newcomer than one thousand."""
    prose = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(re.findall(r"[\w'-]+", prose)) <= WORDS_AT_MOST


def test_the_readme_begins_with_two_commands_that_the_makefile_has() -> None:
    """Everything else can be found from there."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands == ["demo", "test"]
    assert set(commands) <= set(targets)


def test_both_pages_have_the_same_figures() -> None:
    """To the digit."""
    assert around(ROOT / "README.md")[0] == around(ROOT / "docs" / "benchmarks.md")[0]


def test_each_figure_is_one_of_the_benchmarks_sections() -> None:
    """What the summary says stands below it too, with how it was measured."""
    figures, sections = around(ROOT / "docs" / "benchmarks.md")
    measured = re.findall(r"\d[\d,.]*\d(?= (?:x|µs|MB|messages|invocations)\b| \|)", figures)

    assert len(measured) >= 14
    assert [
        number for number in measured if not re.search(rf"(?<![\d,.]){re.escape(number)}(?![\d]|[,.]\d)", sections)
    ] == []


def test_the_readme_has_no_other_figures_of_speed() -> None:
    """Two sets would contradict each other one day."""
    assert SPEED.search(around(ROOT / "README.md")[0])
    assert SPEED.findall(around(ROOT / "README.md")[1]) == []
