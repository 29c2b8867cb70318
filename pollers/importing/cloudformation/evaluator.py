"""CloudFormation's functions, evaluated as far as the template and what the user gave allow.

What cannot be known is an :class:`Unknown` with its reason, never a guess. Every function is evaluated where it is asked for, so
that an unknown in a part that nobody imports is no matter. A decider: no I/O.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from config.text.arns import domain_of, partition_of
from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.cloudformation.conditions import Conditions
from pollers.importing.cloudformation.kinds import kind_of, name_in
from pollers.importing.cloudformation.stack import Stack
from pollers.importing.cloudformation.template import is_function
from pollers.importing.placeholders import variable
from pollers.importing.values import Joined, Unknown, Value, joined, text_of, unknowns_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.text.places import Place
    from pollers.importing.cloudformation.template import Resource, Template

    Text: TypeAlias = str | Unknown | Joined

LONGEST_CHAIN = 40
"""Resources and conditions that refer to one another, one after another. More is no template that a person wrote."""

PLACEHOLDER = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^${}]*)\}")
"""What Fn::Sub fills in."""
_DYNAMIC = re.compile(r"\{\{resolve:(?P<what>[^}]*)\}\}")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_LISTS = re.compile(r"CommaDelimitedList|List<.*>")
_PSEUDO = {
    "AWS::Region": ("AWS_REGION", "the region of the stack"),
    "AWS::AccountId": ("AWS_ACCOUNT_ID", "the account of the stack"),
    "AWS::StackName": ("AWS_STACK_NAME", "the name of the stack"),
    "AWS::StackId": ("AWS_STACK_ID", "the ARN of the stack"),
    "AWS::NotificationARNs": ("AWS_NOTIFICATION_ARNS", "the topics that the stack notifies"),
}
_ALWAYS_ONE = frozenset({"AWS::Region", "AWS::AccountId", "AWS::StackName"})
"""Unknown, but without characters that texts are split at."""


class _Nothing:
    """``AWS::NoValue``: what it is the value of is not there."""


NOTHING: Final = _Nothing()


@dataclass(slots=True)
class Evaluator:
    """Evaluates the nodes of one template. ``given`` are parameters and pseudo parameters by name.

    Where there are several templates, ``scope`` tells apart what has one logical id in two of them, ``exports`` knows what they
    export, by name, and ``readable`` gives a resource the name that variables get.
    """

    template: Template
    given: Mapping[str, str]
    stack: Stack = field(default_factory=Stack)
    scope: str = ""
    exports: Callable[[str], Value] = lambda _name: None
    readable: Callable[[Resource], str] = lambda resource: resource.logical_id
    _depth: int = 0
    _active: list[str] = field(default_factory=list)
    _known: dict[str, Value] = field(default_factory=dict)
    conditions: Conditions = field(init=False)

    def __post_init__(self) -> None:
        self.conditions = Conditions(self.template.conditions, self._in_condition)

    def value(self, node: Node | None) -> Value:
        """The value of a node; None where there is none."""
        if node is None:
            return None
        self._depth += 1
        try:
            found = self._value(node)
        except RecursionError:
            if self._depth > 1:
                raise
            found = Unknown(f"deep:{node.place}", None, "a value that is nested too deeply", node.place)
        finally:
            self._depth -= 1
        return None if isinstance(found, _Nothing) else found

    def property(self, resource: Resource, name: str) -> Value:
        """The value of a resource's property."""
        entry = resource.properties.entries.get(name)
        return None if entry is None else self.value(entry.node)

    def made(self, resource: Resource) -> bool | Unknown:
        """Whether the resource is made: what its condition says."""
        name = resource.condition
        if not isinstance(name, Scalar):
            return True
        try:
            return self.conditions.named(name.text, name.place)
        except RecursionError:
            return Unknown(f"deep:{name.place}", None, "a condition that is nested too deeply", name.place)

    def _value(self, node: Node) -> Value | _Nothing:
        match node:
            case Scalar():
                return _single(node)
            case Sequence():
                return [found for item in node.items if not isinstance(found := self._value(item), _Nothing)]
            case Table() if is_function(node):
                return self._function(node)
            case Table():
                members = ((key, self._value(entry.node)) for key, entry in node.entries.items())
                return {key: found for key, found in members if not isinstance(found, _Nothing)}

    def _function(self, node: Table) -> Value | _Nothing:
        ((key, entry),) = node.entries.items()
        evaluate = _FUNCTIONS.get(key)
        if evaluate is None:
            return Unknown(
                f"{key}:{node.place}", None, f"what {key} gives, which only CloudFormation can tell", node.place
            )
        return evaluate(self, entry.node, node.place)

    # Ref and GetAtt

    def _ref(self, argument: Node, place: Place) -> Value | _Nothing:
        if not isinstance(argument, Scalar):
            return _malformed("Ref", place)
        return self.reference(argument.text, place)

    def reference(self, name: str, place: Place) -> Value | _Nothing:
        """What ``Ref`` is of a parameter, a pseudo parameter or a resource."""
        if name.startswith("AWS::"):
            return self._pseudo(name, place)
        if name in self.template.parameters:
            return self._parameter(name)
        return self._once(f"{name}.Ref", place, lambda: self._of_resource(name, None, place))

    def _get_att(self, argument: Node, place: Place) -> Value:
        if isinstance(argument, Sequence) and len(argument.items) == 2:
            logical_id, attribute = (self.value(item) for item in argument.items)
            if isinstance(logical_id, str) and isinstance(attribute, str):
                return self.attribute(logical_id, attribute, place)
        elif isinstance(argument, Scalar) and "." in argument.text:
            logical_id, _, attribute = argument.text.partition(".")
            return self.attribute(logical_id, attribute, place)
        return _malformed("Fn::GetAtt", place)

    def attribute(self, logical_id: str, attribute: str, place: Place) -> Value:
        """What ``Fn::GetAtt`` is of a resource."""
        return self._once(f"{logical_id}.{attribute}", place, lambda: self._of_resource(logical_id, attribute, place))

    def _once(self, key: str, place: Place, evaluate: Callable[[], Value]) -> Value:
        """Evaluate what other parts may ask for as well, once, and not within itself."""
        if key not in self._known:
            if key in self._active or len(self._active) >= LONGEST_CHAIN:
                why = "refers to itself" if key in self._active else f"is more than {LONGEST_CHAIN} references away"
                return Unknown(f"{key}:{why}", None, f"{key}, which {why}", place)
            self._active.append(key)
            try:
                self._known[key] = evaluate()
            finally:
                self._active.pop()
        return self._known[key]

    def _of_resource(self, logical_id: str, attribute: str | None, place: Place) -> Value:
        told = self._told(logical_id, attribute)
        if told is not None:
            return told
        resource = self.template.resources.get(logical_id)
        if resource is None:
            what = f"{attribute} of {logical_id}" if attribute else logical_id
            wanted = variable(logical_id, attribute or "")
            return Unknown(
                f"{self.scope}{logical_id}.{attribute}", wanted, f"{what}, which is not in the template", place
            )
        kind = kind_of(resource.type)
        form = kind.attributes.get(attribute) if attribute else kind.ref
        name = self.name_of(resource)
        if form is not None and name is not None:
            return self._filled(form, name, resource.place)
        if resource.is_function and attribute is None:
            return logical_id  # the name that it has here
        called = attribute or kind.called
        shown = {"Arn": "ARN", "Url": "URL", "Name": "name"}.get(called, called)
        reason = f"the {shown} of {logical_id} ({resource.type}), which the template does not say"
        key, wanted = f"{self.scope}{logical_id}.{called}", variable(self.readable(resource), called)
        return Unknown(key, wanted, reason, resource.place, logical_id)

    def _told(self, logical_id: str, attribute: str | None) -> str | None:
        """What the deployed stack says of it: its physical id, or an output that is just this."""
        if attribute is None and logical_id in self.stack.physical_ids:
            return self.stack.physical_ids[logical_id]
        for name, value in self.stack.outputs.items():
            entry = self.template.outputs.get(name)
            node = entry.node.entries.get("Value") if entry is not None and isinstance(entry.node, Table) else None
            if node is not None and _refers(node.node) == (logical_id, attribute):
                return value
        physical = self.stack.physical_ids.get(logical_id, "")
        is_arn = physical.startswith("arn:") and attribute is not None and attribute.upper().endswith("ARN")
        return physical if is_arn else None

    def name_of(self, resource: Resource) -> Text | None:
        """A resource's name: the real one if the stack is known, else what the template gives; None where it gives none."""
        physical = self.stack.physical_ids.get(resource.logical_id)
        real = None if physical is None else name_in(resource.type, physical)
        if real is not None:
            return real
        option = kind_of(resource.type).name
        if option is not None and (found := text_of(self.property(resource, option))) is not None:
            return found
        return None

    def _filled(self, form: str, name: Text, place: Place) -> Value:
        fields: dict[str, Callable[[], Value | _Nothing]] = {
            "{region}": lambda: self._pseudo("AWS::Region", place),
            "{account}": lambda: self._pseudo("AWS::AccountId", place),
            "{partition}": lambda: self._pseudo("AWS::Partition", place),
            "{suffix}": lambda: self._pseudo("AWS::URLSuffix", place),
            "{name}": lambda: name,
        }
        parts = [fields[part]() if part in fields else part for part in re.split(r"(\{[a-z]+\})", form)]
        return joined([part for part in parts if isinstance(part, str | Unknown | Joined)], place)

    def _pseudo(self, name: str, place: Place) -> Value | _Nothing:
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.given:
            return self.given[name]
        region = self.given.get("AWS::Region", "")
        if name == "AWS::Partition":
            return partition_of(region)
        if name == "AWS::URLSuffix":
            return domain_of(region)
        wanted, reason = _PSEUDO.get(name, (None, f"{name}, which is no pseudo parameter"))
        return Unknown(name, wanted, reason, place)

    def _parameter(self, name: str) -> Value:
        entry = self.template.parameters[name]
        options = entry.node.entries if isinstance(entry.node, Table) else {}
        kind = options["Type"].node.text if "Type" in options and isinstance(options["Type"].node, Scalar) else "String"
        looked_up = kind.startswith("AWS::SSM::Parameter::Value")
        text: str | None = self.given.get(name)
        if text is None and not looked_up and "Default" in options and isinstance(options["Default"].node, Scalar):
            text = options["Default"].node.text
        if text is None:
            why = (
                "whose value is in the SSM parameter store"
                if looked_up
                else "which has no default (or use --parameter)"
            )
            return Unknown(f"{self.scope}parameter {name}", variable(name), f"the parameter {name}, {why}", entry.place)
        if _LISTS.search(kind):
            return [_resolved(item.strip(), entry.place) for item in text.split(",")]
        return int(text) if kind == "Number" and _INTEGER.fullmatch(text) else _resolved(text, entry.place)

    # Texts and lists

    def _sub(self, argument: Node, place: Place) -> Value:
        names: Mapping[str, Node] = {}
        if isinstance(argument, Sequence) and len(argument.items) == 2 and isinstance(argument.items[1], Table):
            names = {key: entry.node for key, entry in argument.items[1].entries.items()}
            argument = argument.items[0]
        if not isinstance(argument, Scalar):
            return _malformed("Fn::Sub", place)
        parts: list[Text] = []
        end = 0
        for found in PLACEHOLDER.finditer(argument.text):
            parts.append(_resolved(argument.text[end : found.start()], place))
            parts.append(
                f"${{{found['name']}}}" if found["literal"] else self._named(found["name"].strip(), names, place)
            )
            end = found.end()
        return joined([*parts, _resolved(argument.text[end:], place)], place)

    def _named(self, name: str, names: Mapping[str, Node], place: Place) -> Text:
        if name in names:
            found: Value | _Nothing = self._value(names[name])
        elif "." in name:
            logical_id, _, attribute = name.partition(".")
            found = self.attribute(logical_id, attribute, place)
        else:
            found = self.reference(name, place)
        text = "" if isinstance(found, _Nothing) else text_of(found)
        return (
            Unknown(f"Sub:{name}:{place}", None, f"{name} as a text, which it is not", place) if text is None else text
        )

    def _join(self, argument: Node, place: Place) -> Value:
        found = self._arguments(argument, 2)
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

    def _split(self, argument: Node, place: Place) -> Value:
        found = self._arguments(argument, 2)
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

    def _select(self, argument: Node, place: Place) -> Value:
        found = self._arguments(argument, 2)
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

    def _find_in_map(self, argument: Node, place: Place) -> Value:
        found = self._arguments(argument, 3) or self._arguments(argument, 4)
        if found is None:
            return _malformed("Fn::FindInMap", place)
        keys = [text_of(key) for key in found[:3]]
        if not all(isinstance(key, str) for key in keys):
            return Unknown(f"FindInMap:{place}", None, "a value of a map whose key is not known", place)
        entry = self.template.mappings.get(str(keys[0]))
        for key in keys[1:]:
            entry = entry.node.entries.get(str(key)) if entry is not None and isinstance(entry.node, Table) else None
        if entry is not None:
            return self.value(entry.node)
        if len(found) == 4 and isinstance(found[3], dict):
            return found[3].get("DefaultValue")
        reason = f"{'.'.join(map(str, keys))}, which the template's Mappings have not"
        return Unknown(f"FindInMap:{place}", None, reason, place)

    def _if(self, argument: Node, place: Place) -> Value | _Nothing:
        if not isinstance(argument, Sequence) or len(argument.items) != 3 or not isinstance(argument.items[0], Scalar):
            return _malformed("Fn::If", place)
        name, yes, no = argument.items
        verdict = self.conditions.named(name.text if isinstance(name, Scalar) else "", place)
        if isinstance(verdict, bool):
            return self._value(yes if verdict else no)
        one, other = self._value(yes), self._value(no)
        if one == other:
            return one
        return Unknown(f"If:{place}", None, f"what depends on {verdict.reason}", place)

    def _import_value(self, argument: Node, place: Place) -> Value:
        name = self.value(argument)
        told = self.exports(name) if isinstance(name, str) else None
        if told is not None:
            return told
        text = name if isinstance(name, str) else "another stack's"
        wanted = variable(name) if isinstance(name, str) else None
        return Unknown(
            f"ImportValue:{text}:{'' if wanted else place}", wanted, f"the export {text} of another stack", place
        )

    def _to_json(self, argument: Node, place: Place) -> Value:
        found = self.value(argument)
        if unknowns_in(found) or not isinstance(found, dict | list):
            return Unknown(f"ToJsonString:{place}", None, "a text with parts that are not known", place)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def _length(self, argument: Node, place: Place) -> Value:
        found = self.value(argument)
        return len(found) if isinstance(found, list) else _malformed("Fn::Length", place)

    def _in_condition(self, node: Node) -> Value:
        return self.value(node)

    def _arguments(self, argument: Node, count: int) -> list[Value] | None:
        if not isinstance(argument, Sequence) or len(argument.items) != count:
            return None
        return [self.value(item) for item in argument.items]


