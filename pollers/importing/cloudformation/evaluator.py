"""CloudFormation's functions, evaluated as far as the template and what the user gave allow.

What cannot be known is an :class:`Unknown` with its reason, never a guess. Every function is evaluated where it is asked for, so
that an unknown in a part that nobody imports is no matter. A decider: no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from config.text.arns import domain_of, partition_of
from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.cloudformation.conditions import Conditions
from pollers.importing.cloudformation.intrinsics import FUNCTIONS, NOTHING, Nothing, resolved, single
from pollers.importing.cloudformation.kinds import kind_of, name_in
from pollers.importing.cloudformation.stack import Stack
from pollers.importing.cloudformation.template import is_function
from pollers.importing.placeholders import variable
from pollers.importing.values import Joined, Unknown, Value, joined, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.text.places import Place
    from pollers.importing.cloudformation.template import Resource, Template

    Text: TypeAlias = str | Unknown | Joined

LONGEST_CHAIN = 40
"""Resources and conditions that refer to one another, one after another. More is no template that a person wrote."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_LISTS = re.compile(r"CommaDelimitedList|List<.*>")
_STORED = "AWS::SSM::Parameter::Value"
_PSEUDO = {
    "AWS::Region": ("AWS_REGION", "the region of the stack"),
    "AWS::AccountId": ("AWS_ACCOUNT_ID", "the account of the stack"),
    "AWS::StackName": ("AWS_STACK_NAME", "the name of the stack"),
    "AWS::StackId": ("AWS_STACK_ID", "the ARN of the stack"),
    "AWS::NotificationARNs": ("AWS_NOTIFICATION_ARNS", "the topics that the stack notifies"),
}


