"""One made mapping in a running Headrace: what is kept of it, and how far that is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.made_mappings.states import SETTLED, ApiState, going_on, state_of
from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.made_mappings.made import MadeMapping
    from pollers.supervisor.mapping import MappingRunner


@dataclass(slots=True)
class Entry:
    """``made`` as it is on the disk, ``model`` its settings.

    ``running``: the model that the configuration that runs is completed with; None for none. ``applied``: whether the runtime has
    been told of what is wanted. ``transition``: what a client's last change is called until it counts, which is when ``runner``
    has come to the end of it: the one that has run what was wanted, None where nothing can run.
    """

    made: MadeMapping
    model: Mapping
    running: Mapping | None = None
    applied: bool = False
    transition: ApiState | None = None
    runner: MappingRunner | None = None

    @property
    def target(self) -> Mapping | None:
        """What is to run."""
        return None if self.made.deleting else self.model

    def change(self, made: MadeMapping, model: Mapping, transition: ApiState) -> None:
        """This is wanted from now on."""
        self.made, self.model, self.transition, self.applied = made, model, transition, False

    def state(self, runner: MappingRunner | None) -> ApiState:
        """Its state for clients. The end of a transition is noticed here: nobody is told of it who does not ask."""
        if self.made.deleting:
            return ApiState.DELETING
        if self.transition is not None:
            if not self.applied or not self._counts(runner):
                return self.transition
            self.transition = self.runner = None
        if runner is None:
            return state_of(self.model, None)
        # Nobody who uses the API has changed it. So if it ends, and no operator has paused it, it ends for the sake of something
        # else: its function is changed or goes, the file gets its twin. It is Enabled then, as on AWS (docs/lambda 16.4).
        others = going_on(runner) or (runner.state is MappingState.STOPPING and not runner.paused)
        return state_of(runner.model, runner.state, restarts=runner.restarts, renewed=others)

    def _counts(self, runner: MappingRunner | None) -> bool:
        """Whether what was wanted has run. Nobody may have asked meanwhile: what a runner does later, or another one that a reload
        has put in its place, belongs to no change of a client.
        """
        if runner is None or runner is not self.runner or runner.state in SETTLED:
            return True
        return runner.started_at is not None or runner.restarts > 0
