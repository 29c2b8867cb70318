"""CloudFormation's functions, one by one. Each takes its argument and gives a value, or what is unknown and why. Deciders."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.placeholders import variable
from pollers.importing.values import Joined, Unknown, Value, joined, text_of, unknowns_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.text.places import Place
    from pollers.importing.cloudformation.evaluator import Evaluator

    Text: TypeAlias = str | Unknown | Joined

PLACEHOLDER = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^${}]*)\}")
"""What Fn::Sub fills in."""
_DYNAMIC = re.compile(r"\{\{resolve:(?P<what>[^}]*)\}\}")
_ALWAYS_ONE = frozenset({"AWS::Region", "AWS::AccountId", "AWS::StackName"})
"""Unknown, but without characters that texts are split at."""


class Nothing:
    """``AWS::NoValue``: what it is the value of is not there."""


NOTHING: Final = Nothing()


def _ref(evaluator: Evaluator, argument: Node, place: Place) -> Value | Nothing:
    if not isinstance(argument, Scalar):
        return _malformed("Ref", place)
    return evaluator.reference(argument.text, place)


def _get_att(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    if isinstance(argument, Sequence) and len(argument.items) == 2:
        logical_id, attribute = (evaluator.value(item) for item in argument.items)
        if isinstance(logical_id, str) and isinstance(attribute, str):
            return evaluator.attribute(logical_id, attribute, place)
    elif isinstance(argument, Scalar) and "." in argument.text:
        logical_id, _, attribute = argument.text.partition(".")
        return evaluator.attribute(logical_id, attribute, place)
    return _malformed("Fn::GetAtt", place)


def _sub(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    names: Mapping[str, Node] = {}
    if isinstance(argument, Sequence) and len(argument.items) == 2 and isinstance(argument.items[1], Table):
        names = {key: entry.node for key, entry in argument.items[1].entries.items()}
        argument = argument.items[0]
    if not isinstance(argument, Scalar):
        return _malformed("Fn::Sub", place)
    parts: list[Text] = []
    end = 0
    for found in PLACEHOLDER.finditer(argument.text):
        parts.append(resolved(argument.text[end : found.start()], place))
        parts.append(
            f"${{{found['name']}}}" if found["literal"] else _named(evaluator, found["name"].strip(), names, place)
        )
        end = found.end()
    return joined([*parts, resolved(argument.text[end:], place)], place)


def _named(evaluator: Evaluator, name: str, names: Mapping[str, Node], place: Place) -> Text:
    if name in names:
        found: Value | Nothing = evaluator.outcome(names[name])
    elif "." in name:
        logical_id, _, attribute = name.partition(".")
        found = evaluator.attribute(logical_id, attribute, place)
    else:
        found = evaluator.reference(name, place)
    text = "" if isinstance(found, Nothing) else text_of(found)
    return Unknown(f"Sub:{name}:{place}", None, f"{name} as a text, which it is not", place) if text is None else text


def _join(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = _arguments(evaluator, argument, 2)
    if found is None or not isinstance(found[0], str):
        return _malformed("Fn::Join", place)
    delimiter, items = str(found[0]), found[1]
    if not isinstance(items, list):
        return items if isinstance(items, Unknown) else _malformed("Fn::Join", place)
    parts: list[Text] = []
    for number, item in enumerate(items):
        text = text_of(item)
        if text is None:
            return _malformed("Fn::Join", place)
        parts += [delimiter, text] if number else [text]
    return joined(parts, place)


def _split(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = _arguments(evaluator, argument, 2)
    if found is None or not isinstance(found[0], str) or not found[0]:
        return _malformed("Fn::Split", place)
    delimiter, text = str(found[0]), found[1]
    if isinstance(text, str):
        return list(text.split(delimiter))
    if not isinstance(text, Joined) or any(one.key not in _ALWAYS_ONE for one in unknowns_in(text)):
        return Unknown(f"Split:{place}", None, "a part of a text that is not known", place)
    pieces: list[list[str | Unknown]] = [[]]
    for part in text.parts:
        first, *rest = part.split(delimiter) if isinstance(part, str) else [part]
        pieces[-1].append(first)
        pieces.extend([one] for one in rest)
    return [joined(piece, place) for piece in pieces]


def _select(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = _arguments(evaluator, argument, 2)
    if found is None:
        return _malformed("Fn::Select", place)
    index, items = found
    if isinstance(items, Unknown):
        return Unknown(f"Select:{place}", None, "one of a list that is not known", place)
    number = text_of(index)
    if (
        not isinstance(items, list)
        or not isinstance(number, str)
        or not number.isdecimal()
        or int(number[:9]) >= len(items)
    ):
        return _malformed("Fn::Select", place)
    return items[int(number)]


def _find_in_map(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = _arguments(evaluator, argument, 3) or _arguments(evaluator, argument, 4)
    if found is None:
        return _malformed("Fn::FindInMap", place)
    keys = [text_of(key) for key in found[:3]]
    if not all(isinstance(key, str) for key in keys):
        return Unknown(f"FindInMap:{place}", None, "a value of a map whose key is not known", place)
    entry = evaluator.template.mappings.get(str(keys[0]))
    for key in keys[1:]:
        entry = entry.node.entries.get(str(key)) if entry is not None and isinstance(entry.node, Table) else None
    if entry is not None:
        return evaluator.value(entry.node)
    if len(found) == 4 and isinstance(found[3], dict):
        return found[3].get("DefaultValue")
    reason = f"{'.'.join(map(str, keys))}, which the template's Mappings have not"
    return Unknown(f"FindInMap:{place}", None, reason, place)


def _if(evaluator: Evaluator, argument: Node, place: Place) -> Value | Nothing:
    if not isinstance(argument, Sequence) or len(argument.items) != 3 or not isinstance(argument.items[0], Scalar):
        return _malformed("Fn::If", place)
    name, yes, no = argument.items
    verdict = evaluator.conditions.named(name.text if isinstance(name, Scalar) else "", place)
    if isinstance(verdict, bool):
        return evaluator.outcome(yes if verdict else no)
    one, other = evaluator.outcome(yes), evaluator.outcome(no)
    if one == other:
        return one
    return Unknown(f"If:{place}", None, f"what depends on {verdict.reason}", place)


def _import_value(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    name = evaluator.value(argument)
    told = evaluator.exported(name) if isinstance(name, str) else None
    if told is not None:
        return told
    text = name if isinstance(name, str) else "another stack's"
    wanted = variable(name) if isinstance(name, str) else None
    return Unknown(
        f"ImportValue:{text}:{'' if wanted else place}", wanted, f"the export {text} of another stack", place
    )


def _to_json(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = evaluator.value(argument)
    if unknowns_in(found) or not isinstance(found, dict | list):
        return Unknown(f"ToJsonString:{place}", None, "a text with parts that are not known", place)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _length(evaluator: Evaluator, argument: Node, place: Place) -> Value:
    found = evaluator.value(argument)
    return len(found) if isinstance(found, list) else _malformed("Fn::Length", place)


def _arguments(evaluator: Evaluator, argument: Node, count: int) -> list[Value] | None:
    if not isinstance(argument, Sequence) or len(argument.items) != count:
        return None
    return [evaluator.value(item) for item in argument.items]


def single(node: Scalar) -> Value:
    if isinstance(node.value, str | float):
        return resolved(node.text if isinstance(node.value, float) else node.value, node.place)
    return node.value


def _malformed(name: str, place: Place) -> Unknown:
    return Unknown(
        f"{name}:{place}", None, f"what {name} gives, whose arguments are not as CloudFormation wants them", place
    )


def resolved(text: str, place: Place) -> Text:
    """A text; a dynamic reference in it (``{{resolve:ssm:...}}``) is unknown."""
    if "{{resolve:" not in text:
        return text
    parts: list[Text] = []
    end = 0
    for found in _DYNAMIC.finditer(text):
        parts.append(text[end : found.start()])
        what = found["what"]
        parts.append(Unknown(f"resolve:{what}", None, f"the value of {{{{resolve:{what}}}}}", place))
        end = found.end()
    return joined([*parts, text[end:]], place)


FUNCTIONS: dict[str, Callable[[Evaluator, Node, Place], Value | Nothing]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::ToJsonString": _to_json,
    "Fn::Length": _length,
}
"""By the key of the long form."""
