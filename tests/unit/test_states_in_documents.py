"""The state machines of the documents have the states that the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handlers.runtime_api.api import RuntimeState
from pollers.functions import FunctionState
from pollers.sources.sqs.message import Phase
from pollers.sources.streams.shard_states import TRANSITIONS, ShardState
from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCS = Path(__file__).parents[2] / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
STREAMS = (DOCS / "streams.md").read_text(encoding="utf-8")


def part(text: str, begins: str) -> str:
    """From ``begins`` to what is drawn next, or the next heading."""
    rest = text.split(begins)[1]
    return re.split(r"\n\*\*A |\n## ", rest)[0].lower()


@pytest.mark.parametrize(
    ("drawn", "states"),
    [
        pytest.param(part(ARCHITECTURE, "**A mapping**"), [state.value for state in MappingState], id="mapping"),
        pytest.param(part(ARCHITECTURE, "**A function**"), [state.value for state in FunctionState], id="function"),
        pytest.param(part(ARCHITECTURE, "**A message**"), [phase.name for phase in Phase], id="message"),
        pytest.param(part(ARCHITECTURE, "**A shard**"), [state.name for state in ShardState], id="shard"),
        pytest.param(part(STREAMS, "## The life of a shard"), [state.name for state in ShardState], id="shard in full"),
        pytest.param(
            part(ARCHITECTURE, "**A worker**"),
            ["started", "init error", "ready", "running", "invocation response", "response sent"],
            id="worker",
        ),
    ],
)
def test_every_state_is_drawn(drawn: str, states: Iterable[str]) -> None:
    """By its name."""
    assert [state for state in states if state.lower() not in drawn] == []


def test_the_states_of_a_worker_are_those_of_its_runtime() -> None:
    """The picture has them in words."""
    before = ["Started", "InitError", "Ready", "Running", "InvocationResponse"]
    assert [state.value for state in RuntimeState] == [*before, "ResponseSent"]


def test_every_step_of_a_shard_is_explained() -> None:
    """As many as the code allows; those to LOST and to LET_GO come from three states each, and are one step each."""
    steps = {(before, after) for before, allowed in TRANSITIONS.items() for after in allowed}
    joined = {(None if after in (ShardState.LOST, ShardState.LET_GO) else before, after) for before, after in steps}
    explained = re.findall(r"^(\d)\. ", STREAMS.split("## The life of a shard")[1].split("\n## ")[0], re.MULTILINE)
    # The one from WAITING to ENDED has no number: nothing is drawn for a shard that is never read.
    assert len(explained) == len(joined) - 1