@dataclass(slots=True)
class Evaluator:
    """Evaluates the nodes of one template. ``given`` are parameters and pseudo parameters by name.

    Where there are several templates, ``scope`` tells apart what has one logical id in two of them, ``exports`` knows where what
    they export comes from, by name, and ``readable`` gives a resource the name that variables get. A nested stack has a ``parent``,
    which gives it what it ``passed`` for parameters; ``nested`` are the stacks within this one, by their logical ids.
    """

    template: Template
    given: Mapping[str, str]
    stack: Stack = field(default_factory=Stack)
    scope: str = ""
    exports: Callable[[str], tuple[Evaluator, Node] | None] = lambda _name: None
    readable: Callable[[Resource], str] = lambda resource: resource.logical_id
    parent: Evaluator | None = None
    passed: Mapping[str, Node] = field(default_factory=dict)
    nested: dict[str, Evaluator] = field(default_factory=dict)
    _depth: int = 0
    _active: list[str] = field(default_factory=list)
    _known: dict[str, Value] = field(default_factory=dict)
    conditions: Conditions = field(init=False)

    def __post_init__(self) -> None:
        self.conditions = Conditions(self.template.conditions, self.value)

    def value(self, node: Node | None) -> Value:
        """The value of a node; None where there is none."""
        if node is None:
            return None
        self._depth += 1
        try:
            found = self.outcome(node)
        except RecursionError:
            if self._depth > 1:
                raise
            found = Unknown(f"deep:{node.place}", None, "a value that is nested too deeply", node.place)
        finally:
            self._depth -= 1
        return None if isinstance(found, Nothing) else found

    def exported(self, name: str) -> Value:
        """What an export of another stack is, where that is known: as it is deployed, or as another template here has it."""
        told = self.stack.exports.get(name)
        found = self.exports(name) if told is None else None
        if found is None:
            return told
        evaluator, node = found
        return evaluator._once(f"export {name}", node.place, lambda: evaluator.value(node))

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

    def outcome(self, node: Node) -> Value | Nothing:
        """The value of a node, or that it is not there, within another's evaluation."""
        match node:
            case Scalar():
                return single(node)
            case Sequence():
                return [found for item in node.items if not isinstance(found := self.outcome(item), Nothing)]
            case Table() if is_function(node):
                return self._function(node)
            case Table():
                members = ((key, self.outcome(entry.node)) for key, entry in node.entries.items())
                return {key: found for key, found in members if not isinstance(found, Nothing)}

    def _function(self, node: Table) -> Value | Nothing:
        ((key, entry),) = node.entries.items()
        evaluate = FUNCTIONS.get(key)
        if evaluate is None:
            return Unknown(
                f"{key}:{node.place}", None, f"what {key} gives, which only CloudFormation can tell", node.place
            )
        return evaluate(self, entry.node, node.place)

    def reference(self, name: str, place: Place) -> Value | Nothing:
        """What ``Ref`` is of a parameter, a pseudo parameter or a resource."""
        if name.startswith("AWS::"):
            return self._pseudo(name, place)
        if name in self.template.parameters:
            return self._parameter(name)
        return self._once(f"{name}.Ref", place, lambda: self._of_resource(name, None, place))

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
        if (output := self.output(logical_id, attribute)) is not None:
            return output[0].value(output[1])
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

    def output(self, logical_id: str, attribute: str | None) -> tuple[Evaluator, Node] | None:
        """What an output of a nested stack is, and who evaluates it; None for any other attribute."""
        inner = self.nested.get(logical_id)
        entry = inner.template.outputs.get((attribute or "").removeprefix("Outputs.")) if inner is not None else None
        value = entry.node.entries.get("Value") if entry is not None and isinstance(entry.node, Table) else None
        return (inner, value.node) if inner is not None and value is not None else None

    def followed(self, node: Node) -> tuple[Evaluator, Node] | None:
        """Where a value comes from that is just another template's: a parameter that is passed, a nested stack's output, or what
        another stack exports.
        """
        if isinstance(node, Table) and list(node.entries) == ["Fn::ImportValue"]:
            name = self.value(node.entries["Fn::ImportValue"].node)
            return self.exports(name) if isinstance(name, str) else None
        refers = referred(node)
        if refers is None:
            return None
        logical_id, attribute = refers
        if attribute is None and self.parent is not None and logical_id in self.passed:
            return self.parent, self.passed[logical_id]
        return self.output(logical_id, attribute)

    def _told(self, logical_id: str, attribute: str | None) -> str | None:
        """What the deployed stack says of it: its physical id, or an output that is just this."""
        if attribute is None and logical_id in self.stack.physical_ids:
            return self.stack.physical_ids[logical_id]
        for name, value in self.stack.outputs.items():
            entry = self.template.outputs.get(name)
            node = entry.node.entries.get("Value") if entry is not None and isinstance(entry.node, Table) else None
            if node is not None and referred(node.node) == (logical_id, attribute):
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
        fields: dict[str, Callable[[], Value | Nothing]] = {
            "{region}": lambda: self._pseudo("AWS::Region", place),
            "{account}": lambda: self._pseudo("AWS::AccountId", place),
            "{partition}": lambda: self._pseudo("AWS::Partition", place),
            "{suffix}": lambda: self._pseudo("AWS::URLSuffix", place),
            "{name}": lambda: name,
        }
        parts = [fields[part]() if part in fields else part for part in re.split(r"(\{[a-z]+\})", form)]
        return joined([part for part in parts if isinstance(part, str | Unknown | Joined)], place)

    def _pseudo(self, name: str, place: Place) -> Value | Nothing:
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
        told = {key: one.node for key, one in options.items() if isinstance(one.node, Scalar)}
        kind = told["Type"].text if "Type" in told else "String"
        text = self.given.get(name)
        if text is None and name in self.passed and self.parent is not None and not kind.startswith(_STORED):
            value = self.parent.value(self.passed[name])
            if not isinstance(value, str | int):
                return value
            text = str(value).lower() if isinstance(value, bool) else str(value)
        if text is None and (why := _why_unsaid(kind, told)) is not None:
            return Unknown(f"{self.scope}parameter {name}", variable(name), f"the parameter {name}, {why}", entry.place)
        text = told["Default"].text if text is None else text
        if _LISTS.search(kind):
            return [resolved(item.strip(), entry.place) for item in text.split(",")]
        return int(text) if kind == "Number" and _INTEGER.fullmatch(text) else resolved(text, entry.place)


def _why_unsaid(kind: str, told: Mapping[str, Scalar]) -> str | None:
    """Why a parameter's default is not its value; None where it is."""
    if kind.startswith(_STORED):
        return "whose value is in the SSM parameter store"
    if "NoEcho" in told and told["NoEcho"].text.lower() == "true":
        return "which is a secret (NoEcho)"
    return None if "Default" in told else "which has no default (or use --parameter)"


def referred(node: Node) -> tuple[str, str | None] | None:
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
