"""What a schedule pasted from AWS, CloudFormation or Terraform has beside its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Table, is_null, quoted, says_nothing

if TYPE_CHECKING:
    from config.faults import Report
    from config.text.places import Path

RESOURCE_TYPE = "AWS::Scheduler::Schedule"

TARGET = {
    "arn": "function_name",
    "input": "input",
    "retry_policy": "retry_policy",
    "dead_letter_config": "dead_letter_config",
}
"""What a target's options are called in the schedule itself."""

READ_ONLY = frozenset(
    {
        *("Arn", "arn", "id", "CreationDate", "creation_date", "LastModificationDate", "last_modification_date"),
        *("ClientToken", "client_token"),
    }
)
"""What AWS's replies and Terraform's state report of a schedule and nobody can set."""

WITHOUT_EFFECT = frozenset(
    {
        *("Description", "description", "KmsKeyArn", "kms_key_arn", "name_prefix", "region", "Tags", "tags"),
        *("ActionAfterCompletion", "action_after_completion"),
    }
)
"""Settings that change nothing here. A schedule that is over stays in the file, and does not run again."""

_NAMES = ("Name", "name")
FOREIGN = READ_ONLY | WITHOUT_EFFECT | set(_NAMES)
"""Every key that may stand in a schedule and is no option of it."""


def foreign(key: str, _node: Node) -> str | None:
    """Explain a key that is no option of schedules: an empty text for one that may stand there; None when it is not known."""
    return "" if key in FOREIGN else None


def remark(name: str, node: Table, path: Path, report: Report) -> None:
    """Add a note on each part of a pasted schedule that has no effect."""
    read_only = [key for key, entry in node.entries.items() if key in READ_ONLY and not is_null(entry.node)]
    if read_only:
        report.note(path, f"ignored what AWS reports and no schedule can be given: {', '.join(read_only)}")
    for key, entry in node.entries.items():
        if key in WITHOUT_EFFECT and not says_nothing(entry.node):
            report.note((*path, key), f"{key} has no effect outside AWS", entry.place)
        if key in _NAMES and not (isinstance(entry.node, Scalar) and entry.node.value in (None, name)):
            report.note((*path, key), f"{key} is ignored: the schedule is called {quoted(name)}", entry.place)


def wanted_function(text: str) -> str:
    """What is expected in place of a target that is no function."""
    wanted = "the name or the ARN of a function under functions"
    if text.startswith("arn:aws:scheduler:::aws-sdk:"):
        return f"{wanted}: universal targets are not served; what Input has as Payload is the input here"
    return wanted
