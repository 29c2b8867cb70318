"""From the text of other tools' files to a tree of values with their lines: YAML 1.1 with CloudFormation's tags, and JSON.

Headrace's own files are YAML 1.2; these are not (docs/lambda 17.1): ``yes`` and ``on`` are truth values, tags are functions.
Times are text, since nobody wants them as anything else, and so are numbers that begin with 0, such as an account's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from config.text.encoding import decoded
from config.text.json_text import parse_json
from config.text.nodes import MAXIMUM_DEPTH, MAXIMUM_NODES, Entry, Node, Scalar, Sequence, Table, Unparsable
from config.text.places import Place
from config.text.yaml_depth import line_beyond

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE|yes|Yes|YES|on|On|ON")
_FALSE = re.compile(r"false|False|FALSE|no|No|NO|off|Off|OFF")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_MERGE = "<<"
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read_tree(path: Path, shown: str) -> Node:
    """The whole file as a tree; places name it ``shown``. Raises :class:`Unparsable`: what was found, and where."""
    text = _text(path, shown)
    looks_like_json = path.suffix == ".json" or text.lstrip()[:1] in ("{", "[")
    if looks_like_json:
        try:
            tree = parse_json(text, shown)
        except Unparsable:
            if path.suffix == ".json":
                raise
            tree = _parse_yaml(text, shown)  # a flow mapping of YAML begins alike
    else:
        tree = _parse_yaml(text, shown)
    if tree is None:
        raise Unparsable(Place(shown, 1), "found an empty file, expected a template or a state")
    return tree


def _text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise Unparsable(
            Place(shown, 1), f"found a file that cannot be read ({reason}), expected a readable file"
        ) from error
    if len(data) > SIZE_LIMIT_BYTES:
        raise Unparsable(
            Place(shown, 1), f"found a file of more than {SIZE_LIMIT_BYTES >> 20} MiB, expected a smaller one"
        )
    return decoded(data, shown)


def _parse_yaml(text: str, shown: str) -> Node | None:
    refused = _REFUSED.search(text)
    if refused:
        line = text.count("\n", 0, refused.start()) + 1
        raise Unparsable(
            Place(shown, line), f"found the character U+{ord(refused.group()):04X}, which YAML does not allow"
        )
    too_deep = line_beyond(text, MAXIMUM_DEPTH)
    if too_deep is not None:
        raise Unparsable(Place(shown, too_deep), f"found more than {MAXIMUM_DEPTH} levels of nesting, expected fewer")
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        last = text.count("\n") + 1
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else last
        raise Unparsable(Place(shown, line), f"found malformed YAML ({error.problem}), expected a template") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Unparsable(Place(shown, 1), f"found malformed YAML ({error}), expected a template") from error
    return None if root is None else _Tree(shown).made(root, 0)


class _Tree:
    """Makes a tree of what PyYAML composed, with bounds on what aliases can make of a few lines."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._count = 0

    def made(self, node: yaml.Node, depth: int) -> Node:
        place = Place(self._shown, node.start_mark.line + 1)
        self._count += 1
        if self._count > MAXIMUM_NODES:
            raise Unparsable(place, f"found more than {MAXIMUM_NODES:,} values (aliases counted), expected fewer")
        if depth > MAXIMUM_DEPTH:
            raise Unparsable(
                place, f"found more than {MAXIMUM_DEPTH} levels of nesting (aliases counted), expected fewer"
            )
        inner = self._plain(node, place, depth)
        return inner if not node.tag.startswith("!") or node.tag == "!" else _function(node.tag[1:], inner, place)

    def _plain(self, node: yaml.Node, place: Place, depth: int) -> Node:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, place)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(place, [self.made(item, depth + 1) for item in node.value])
        table = Table(place)
        merged: list[Node] = []
        for key_node, value in node.value:
            key_place = Place(self._shown, key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                raise Unparsable(key_place, "found a list or a mapping as a key, expected text")
            made = self.made(value, depth + 1)
            if key_node.value == _MERGE and not key_node.style:
                merged.append(made)
            else:
                if key_node.value in table.entries:
                    table.repeated.append((key_node.value, key_place))
                table.entries[key_node.value] = Entry(key_place, made)
        for other in merged:
            for one in other.items if isinstance(other, Sequence) else [other]:
                for key, entry in one.entries.items() if isinstance(one, Table) else ():
                    table.entries.setdefault(key, entry)
        return table


def _scalar(node: yaml.ScalarNode, place: Place) -> Scalar:
    text: str = node.value
    return Scalar(place, text if node.style else _resolved(text), text)


def _resolved(text: str) -> str | int | bool | None:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return int(text) if _INTEGER.fullmatch(text) else text


def _function(tag: str, inner: Node, place: Place) -> Node:
    """What a tag stands for: ``!GetAtt A.B`` is ``{"Fn::GetAtt": ["A", "B"]}``. A tag's text is never a number or a truth value."""
    if isinstance(inner, Scalar) and inner.value is not None:
        inner = Scalar(place, inner.text, inner.text)
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    return Table(place, {name: Entry(place, inner)})
