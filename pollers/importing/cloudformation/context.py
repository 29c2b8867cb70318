"""What the readers of a template's parts share: the template, its evaluator, what is found, and where code is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.functions.references import refer
from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.cloudformation.evaluator import LONGEST_CHAIN
from pollers.importing.cloudformation.intrinsics import PLACEHOLDER
from pollers.importing.cloudformation.template import made_by_sam
from pollers.importing.model import Imported, Member, Origin
from pollers.importing.placeholders import variable
from pollers.importing.values import Unknown, Value, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from config.text.places import Place
    from pollers.importing.cloudformation.evaluator import Evaluator
    from pollers.importing.cloudformation.template import Resource, Template
    from pollers.importing.running import Code

_MADE = {"SQS": ("AWS::SQS::Queue", "Arn"), "SNS": ("AWS::SNS::Topic", "TopicArn")}


@dataclass(slots=True)
class Context:
    """The reading of one template. ``folder`` is that of the template. ``code_of`` finds a function's code, ``name_of`` the
    readable name of any resource.

    ``functions`` are those read so far, by logical id, ``outside`` those that are not in the template, ``shut`` those that nothing
    may call. ``pairs`` are sources and functions that have a mapping. ``built`` is where ``sam build`` puts what it makes.
    ``family`` are the readings of all templates that are imported together, by the id of their evaluators.
    """

    template: Template
    evaluator: Evaluator
    imported: Imported
    folder: Path
    code_of: Callable[[Context, Resource], Code]
    name_of: Callable[[Resource], str]
    built: Path
    functions: dict[str, Member] = field(default_factory=dict)
    outside: dict[str, Member] = field(default_factory=dict)
    shut: set[str] = field(default_factory=set)
    pairs: set[tuple[str, int]] = field(default_factory=set)
    family: dict[int, Context] = field(default_factory=dict)

    def origin(self, resource: Resource, event: str = "", place: Place | None = None) -> Origin:
        """Where a resource, or an event of a function, stands."""
        called = f"{resource.logical_id}, event {event}" if event else resource.logical_id
        return Origin(place or resource.place, f"{called} ({resource.type})")

    def note(self, place: Place | None, about: str, message: str) -> None:
        """Tell the user something."""
        self.imported.note(place, about, message)

    def note_unsaid(self, place: Place | None, about: str, unsaid: list[str]) -> None:
        """Tell the user of blocks that were left out since they cannot be known."""
        if unsaid:
            self.note(place, about, f"left out what cannot be known: {', '.join(unsaid)}")

    def is_shut(self, function: Member) -> bool:
        """Whether nothing may call this function, of whichever template."""
        return any(one.functions[logical_id] is function for one in self.family.values() for logical_id in one.shut)

    def made(self, resource: Resource) -> bool:
        """Whether a resource is made; one whose condition cannot be known is, with a note."""
        found = self.evaluator.made(resource)
        if isinstance(found, Unknown):
            self.note(resource.place, resource.logical_id, f"imported although {found.reason} is not known")
            return True
        return found

    def made_arn(self, logical_id: str, kind: str, place: Place) -> Value:
        """The ARN of a queue (``SQS``) or a topic (``SNS``) that SAM adds to the template under this logical id."""
        resource_type, attribute = _MADE[kind]
        self.template.resources.setdefault(logical_id, made_by_sam(logical_id, resource_type, place))
        return self.evaluator.attribute(logical_id, attribute, place)

    def target(self, node: Node | None, place: Place) -> Member | None:
        """The function that a setting names, by its name, its ARN, an alias or a version; None where it names none.

        It may be one of a stack within this one, or around it. A function that is of none is added as one in AWS.
        """
        if node is None:
            return None
        context, named = self._followed(node)
        return context._target(named, place)

    def _followed(self, node: Node) -> tuple[Context, Node]:
        """Where a value comes from, through the stacks that hand it on, and whose it is."""
        context = self
        for _ in range(LONGEST_CHAIN):
            found = context.evaluator.followed(node)
            if found is None or id(found[0]) not in self.family:
                break
            context, node = self.family[id(found[0])], found[1]
        return context, node

    def _target(self, node: Node, place: Place) -> Member | None:
        inside = {name for name in references(node) if self._function(name) is not None}
        if len(inside) == 1:
            return self.functions.get(self._function(inside.pop()) or "")
        value = self.evaluator.value(node)
        text = text_of(value)
        if text is None:
            return None
        found = refer(text) if isinstance(text, str) else None
        for logical_id, member in self.functions.items():
            if found is not None and found[0] in (member.name, logical_id):
                return member
        return self._outside(text, found[0] if found else None, place)

    def _function(self, logical_id: str) -> str | None:
        """The function behind a logical id: itself, or that of an alias or a version."""
        for _ in range(5):
            if logical_id in self.functions:
                return logical_id
            resource = self.template.resources.get(logical_id)
            if resource is None or resource.type not in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
                return None
            entry = resource.properties.entries.get("FunctionName")
            behind = sorted(references(entry.node)) if entry is not None else []
            if len(behind) != 1:
                return None
            logical_id = behind[0]
        return None

    def _outside(self, text: Value, name: str | None, place: Place) -> Member:
        is_arn = isinstance(text, str) and text.startswith("arn:")
        key = repr(text)
        if key not in self.outside:
            called = name or (text.wanted or "function" if isinstance(text, Unknown) else "function")
            arn: Value = text
            if name is not None and not is_arn:
                arn = Unknown(
                    f"{name}.Arn",
                    variable(name, "Arn"),
                    f"the ARN of the function {name}, which is not in the template",
                    place,
                )
            member = Member(
                called.lower() if name is None else called,
                {"runtime": "lambda", "function_arn": arn},
                Origin(place, "a function that is not in the template"),
            )
            self.outside[key] = member
            self.imported.functions.append(member)
        return self.outside[key]


def references(node: Node) -> Iterator[str]:
    """The logical ids (and parameters) that a value refers to."""
    match node:
        case Sequence():
            for item in node.items:
                yield from references(item)
        case Table():
            for key, entry in node.entries.items():
                yield from _referred(key, entry.node)


def _referred(key: str, node: Node) -> Iterator[str]:
    match key, node:
        case "Ref" | "Fn::GetAtt", Scalar(text=text):
            yield text.partition(".")[0]
        case "Fn::GetAtt", Sequence(items=[Scalar(text=text), *_]):
            yield text
        case "Fn::Sub", Scalar(text=text) | Sequence(items=[Scalar(text=text), *_]):
            yield from (found["name"].partition(".")[0] for found in PLACEHOLDER.finditer(text) if not found["literal"])
            if isinstance(node, Sequence):
                yield from references(node)
        case _:
            yield from references(node)