_FUNCTIONS: dict[str, Callable[[Evaluator, Node, Place], Value | _Nothing]] = {
    "Ref": Evaluator._ref,
    "Fn::GetAtt": Evaluator._get_att,
    "Fn::Sub": Evaluator._sub,
    "Fn::Join": Evaluator._join,
    "Fn::Split": Evaluator._split,
    "Fn::Select": Evaluator._select,
    "Fn::FindInMap": Evaluator._find_in_map,
    "Fn::If": Evaluator._if,
    "Fn::ImportValue": Evaluator._import_value,
    "Fn::ToJsonString": Evaluator._to_json,
    "Fn::Length": Evaluator._length,
}


def _single(node: Scalar) -> Value:
    if isinstance(node.value, str | float):
        return _resolved(node.text if isinstance(node.value, float) else node.value, node.place)
    return node.value


def _malformed(name: str, place: Place) -> Unknown:
    return Unknown(
        f"{name}:{place}", None, f"what {name} gives, whose arguments are not as CloudFormation wants them", place
    )


def _resolved(text: str, place: Place) -> Text:
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


def _refers(node: Node) -> tuple[str, str | None] | None:
    """The resource and the attribute that a node is, and nothing else; the attribute of Ref is None."""
    if not isinstance(node, Table) or len(node.entries) != 1:
        return None
    ((key, entry),) = node.entries.items()
    match key, entry.node:
        case "Ref", Scalar(text=text):
            return text, None
        case "Fn::GetAtt", Scalar(text=text):
            logical_id, _, attribute = text.partition(".")
            return logical_id, attribute
        case "Fn::GetAtt", Sequence(items=[Scalar(text=logical_id), Scalar(text=attribute)]):
            return logical_id, attribute
    return None
