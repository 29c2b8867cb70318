"""The JSON Schema of CONFIG (draft 2020-12), written from the models, for editors and for checks without Headrace.

It accepts whatever :func:`config.load` accepts; load refuses more (what depends on the environment, on files or on several
settings at once).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from config.functions.reading import NAME as FUNCTION_NAME
from config.functions.registry import RUNTIMES
from config.models import Config
from config.options.shapes import (
    Either,
    Limits,
    ListOf,
    MapOf,
    OneOf,
    Option,
    Section,
    Shape,
    Text,
    options_of,
)
from config.schedules.pasted import FOREIGN
from config.schedules.pasted import RESOURCE_TYPE as SCHEDULE_TYPE
from config.schedules.reading import NAME as SCHEDULE_NAME
from config.schedules.reading import schedule_options
from config.schema_values import Schema, bounds, simple
from config.sections import SINGLE
from config.sources import registry
from config.sources.listed import LIST, TOKENS, UUID
from config.sources.pasted import FUNCTION_ARN, READ_ONLY, RESOURCE_TYPE, WITHOUT_EFFECT, unread_settings
from config.sources.reading import NAME as MAPPING_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from config.options.model import Model
    from config.sources.kind import SourceConfig

_NOTHING: Schema = {"type": "null"}
_LIST_OR_NOTHING: Schema = {"enum": [None, []]}
_UNSET: Schema = {"$ref": "#/$defs/Unset"}
_IN_QUOTES = "InQuotes"
_ABOUT = ("description", "default")
_SECTION_OR_NOTHING: Schema = {"enum": [None, [], {}]}


def json_schema() -> Schema:
    """The whole schema; a new object each time."""
    return _Writer().schema()


class _Writer:
    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {
            "Variable": {
                "type": "string",
                "pattern": r"\$\{",
                "description": "a value from the environment: ${NAME}, or ${NAME:-default}",
            },
            "Unset": {
                "description": "how tools write what is not set, of a source that does not have it",
                "anyOf": [
                    {"enum": [None, "", 0, False]},
                    {"type": "array", "items": _UNSET},
                    {"type": "object", "additionalProperties": _UNSET},
                ],
            },
        }
        self._in_quotes = False

    def schema(self) -> Schema:
        properties = {
            **{name: self._single(model) for name, model in SINGLE.items()},
            "functions": _named(FUNCTION_NAME.pattern, self._function()),
            "event_source_mappings": _named(
                MAPPING_NAME.pattern, self._or_resource("Mapping", RESOURCE_TYPE, self._mapping)
            ),
            "schedules": _named(SCHEDULE_NAME.pattern, self._or_resource("Schedule", SCHEDULE_TYPE, self._schedule)),
            LIST: {"type": ["array", "null"], "items": self._listed()},
        }
        properties[LIST]["description"] = "what `aws lambda list-event-source-mappings` prints"
        properties |= {token: {"description": "nothing: the list is whole", "type": "null"} for token in TOKENS}
        for name, option in options_of(Config).items():
            properties[name] = {"description": option.description} | properties[name]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Headrace configuration",
            "description": "AWS Lambda event source mappings, run outside Lambda",
            "type": "object",
            "properties": properties,
            "patternProperties": {"^x-": {"description": "ignored: a place for YAML anchors"}},
            "additionalProperties": False,
            "$defs": self.definitions,
        }

    def _single(self, model: type[Model]) -> Schema:
        return {"anyOf": [self._section(model, pasted=False), _NOTHING]}

    def _function(self) -> Schema:
        return {"anyOf": [self._section(runtime.model, pasted=False) for runtime in RUNTIMES.values()]}

    def _mapping(self) -> Schema:
        """One object for mappings of every source; what a source does not take is refused by its ARN."""
        options = {name: replace(option, required=False) for name, option in registry.all_settings().items()}
        body = self._object(options, pasted=True)
        for name in _not_everywhere(options):
            for spelling in options[name].names:
                written = body["properties"][spelling]
                alternatives = written.pop("anyOf", None) or [
                    {key: written.pop(key) for key in [*written] if key not in _ABOUT}
                ]
                written["anyOf"] = [*alternatives, _UNSET]
        body["description"] = "an event source mapping, in snake_case or in PascalCase"
        body["properties"] |= _each(READ_ONLY - set(body["properties"]), {"description": "reported by AWS; ignored"})
        # Beside a function's name it is only reported, whatever it is.
        body["properties"] |= _each(FUNCTION_ARN, {"description": "the function, if function_name does not say it"})
        body["properties"] |= _each(WITHOUT_EFFECT, {"description": "has no effect outside AWS"})
        body["properties"] |= _each(unread_settings(), _UNSET)
        body["allOf"] = [
            *(_one_of_these(option) for option in registry.all_settings().values() if option.required),
            *_refused_by_source(options),
            *_required_by_source(options),
        ]
        return body

    def _listed(self) -> Schema:
        """A mapping of AWS's list, which has a name of its own."""
        return {"$ref": "#/$defs/Mapping", "required": [UUID]}

    def _or_resource(self, name: str, kind: str, write: Callable[[], Schema]) -> Schema:
        """What ``write`` writes, or a whole CloudFormation resource of it, where numbers and true and false may be in quotes."""
        self.definitions[name] = write()
        self._in_quotes = True
        self.definitions[name + _IN_QUOTES] = write()
        self._in_quotes = False
        resource = {
            "type": "object",
            "description": "a whole CloudFormation resource",
            "properties": {"Type": {"const": kind}, "Properties": {"$ref": f"#/$defs/{name}{_IN_QUOTES}"}},
            "required": ["Type", "Properties"],
        }
        return {"anyOf": [{"$ref": f"#/$defs/{name}"}, resource]}

    def _schedule(self) -> Schema:
        body: Schema = {"description": "a schedule"} | self._object(schedule_options(), pasted=True)
        body["properties"] |= {name: {"description": "nothing that Headrace uses"} for name in sorted(FOREIGN)}
        return body

    def _section(self, model: type[Model], *, pasted: bool) -> Schema:
        name = model.__name__ + (_IN_QUOTES if self._in_quotes else "")
        if name not in self.definitions:
            self.definitions[name] = {}
            description = (model.__doc__ or "").split("\n")[0].replace("``", "`")
            found: Schema = {"description": description} | self._object(options_of(model), pasted=pasted)
            for refused in model.refused:
                found["properties"] |= _each(
                    refused.names, _SECTION_OR_NOTHING if refused.section else _LIST_OR_NOTHING
                )
            for idle in model.idle:
                found["properties"] |= _each(idle.names, {"description": idle.message})
            self.definitions[name] = found
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, options: dict[str, Option], *, pasted: bool) -> Schema:
        properties: dict[str, Schema] = {}
        for option in options.values():
            spelled = pasted or option.pasted
            written = self._option(option, pasted=spelled)
            properties[option.name] = written
            if spelled:
                also = f"{option.name} in another spelling: {option.description}"
                properties |= {spelling: written | {"description": also} for spelling in option.names[1:]}
        found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [option for option in options.values() if option.required]
        if required and pasted:
            found["allOf"] = [_one_of_these(option) for option in required]
        elif required:
            found["required"] = [option.name for option in required]
        return found

    def _option(self, option: Option, *, pasted: bool) -> Schema:
        alternatives = self._alternatives(option.shape, pasted=pasted)
        if not option.required:
            alternatives.append(_NOTHING)
            limited = isinstance(option.shape, Text) and option.shape.length != Limits() and option.default is None
            if pasted and (isinstance(option.shape, OneOf) or limited):
                alternatives.append({"const": ""})  # how Terraform's state writes what is not set
        written: Schema = {"description": option.description} | _any_of(alternatives)
        if not option.required and isinstance(option.default, str | int | float) and option.default is not None:
            written["default"] = option.default
        return written

    def _alternatives(self, shape: Shape, *, pasted: bool) -> list[Schema]:
        match shape:
            case Section(model):
                section = self._section(model, pasted=pasted)
                return [section, {"type": "array", "items": section, "maxItems": 1}] if pasted else [section]
            case Either(shapes):
                return [written for part in shapes for written in self._alternatives(part, pasted=pasted)]
            case ListOf(item, length):
                items: Schema = {"type": "array", "items": _any_of(self._alternatives(item, pasted=pasted))}
                alone = self._alternatives(item, pasted=pasted) if pasted and isinstance(item, Section) else []
                return [items | bounds(length, "minItems", "maxItems"), *alone[:1]]
            case MapOf(item):
                return [{"type": "object", "additionalProperties": _any_of(self._alternatives(item, pasted=pasted))}]
            case _:
                return simple(shape, in_quotes=self._in_quotes)


