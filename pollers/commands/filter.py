"""``headrace filter``: match events against event patterns, as a mapping's filters would."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from pollers.commands.configuration import EXIT_UNUSABLE, load_or_exit
from pollers.filtering.check import notes_on
from pollers.filtering.criteria import patterns_in
from pollers.filtering.errors import PatternError
from pollers.filtering.pattern import Pattern
from pollers.filtering.records import compile_for_view
from pollers.filtering.syntax import parse
from pollers.jsontext.numbers import Json, NotJson, decode
from pollers.sources.registry import kind_of, kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pollers.filtering.views import View


@dataclass(frozen=True, slots=True)
class _Filter:
    """Compiled patterns. ``failures`` gives a reason for each pattern that an event does not match."""

    matches: Callable[[Json], bool]
    failures: Callable[[Json], list[str]]
    needs_number_texts: bool


@click.command("filter")
@click.argument("events", type=click.File("rb"), metavar="EVENTS.jsonl")
@click.option(
    "--pattern", metavar="FILE|JSON", help="An event pattern or a whole FilterCriteria: a file, or the JSON itself."
)
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Take the filters of a mapping of this configuration."
)
@click.option(
    "--mapping", metavar="NAME", help="The mapping in CONFIG; its source is taken, too, unless --source is given."
)
@click.option(
    "--source",
    type=click.Choice([kind.name for kind in kinds() if kind.patterns is not None]),
    help="Events are Lambda event records of this source.",
)
@click.option("--json", "as_json", is_flag=True, help='Print {"event": 1, "match": true}, one object a line.')
@click.option("--explain", is_flag=True, help="Say which condition failed first.")
def command(
    events: BinaryIO,
    pattern: str | None,
    config: Path | None,
    mapping: str | None,
    source: str | None,
    as_json: bool,
    explain: bool,
) -> None:
    """Print "match" or "no match" for each event of EVENTS.jsonl (one JSON value a line; - for standard input), in order.

    Without --source an event is matched as it stands. With it, an event is one record as functions get it: the body or data
    is decoded, and a Kinesis record's inner members stand at the top. With -c and --mapping the source is the mapping's.
    """
    texts, view = _chosen(pattern, config, mapping)
    if source is not None:
        view = next(kind.patterns.event_view for kind in kinds() if kind.name == source and kind.patterns is not None)
    chosen = _compiled(texts, view)
    if explain:
        for note in _notes(texts, view):
            click.echo(f"note: {note}", err=True)
    show = _as_json if as_json else _as_text
    follow = events is sys.stdin.buffer
    for number, event in enumerate(_values(events, chosen.needs_number_texts, view), start=1):
        matched = chosen.matches(event)
        failed = chosen.failures(event) if explain and not matched else []
        sys.stdout.write(show(number, matched, failed) + "\n")
        if follow:
            sys.stdout.flush()


def _chosen(pattern: str | None, config: Path | None, mapping: str | None) -> tuple[list[str], View | None]:
    """The patterns' texts, and the view of its source's event records if a mapping is named."""
    if pattern is not None and config is None and mapping is None:
        return _patterns_of(pattern), None
    if pattern is not None or config is None or mapping is None:
        raise click.UsageError("give either --pattern, or both -c and --mapping")
    mappings = load_or_exit(config).config.event_source_mappings
    if mapping not in mappings:
        _refuse(f"{config} has no mapping {mapping}: it has {', '.join(mappings) or 'none'}")
    filters, patterns = mappings[mapping].filter_criteria.filters, kind_of(mappings[mapping]).patterns
    if not filters or patterns is None:
        _refuse(f"the mapping {mapping} has no filters: every event matches")
    return [filter_.pattern for filter_ in filters], patterns.event_view


def _patterns_of(pattern: str) -> list[str]:
    """The patterns in the option's value, or in the file that it names."""
    text = pattern
    if not pattern.lstrip().startswith(("{", "[", '"')):
        try:
            text = Path(pattern).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            _refuse(f"--pattern {pattern}: it is no JSON object, and cannot be read as a file: {error}")
    try:
        return patterns_in(text)
    except PatternError as fault:
        _refuse(str(fault))


def _compiled(texts: list[str], view: View | None) -> _Filter:
    for number, text in enumerate(texts, start=1):
        try:
            Pattern.compile(text)
            if view is not None:
                compile_for_view(view, [text])
        except PatternError as fault:
            _refuse(f"Invalid filter pattern definition. {_numbered(number, texts)}{fault}")
    if view is not None:
        records = compile_for_view(view, texts)
        return _Filter(records.matches, records.explain, records.needs_number_texts)
    patterns = [Pattern.compile(text) for text in texts]
    return _Filter(
        lambda event: any(pattern.matches(event) for pattern in patterns),
        lambda event: [failure for pattern in patterns if (failure := pattern.explain(event)) is not None],
        any(pattern.needs_number_texts for pattern in patterns),
    )


def _notes(texts: list[str], view: View | None) -> Iterator[str]:
    from pollers.filtering.errors import path_text

    for number, text in enumerate(texts, start=1):
        for path, message in notes_on(parse(text), None if view is None else view.shape):
            yield f"{_numbered(number, texts)}{path_text(path)}: {message}"


def _numbered(number: int, texts: list[str]) -> str:
    return f"filter {number}: " if len(texts) > 1 else ""


def _values(lines: Iterable[bytes], keep_number_texts: bool, view: View | None) -> Iterator[Json]:
    """The JSON value of each line; empty lines are skipped."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        value = decode(text, keep_number_texts=keep_number_texts)
        if isinstance(value, NotJson):
            _refuse(f"line {number} is not JSON: one event a line is expected")
        if view is not None:
            _must_be_record(value, number, view.shape.array)
        yield value


def _must_be_record(value: Json, number: int, array: str) -> None:
    if not isinstance(value, dict):
        _refuse(f"line {number} is no record: with a source, each line is a JSON object, one record of its events")
    if isinstance(value.get(array), list):
        _refuse(f"line {number} is a whole event: with a source, each line is one of its records (jq -c '.{array}[]')")


def _as_text(_number: int, matched: bool, failed: list[str]) -> str:
    if matched:
        return "match"
    return f"no match: {'; or '.join(failed)}" if failed else "no match"


def _as_json(number: int, matched: bool, failed: list[str]) -> str:
    outcome: dict[str, Json] = {"event": number, "match": matched}
    if failed:
        outcome["failed"] = failed
    return json.dumps(outcome)


def _refuse(message: str) -> NoReturn:
    """Print what cannot be used to stderr, after what was printed so far, and exit with 2."""
    sys.stdout.flush()
    click.echo(message, err=True)
    sys.exit(EXIT_UNUSABLE)
