"""What Lambda's API calls the state of a mapping (docs/lambda 16.4). A decider."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.supervisor.mapping import MappingRunner


class ApiState(StrEnum):
    """The states that there are."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


SETTLED = frozenset(
    {MappingState.RUNNING, MappingState.BACKING_OFF, MappingState.PAUSED, MappingState.DISABLED, MappingState.STOPPED}
)
"""In one of these a mapping has come to the end of what a client asked for; whether its source answers is another matter."""


def going_on(runner: MappingRunner) -> bool:
    """Whether what it does now is only for its function's sake: what an operator has paused since then is not."""
    return runner.renewed and not runner.paused


def transition(before: Mapping, after: Mapping) -> ApiState:
    """What an update is called until it counts."""
    if before.enabled == after.enabled:
        return ApiState.UPDATING
    return ApiState.ENABLING if after.enabled else ApiState.DISABLING


def state_of(model: Mapping, runner: MappingState | None, *, restarts: int = 0, renewed: bool = False) -> ApiState:
    """The state of a mapping that nobody is changing; ``runner`` is what its runner does, None where it has none.

    A mapping whose source or function cannot be used is Enabled, as on AWS. One that an operator has paused is Disabled.
    One that is ``renewed``, because its function alone has changed, stays Enabled while it ends and begins.
    """
    match runner:
        case MappingState.PAUSED | MappingState.DISABLED:
            return ApiState.DISABLED
        case MappingState.STARTING | MappingState.STOPPING if renewed and model.enabled:
            return ApiState.ENABLED
        case MappingState.STARTING if not restarts:
            return ApiState.ENABLING
        case MappingState.STOPPING:
            return ApiState.DISABLING
        case None | MappingState.STOPPED:
            return ApiState.ENABLED if model.enabled else ApiState.DISABLED
    return ApiState.ENABLED
