"""Nothing outside a kind's own files asks which kind a source is: it asks the declaration for what it needs."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.models import ShardedStreamMapping, StreamMapping
from config.sources import registry as config_registry
from pollers.sources.registry import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOMS = ("config", "handlers", "pollers")
ROOT = Path(__file__).parents[3]
HOMES = (ROOT / "config/sources", ROOT / "pollers/sources")
NO_KIND = {
    "config/sections.py": "the scheme of a checkpoint store has the name of a service, too",
    "config/text/targets.py": "a queue that is written to is no source",
    "pollers/samples/streams.py": "samples have the names of services; that every kind has one is tested",
}
MODELS = {StreamMapping.__name__, ShardedStreamMapping.__name__, *(kind.model.__name__ for kind in kinds())}
NAMES = {
    *(kind.name for kind in kinds()),
    *(service for kind in config_registry.KINDS for service in kind.services),
}

_ROOM = re.compile(rf"pollers\.sources\.(streams|{'|'.join(kind.name for kind in kinds())})\b")
"""Whoever is outside and imports from there knows a kind without asking the registry."""


def questions(code: str) -> Iterator[str]:
    """Each place in Python code that asks for a kind: its line, and how it asks."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kind]) if _models(kind):
                yield f"{node.lineno}: isinstance"
            case ast.MatchClass(cls=kind) if _models(kind):
                yield f"{node.lineno}: case of a model"
            case ast.Compare(comparators=others) if any(_names(one) or _models(one) for one in (node.left, *others)):
                yield f"{node.lineno}: comparison"
            case ast.ImportFrom(module=str(module)) if _ROOM.match(module):
                yield f"{node.lineno}: import of a kind's room"
            case ast.MatchValue(value=value) if _names(value):
                yield f"{node.lineno}: case of a name"
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith"), args=[text]) if _names(text):
                yield f"{node.lineno}: comparison of a part"
            case ast.Dict(keys=keys) if sum(key is not None and bool(_names(key) or _models(key)) for key in keys) > 1:
                yield f"{node.lineno}: dictionary"


def _names(node: ast.expr) -> bool:
    """Whether it is a kind's name, or lists one."""
    match node:
        case ast.Constant(value=str() as text):
            return text in NAMES
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return any(_names(element) for element in elements)
    return False


def _models(node: ast.expr) -> bool:
    """Whether it is the model of a kind's mappings, or lists one."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in MODELS
        case ast.Tuple(elts=elements):
            return any(_models(element) for element in elements)
        case ast.BinOp(left=left, right=right):
            return _models(left) or _models(right)
    return False


def outside() -> Iterator[Path]:
    """Every file of code outside the kinds' own folders."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if not any(path.is_relative_to(home) for home in HOMES) and str(path.relative_to(ROOT)) not in NO_KIND:
                yield path


@pytest.mark.parametrize(
    "planted",
    [
        "if isinstance(mapping, SqsMapping): ...",
        "if not isinstance(mapping, models.KinesisMapping | DynamoDBMapping): ...",
        "if issubclass(model, (int, StreamMapping)): ...",
        "if type(mapping) is SqsMapping: ...",
        "match mapping:\n  case SqsMapping(): ...",
        "if mapping.kind == 'sqs': ...",
        "if 'kinesis' != arn.service: ...",
        "if arn.service in ('dynamodb', 'else'): ...",
        "match arn.service:\n  case 'sqs': ...",
        "if mapping.kind.startswith('sqs'): ...",
        "SYSTEMS = {'sqs': 'aws_sqs', 'kinesis': 'aws_kinesis'}",
        "POLLERS = {SqsMapping: 1, KinesisMapping: 2}",
        "def f():\n  from pollers.sources.sqs.kind import SQS",
        "from pollers.sources.streams import stream_kind",
    ],
)
def test_a_question_for_a_kind_is_noticed(planted: str) -> None:
    """However it is asked."""
    assert list(questions(planted))


@pytest.mark.parametrize(
    "innocent",
    [
        "kind_of(mapping).shown.backlog is Backlog.DEPTH",
        "isinstance(value, dict)",
        "from pollers.sources.registry import kind_of",
        "session.client('sqs')",
        "{'sqs': 1}",
        "name == 'orders'",
        "mapping: SqsMapping = load()",
    ],
)
def test_what_asks_for_no_kind_is_left_alone(innocent: str) -> None:
    """The declaration may be asked, and services may be called by their names."""
    assert list(questions(innocent)) == []


def test_nothing_outside_the_kinds_asks_for_one() -> None:
    """So that a new kind is a declaration, and no search for branches."""
    found = [
        f"{path.relative_to(ROOT)}:{question}" for path in outside() for question in questions(path.read_text("utf-8"))
    ]
    assert found == []


def test_the_console_knows_no_kind() -> None:
    """What it shows of a kind comes with the status document."""
    quoted = re.compile("|".join(f"[\"'`]{name}\\b" for name in sorted(NAMES)))
    found = [
        path.name for path in (ROOT / "pollers/server/assets").glob("*.js") if quoted.search(path.read_text("utf-8"))
    ]
    assert found == []
