"""What is around a template: where its local paths lead, and what another tool that wrote it knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource
    from pollers.importing.running import Code

BUILT = Path(".aws-sam") / "build"
"""Where ``sam build`` puts the code that can be run, a folder for each function and nested stack (docs/lambda 17.2)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a template. ``folder`` is what its local paths are relative to.

    ``code_of`` finds a function's code where it is not as in SAM. ``readable`` gives a resource a better name than its logical id.
    ``wanted`` says which resources are the user's own. ``shown`` is the folder as the user would name it. ``built`` is where
    ``sam build`` puts the template's functions, if not in the folder. ``template_of`` finds the template of a nested stack where
    the resource itself does not say it.
    """

    folder: Path
    code_of: Callable[[Context, Resource], Code] | None = None
    readable: Callable[[Resource], str] = lambda resource: resource.logical_id
    wanted: Callable[[Resource], bool] = lambda _resource: True
    shown: str = ""
    built: Path | None = None
    template_of: Callable[[Resource], Path | None] = lambda _resource: None

    @property
    def built_folder(self) -> Path:
        """Where ``sam build`` puts what it makes of the template."""
        return self.built or self.folder / BUILT
