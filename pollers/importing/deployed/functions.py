"""Functions that are deployed: how each runs here, and which one a name or an ARN means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.functions.asynchronous import DeadLetterConfig
from config.functions.logging_config import LoggingConfig
from config.functions.references import refer
from config.options.shapes import options_of
from config.text.places import Place
from pollers.importing.deployed.document import inside, without_empty
from pollers.importing.fitting import fit
from pollers.importing.model import Member, Origin
from pollers.importing.placeholders import variable
from pollers.importing.running import Program, environment_of, layer_fetched, running
from pollers.importing.values import Unknown, Value, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.importing.deployed.document import Document
    from pollers.importing.model import Imported
    from pollers.importing.running import Code

_LATEST = "$LATEST"
_ACCOUNT_LENGTH = 12
_DEFAULTS = {"timeout": 3, "memory_size": 128}
"""Lambda's, which every function tells. Here the first is the same, and the second would be a limit that nobody asked for."""


class Functions:
    """The functions so far. Those that are named and not there are added as functions in AWS."""

    def __init__(self, imported: Imported, code_of: Callable[[Document], Code]) -> None:
        self._imported = imported
        self._code_of = code_of
        self._by_arn: dict[str, Member] = {}
        self._by_name: dict[str, Member] = {}
        self._told: dict[str, str] = {}
        self._shut: set[int] = set()

    def add(self, document: Document) -> None:
        """Add a function."""
        name = document.text("function_name") or document.name
        arn = document.get("function_arn") or document.get("arn")
        if arn is None:
            reason = f"the ARN of the function {name}, which is not known"
            arn = Unknown(f"function {name}", variable(name, "Function", "Arn"), reason, document.place)
        place = document.place or Place("", 0)
        code = self._code_of(document)
        found = running(Program(name, document.get("runtime"), document.get("handler"), code, arn, place))
        member = Member(name, found.options, document.origin)
        for note in found.notes:
            self._imported.note(document.place, name, note)
        self._limits(document, member, called=found.called)
        if not found.called:
            self._surroundings(document, member)
        self._imported.functions.append(member)
        self._by_arn[_key(arn)] = member
        self._by_name.setdefault(name, member)

    def told_of(self, arn: str) -> None:
        """Remember a function's ARN, for those who name it only."""
        found = refer(arn)
        if found is not None and arn.startswith("arn:"):
            self._told.setdefault(found[0], arn.removesuffix(f":{found[1]}") if found[1] else arn)

    def home(self) -> dict[str, Value]:
        """The region and the account of the functions, as Lambda's API has to be told them; nothing where no ARN is known."""
        for arn in self._by_arn:
            parts = arn.split(":")
            if len(parts) > 5 and parts[0] == "arn" and len(parts[4]) == _ACCOUNT_LENGTH:
                return {"region": parts[3], "account": parts[4]}
        return {}

    def is_shut(self, member: Member) -> bool:
        """Whether its reserved concurrency is 0: nothing may call it."""
        return id(member) in self._shut

    def knows(self, arn: Unknown) -> bool:
        """Whether an ARN that is not known yet is that of a function here."""
        return _key(arn) in self._by_arn

    def find(self, text: Value, place: Place | None) -> Member | None:
        """The function that a name or an ARN means, with or without a qualifier; None where it means none."""
        if isinstance(text, Unknown):
            return self._by_arn.get(_key(text)) or self._outside(variable_to_name(text), text, place)
        named = refer(text) if isinstance(text, str) else None
        if named is None or not isinstance(text, str):
            return None
        name, qualifier = named
        arn = text.removesuffix(f":{qualifier}") if qualifier else text
        member = self._by_arn.get(arn)
        if member is None and not text.startswith("arn:"):
            arn = self._told.get(name, arn)
            member = self._by_name.get(name) or self._by_arn.get(arn)
        if member is None:
            given: Value = arn
            if not arn.startswith("arn:"):
                wanted, reason = variable(name, "Function", "Arn"), f"the ARN of the function {name}, which is not told"
                given = Unknown(f"function {name}", wanted, reason, place)
            member = self._outside(name, given, place)
        return self._qualified(member, qualifier, place)

    def _qualified(self, member: Member, qualifier: str | None, place: Place | None) -> Member:
        """A version or an alias of a function is a function of its own where it is called in AWS, and none where it runs here."""
        if qualifier in (None, _LATEST):
            return member
        if member.options.get("runtime") != "lambda":
            message = f"its version or alias {qualifier} has no effect: there is one code of it here"
            self._imported.note(place, member.name, message)
            return member
        key = f"{id(member)}:{qualifier}"
        if key not in self._by_arn:
            own = ("timeout", "concurrency")
            options = {name: member.options[name] for name in ("runtime", "function_arn")}
            options["qualifier"] = qualifier
            options |= {name: member.options[name] for name in own if name in member.options}
            qualified = Member(f"{member.name}-{qualifier}", options, member.origin)
            self._by_arn[key] = qualified
            self._imported.functions.append(qualified)
            if self.is_shut(member):
                self._shut.add(id(qualified))
        return self._by_arn[key]

    def _outside(self, name: str, arn: Value, place: Place | None) -> Member:
        key = _key(arn)
        if key not in self._by_arn:
            options: dict[str, Value] = {"runtime": "lambda", "function_arn": arn}
            member = Member(name, options, Origin(place, "a function that is called in AWS, and not described here"))
            self._by_arn[key] = member
            self._imported.functions.append(member)
        return self._by_arn[key]

    def _limits(self, document: Document, member: Member, *, called: bool) -> None:
        for option in ("timeout",) if called else ("timeout", "memory_size"):
            value = document.get(option)
            if value and value != _DEFAULTS[option]:
                member.options[option] = value
        reserved = document.get("reserved_concurrent_executions")
        if reserved == 0:
            self._shut.add(id(member))
            message = "its reserved concurrency is 0, so nothing calls it: what would call it is disabled"
            self._imported.note(document.place, member.name, message)
        elif isinstance(reserved, int) and reserved > 0:
            member.options["concurrency"] = reserved
        letters = fit({"target_arn": document.get("dead_letter_config", "target_arn")}, options_of(DeadLetterConfig))
        if letters.options:
            member.options["dead_letter_config"] = letters.options

    def _surroundings(self, document: Document, member: Member) -> None:
        """What a worker gets, and what does not come along."""
        variables = document.get("environment", "variables")
        if given := environment_of(variables):
            member.options["environment"] = {name: text_of(value) for name, value in given.items()}
            message = (
                "the values of its environment are written as they are: look for secrets before you share the file"
            )
            if any(not isinstance(value, Unknown) for value in given.values()):
                self._imported.note(document.place, member.name, message)
        elif isinstance(variables, Unknown) or document.get("environment", "error"):
            message = "left out: the values of its environment are not told"
            self._imported.note(document.place, member.name, message)
        logging = without_empty(document.get("logging_config"))
        if inside(logging, "log_format") == "JSON" and (block := _block(logging)):
            member.options["logging_config"] = fit(block, options_of(LoggingConfig)).options
        for layer in _layers(document.get("layers")):
            message = f"left out the layer {layer}: {layer_fetched(layer)}, unpack it, and name its folder under layers"
            self._imported.note(document.place, member.name, message)
        self._imported.note(None, "", "roles, VPCs and file systems are not imported: a worker has Headrace's own")


def variable_to_name(unknown: Unknown) -> str:
    """A function's name, where only the variable of its ARN is known: ``ORDERS_FUNCTION_ARN`` is ``orders``."""
    words = (unknown.wanted or "function").lower().split("_")
    while len(words) > 1 and words[-1] in ("arn", "name", "function"):
        words.pop()
    return "-".join(words)


def _key(arn: Value) -> str:
    return arn if isinstance(arn, str) else f"?{arn.key}" if isinstance(arn, Unknown) else repr(arn)


def _block(value: Value) -> dict[str, Value] | None:
    block = value[0] if isinstance(value, list) and len(value) == 1 else value
    return block if isinstance(block, dict) else None


def _layers(value: Value) -> list[str]:
    """The ARNs of layers: texts in a state, objects with an Arn in the API's replies."""
    arns = [item.get("Arn") if isinstance(item, dict) else item for item in value] if isinstance(value, list) else []
    return [arn for arn in arns if isinstance(arn, str)]
