"""The ``schedules`` section: from a schedule in a file to its model, with every fault on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.functions.references import refer, undefined, unqualified
from config.options.outcome import Faulty
from config.options.reader import Wording
from config.options.resources import unwrap
from config.options.shapes import options_of
from config.schedules import pasted
from config.schedules.model import Schedule, WrittenSchedule
from config.schedules.rules import RULES
from config.text.nodes import Node, Table, describe, is_faulty, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from config.options.outcome import Reading
    from config.options.reader import Reader
    from config.options.shapes import Option
    from config.text.places import Path

NAME = re.compile(r"[0-9a-zA-Z-_.]{1,64}")
"""EventBridge's rule for names of schedules and of rules."""

_WORDING = Wording(missing={"schedule_expression": "rate(value unit), cron(fields) or at(yyyy-mm-ddThh:mm:ss)"})


@dataclass(frozen=True, slots=True)
class ScheduleReader:
    """Reads schedules.

    ``functions`` are those that schedules may name; None when some file could not be read, since then nobody knows them all.
    ``now`` is the time that settings in the past are compared with.
    """

    functions: Mapping[str, object] | None
    now: datetime

    def read(self, name: str, node: Node, reader: Reader, path: Path) -> Schedule | None:
        """The schedule under ``name``, or None after a fault."""
        report = reader.report
        before = len(report.faults)
        if not NAME.fullmatch(name):
            expected = "1 to 64 letters, digits, '.', '_' and '-', as EventBridge has them"
            report.fault(path, f"found the name {quoted(name)}, expected {expected}")
        whole, (node, shown) = node, unwrap(node, pasted.RESOURCE_TYPE, path, report, path)
        if is_faulty(node):
            return None
        if not isinstance(node, Table):
            report.fault(path, f"found {describe(node)}, expected a mapping with schedule_expression and function_name")
            return None
        reader = replace(reader, wording=_WORDING, in_quotes=node is not whole)
        reading = reader.section(schedule_options(), node, path, shown, pasted.foreign)
        if reading is None:
            return None
        pasted.remark(name, node, path, report)
        places = self._take_target(reading, reader, path)
        self._resolve(reading, reader, path, places)
        for rule in RULES:
            for found in rule(reading, self.now):
                option = str(found.path[0]) if found.path else ""
                at = (*path, *places.get(option, (option,)), *found.path[1:]) if found.path else path
                (report.note if found.is_note else report.fault)(at, found.message)
        sound = not reading.faulty and len(report.faults) == before
        return Schedule(name=name, **reading.values) if sound else None

    def _take_target(self, reading: Reading, reader: Reader, path: Path) -> dict[str, Path]:
        """Make the target's options the schedule's own. Returns where each of them stands, by the schedule's name for it."""
        target = reading.values.pop("target", None)
        places: dict[str, Path] = {}
        if target is None:
            if "function_name" not in reading.given and "target" not in reading.given:
                reader.report.fault(path, "function_name is missing, expected the name or the ARN of a function")
                reading.faulty["function_name"] = Faulty()
            return places
        for inside, option in pasted.TARGET.items():
            value = getattr(target, inside)
            if value is None:
                continue
            if option in reading.given:
                message = f"found it together with the schedule's own {option}, expected one of the two"
                reader.report.fault((*path, "target", inside), message)
            places[option] = ("target", inside)
            reading.values[option] = value
        return places

    def _resolve(self, reading: Reading, reader: Reader, path: Path, places: Mapping[str, Path]) -> None:
        """Replace the function's name or ARN by its key under ``functions``."""
        text = reading.values.get("function_name")
        if text is None:
            return
        at = (*path, *places.get("function_name", ("function_name",)))
        found = refer(text)
        if found is None:
            reader.report.fault(at, f"found {quoted(text)}, expected {pasted.wanted_function(text)}")
            reading.faulty["function_name"] = Faulty()
            return
        reading.values["function_name"] = found[0]
        if self.functions is not None and found[0] not in self.functions:
            reader.report.fault(at, undefined(found[0], self.functions))
        elif (idle := unqualified(*found)) is not None:
            reader.report.note(at, idle)


def schedule_options() -> dict[str, Option]:
    """The options of a schedule, by name, as files may write them."""
    return {name: option for name, option in options_of(WrittenSchedule).items() if name != "name"}
