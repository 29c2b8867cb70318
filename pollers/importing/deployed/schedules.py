"""Schedules that are deployed: EventBridge Scheduler's, and rules of EventBridge with a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.options.shapes import options_of
from config.schedules.model import Schedule
from pollers.importing.deployed.document import inside, without_empty
from pollers.importing.deployed.settled import settled
from pollers.importing.fitting import fit
from pollers.importing.model import Member
from pollers.importing.values import NameOf, Unknown

if TYPE_CHECKING:
    from pollers.importing.deployed.document import Document
    from pollers.importing.deployed.functions import Functions
    from pollers.importing.model import Imported
    from pollers.importing.values import Value

_OF_SCHEDULE = (
    *("schedule_expression", "schedule_expression_timezone", "group_name", "start_date", "end_date"),
    "flexible_time_window",
)
_OF_TARGET = ("input", "retry_policy", "dead_letter_config")
_CHANGED_INPUT = ("input_path", "input_transformer")


def add_schedule(imported: Imported, functions: Functions, document: Document) -> None:
    """Add a schedule of EventBridge Scheduler; or say why it is left out."""
    target = document.get("target")
    member = _function(functions, inside(target, "arn"), document)
    if member is None:
        imported.note(document.place, document.name, "left out the schedule: its target is no function")
        return
    given = {name: document.get(name) for name in _OF_SCHEDULE}
    given |= {name: inside(target, name) for name in _OF_TARGET}
    is_on = document.text("state") != "DISABLED" and not functions.is_shut(member)
    _add(imported, document, document.name, given, member, is_on=is_on)


def add_rule(imported: Imported, functions: Functions, document: Document, targets: list[Document]) -> None:
    """Add what a rule with a schedule calls: one schedule for each function among its targets."""
    expression = document.get("schedule_expression")
    if expression is None:
        called = [one for one in targets if _function(functions, one.get("arn"), one) is not None]
        if called:
            message = "left out the rule: it waits for events of a bus, which are not read; let it send them to a queue"
            imported.note(document.place, document.name, message)
        return
    is_on = document.text("state") != "DISABLED" and document.get("is_enabled") is not False
    for target in targets:
        member = _function(functions, target.get("arn"), target)
        if member is None:
            imported.note(target.place, document.name, "left out a target of the rule: it is no function")
            continue
        changed = [name for name in _CHANGED_INPUT if without_empty(target.get(name)) is not None]
        if changed:
            message = f"{', '.join(changed)} is not applied here: the event is the schedule's whole one"
            imported.note(target.place, document.name, message)
        given: dict[str, Value] = {"event": "rule", "schedule_expression": expression}
        given |= {name: target.get(name) for name in _OF_TARGET}
        name = document.name if len(targets) == 1 else f"{document.name}-{target.name}"
        _add(imported, target, name, given, member, is_on=is_on and not functions.is_shut(member))


def _add(
    imported: Imported, document: Document, name: str, given: dict[str, Value], member: Member, *, is_on: bool
) -> None:
    kept = without_empty(given)
    known = options_of(Schedule)
    options = settled(fit(kept if isinstance(kept, dict) else {}, known).options, known)
    options["function_name"] = NameOf(member)
    if not is_on:
        options["state"] = "DISABLED"
    imported.schedules.append(Member(name, options, document.origin))


def _function(functions: Functions, arn: Value, document: Document) -> Member | None:
    if isinstance(arn, str) and ":lambda:" in arn and ":aws-sdk:" not in arn:
        return functions.find(arn, document.place)
    if isinstance(arn, Unknown) and functions.knows(arn):
        return functions.find(arn, document.place)
    return None