def _any_of(alternatives: list[Schema]) -> Schema:
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _named(pattern: str, member: Schema) -> Schema:
    members = {"type": "object", "patternProperties": {f"^{pattern}$": member}, "additionalProperties": False}
    return {"anyOf": [members, _NOTHING]}


def _one_of_these(option: Option) -> Schema:
    given = {"not": _NOTHING}
    return {"anyOf": [{"required": [spelling], "properties": {spelling: given}} for spelling in option.names]}


def _each(names: Iterable[str], written: Schema) -> dict[str, Schema]:
    return {name: written for name in sorted(names)}  # noqa: C420 - a schema is a value here, shared on purpose


def _not_everywhere(options: dict[str, Option]) -> set[str]:
    """Settings that some family of sources does not have."""
    return {
        name
        for kinds in registry.families().values()
        for name in options.keys() - registry.settings_of(kinds[0]).keys()
    }


def _refused_by_source(options: dict[str, Option]) -> Iterator[Schema]:
    """What mappings of a family do not take, for each spelling of the source's ARN."""
    for kinds in registry.families().values():
        refused = options.keys() - registry.settings_of(kinds[0]).keys()
        names = [spelling for name in refused for spelling in options[name].names]
        yield from _where_arn(options, kinds, {"properties": _each(names, _UNSET)})


def _required_by_source(options: dict[str, Option]) -> Iterator[Schema]:
    """What only mappings of a family must have, for each spelling of the source's ARN."""
    everywhere = {name for name, option in registry.all_settings().items() if option.required}
    for kinds in registry.families().values():
        for name, option in registry.settings_of(kinds[0]).items():
            if option.required and name not in everywhere:
                yield from _where_arn(options, kinds, _one_of_these(options[name]))


def _where_arn(options: dict[str, Option], kinds: list[SourceConfig], then: Schema) -> Iterator[Schema]:
    services = [service for kind in kinds for service in kind.services]
    either = services[0] if len(services) == 1 else f"({'|'.join(services)})"
    for spelling in options["event_source_arn"].names:
        pattern = {"pattern": f"^arn:[^:]+:{either}:"}
        yield {"if": {"required": [spelling], "properties": {spelling: pattern}}, "then": then}
