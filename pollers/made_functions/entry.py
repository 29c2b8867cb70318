"""One made function in a running Headrace: what is kept of it, and how far that is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.models import FunctionModel
    from pollers.made_functions.made import MadeFunction


@dataclass(slots=True, eq=False)
class Entry:
    """``made`` as it is on the disk, ``model`` its settings.

    ``running``: the model that the configuration that runs is completed with; None for none. ``applied``: whether the runtime has
    been told of what is wanted. ``entered``: whether it could be called since it was made. ``forgotten``: of a deleted function,
    whether what the API made of it beside is gone.
    """

    made: MadeFunction
    model: FunctionModel
    running: FunctionModel | None = None
    applied: bool = False
    entered: bool = False
    forgotten: bool = False

    @property
    def target(self) -> FunctionModel | None:
        """What is to run."""
        return None if self.made.deleting else self.model

    def change(self, made: MadeFunction, model: FunctionModel) -> None:
        """This is wanted from now on."""
        self.made, self.model, self.applied = made, model, False
