"""What a plan does not know yet: which resource each of these values will be of, as its configuration says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pollers.importing.deployed import value_of
from pollers.importing.placeholders import variable
from pollers.importing.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from config.text.nodes import Node
    from pollers.importing.terraform.resources import Resource

LONGEST_CHAIN = 20
"""References from module to module, one after another."""
SERVICES = {
    "aws_sqs_queue": "sqs",
    "aws_kinesis_stream": "kinesis",
    "aws_kinesis_stream_consumer": "kinesis",
    "aws_dynamodb_table": "dynamodb",
    "aws_docdb_cluster": "rds",
}
"""The services of sources, by the resource that a reference names."""
_FUNCTIONS = ("aws_lambda_function", "aws_lambda_alias")
_REFERENCE = re.compile(
    r"(?P<type>aws_[a-z0-9_]+)\.(?P<name>[A-Za-z0-9_-]+)(?P<index>\[[^]]*\])?(?:\.(?P<attribute>[a-z_]+))?"
)
_VALUES = ("each", "count", "local", "path", "self")
_Tree = dict[str, Value]


@dataclass(slots=True)
class Plan:
    """The parts of a plan that tell of what is not known: what is not, and the expressions that it will come from."""

    unknown: dict[str, _Tree] = field(default_factory=dict)
    root: _Tree = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)

    def completed(self, resource: Resource) -> dict[str, Value]:
        """The values of a resource, those that will be known later as unknown ones."""
        marks = self.unknown.get(resource.address, {})
        module = self._module(resource.module)
        found = next(
            (
                one
                for one in _dicts(module.get("resources"))
                if one.get("address") == f"{resource.type}.{resource.name}"
            ),
            {},
        )
        expressions = found.get("expressions")
        completed = self._merged(resource, dict(resource.values), marks, expressions, resource.name)
        values = completed if isinstance(completed, dict) else dict(resource.values)
        if resource.type == "aws_lambda_function" and marks.get("arn") is True:
            values["arn"] = self._made(resource)
        return values

    def service_of(self, unknown: Value) -> str | None:
        """The service that an unknown source is of, where the resource tells."""
        if not isinstance(unknown, Unknown):
            return None
        resource = self.resources.get(unknown.key.rpartition(".")[0])
        return SERVICES.get(resource.type) if resource is not None else None

    def _merged(self, resource: Resource, value: Value, mark: Value, expression: Value, name: str) -> Value:
        if mark is True:
            # Without an expression it is what AWS will report, and no setting.
            return self._later(resource, expression, name) if isinstance(expression, dict) else None
        if isinstance(mark, dict) and isinstance(value, dict):
            given = expression if isinstance(expression, dict) else {}
            inside = {key: self._merged(resource, value.get(key), mark[key], given.get(key), key) for key in mark}
            return {**value, **{key: item for key, item in inside.items() if item is not None}}
        if isinstance(mark, list) and isinstance(value, list) and len(mark) == len(value):
            given_items = (
                expression if isinstance(expression, list) and len(expression) == len(value) else [None] * len(value)
            )
            triples = zip(value, mark, given_items, strict=True)
            return [self._merged(resource, item, one, each, name) for item, one, each in triples]
        return value

    def _later(self, resource: Resource, expression: _Tree, name: str) -> Unknown:
        references = [item for item in _list(expression.get("references")) if isinstance(item, str)]
        made = self._resolved(resource, references)
        if made is not None:
            return made
        own = [item for item in references if item.partition(".")[0] not in _VALUES]
        wanted = variable(*own[0].rpartition("var.")[2].removeprefix("module.").split(".")) if len(own) == 1 else None
        what = f" ({', '.join(references)})" if references else ""
        reason = f"the {name} of {resource.address}{what}, which is known after apply"
        key = (
            f"{'.'.join(resource.module)}:{own[0]}"
            if len(own) == 1 == len(references)
            else f"{resource.address}:{name}"
        )
        return Unknown(key, wanted, reason, resource.place)

    def _resolved(self, resource: Resource, references: list[str]) -> Unknown | None:
        """The one resource that the references lead to, through modules and aliases."""
        found: dict[str, Resource] = {}
        pending = [(resource.module, resource.index, reference) for reference in references]
        for _ in range(LONGEST_CHAIN * max(1, len(references))):
            if not pending:
                break
            module, index, reference = pending.pop()
            target = self._target(module, index, reference)
            if target is not None and target.type == "aws_lambda_alias":
                expressions = self._expressions(target)
                pending += [(module, target.index, one) for one in _references(expressions.get("function_name"))]
            elif target is not None:
                found[target.address] = target
            else:
                pending += self._next(module, index, reference)
        return self._made(next(iter(found.values()))) if len(found) == 1 else None

    def _target(self, module: tuple[str, ...], index: str, reference: str) -> Resource | None:
        named = _REFERENCE.fullmatch(reference)
        if named is None:
            return None
        base = "".join(f"module.{step}." for step in module) + f"{named['type']}.{named['name']}"
        for address in (f"{base}{named['index'] or index}", base):
            if address in self.resources:
                return self.resources[address]
        return None

    def _next(self, module: tuple[str, ...], index: str, reference: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Where a variable's value and a module's output come from."""
        kind, _, rest = reference.partition(".")
        if kind == "var" and module:
            name, bracket, own = module[-1].partition("[")
            call = _dict(_dict(self._module(module[:-1]).get("module_calls")).get(name))
            expression = _dict(call.get("expressions")).get(rest.partition(".")[0])
            yield from ((module[:-1], f"{bracket}{own}", one) for one in _references(expression))
        elif kind == "module":
            called, _, output = rest.partition(".")
            name = called.partition("[")[0]
            instance = called if called != name or (*module, name) in self._instances() else f"{name}{index}"
            inner = (*module, instance)
            outputs = _dict(self._module(inner).get("outputs"))
            for each in [output] if output in outputs else [] if output else list(outputs):
                for one in _references(_dict(outputs[each]).get("expression")):
                    found = _REFERENCE.fullmatch(one)
                    if output or (found is not None and found["type"] in _FUNCTIONS):
                        yield inner, "", one

    def _instances(self) -> set[tuple[str, ...]]:
        return {resource.module for resource in self.resources.values()}

    def _module(self, path: tuple[str, ...]) -> _Tree:
        module = self.root
        for step in path:
            calls = _dict(module.get("module_calls"))
            module = _dict(_dict(calls.get(step.partition("[")[0])).get("module"))
        return module

    def _expressions(self, resource: Resource) -> _Tree:
        address = f"{resource.type}.{resource.name}"
        resources = _dicts(self._module(resource.module).get("resources"))
        return next((_dict(one.get("expressions")) for one in resources if one.get("address") == address), {})

    def _made(self, resource: Resource) -> Unknown:
        """The ARN of a resource; its own if it is known already."""
        name = resource.values.get("name") or resource.values.get("function_name")
        what = f" ({name})" if isinstance(name, str) else ""
        called = (*resource.module, f"{resource.name}{resource.index}")
        noun = resource.type.rpartition("_")[2]
        words = [*called] if resource.name.lower().endswith(noun) else [*called, noun]
        reason = f"the ARN of {resource.address}{what}, which is known after apply"
        return Unknown(f"{resource.address}.arn", variable(*words, "Arn"), reason, resource.place)


def plan_of(tree: Mapping[str, Node], resources: list[Resource]) -> Plan:
    """The plan in a file's sections; an empty one for a state."""
    plan = Plan(resources={one.address: one for one in resources})
    if "configuration" in tree:
        plan.root = _dict(_dict(value_of(tree["configuration"])).get("root_module"))
    changes = value_of(tree["resource_changes"]) if "resource_changes" in tree else None
    for change in _dicts(changes):
        address = change.get("address")
        if isinstance(address, str):
            plan.unknown[address] = _dict(_dict(change.get("change")).get("after_unknown"))
    return plan


def _references(expression: Value) -> list[str]:
    return [item for item in _list(_dict(expression).get("references")) if isinstance(item, str)]


def _dict(value: Value) -> _Tree:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _dicts(value: Value) -> list[_Tree]:
    return [item for item in _list(value) if isinstance(item, dict)]
