"""What Lambda's API calls the states of mappings."""

from __future__ import annotations

import pytest

from config.models import SqsMapping
from pollers.made_mappings.states import ApiState, state_of, transition
from pollers.supervisor.mapping import MappingState

ON = SqsMapping(name="q", event_source_arn="arn:aws:sqs:us-east-1:000000000000:q", function_name="f")
OFF = ON.model_copy(update={"enabled": False})


@pytest.mark.parametrize(
    ("runner", "state"),
    [
        (MappingState.STARTING, ApiState.ENABLING),
        (MappingState.RUNNING, ApiState.ENABLED),
        (MappingState.BACKING_OFF, ApiState.ENABLED),
        (MappingState.PAUSED, ApiState.DISABLED),
        (MappingState.DISABLED, ApiState.DISABLED),
        (MappingState.STOPPING, ApiState.DISABLING),
        (MappingState.STOPPED, ApiState.ENABLED),
        (None, ApiState.ENABLED),
    ],
)
def test_every_state_of_a_runner_has_a_name(runner: MappingState | None, state: ApiState) -> None:
    """One of AWS's."""
    assert state_of(ON, runner) is state


def test_a_mapping_that_was_enabled_stays_so_while_it_is_tried_again() -> None:
    """A client is not to take each attempt for a change; where nothing runs, its settings count."""
    assert state_of(ON, MappingState.STARTING, restarts=1) is ApiState.ENABLED
    assert state_of(OFF, None) is ApiState.DISABLED


def test_an_update_is_called_after_what_it_changes() -> None:
    """Enabling and disabling have words of their own."""
    assert transition(ON, OFF) is ApiState.DISABLING
    assert transition(OFF, ON) is ApiState.ENABLING
    assert transition(ON, ON.model_copy(update={"batch_size": 3})) is ApiState.UPDATING


def test_a_mapping_stays_enabled_while_its_function_is_renewed() -> None:
    """Nobody disabled it; what an operator pauses, or a client disables, is said as ever."""
    for state in (MappingState.STOPPING, MappingState.STARTING):
        assert state_of(ON, state, renewed=True) is ApiState.ENABLED
    assert state_of(ON, MappingState.PAUSED, renewed=True) is ApiState.DISABLED
