"""What a kind of process runtime has to say of a function: one coroutine, in one file for each kind.

:mod:`handlers.workers.python` and :mod:`handlers.workers.provided` are the two that there are; all else about worker processes is
the same for any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from anyio import to_thread

from handlers.workers.code_folder import folder_of
from handlers.workers.environment import Identity, Place, worker_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from config.models import ProcessFunction
    from handlers.copies import Copies
    from handlers.environment import World

Model = TypeVar("Model", bound="ProcessFunction", contravariant=True)


@dataclass(frozen=True, slots=True)
class Program:
    """What the workers of a function execute, and what they are told of it."""

    code: Path
    """The folder in which they start."""
    command: Sequence[str]
    handler: str
    """What ``_HANDLER`` says."""
    execution_environment: str = "AWS_Lambda_provided"
    layers: Sequence[Path] = ()
    """Folders that lie over the code, as layers do on Lambda."""
    framed: bool = False
    """Whether its runtime client writes AWS's frames (:mod:`handlers.logs.frames`) if it is given a descriptor for them."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Folders that are copies, each with the user's own that it is of."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a function is prepared and where its workers will run."""

    function_name: str
    scratch: Path
    """The function's own folder for temporary files."""
    world: World
    kept: Copies | None = None
    """Where the copies of the code are that workers run, if they run any: what is saved later reaches none of them then."""

    @property
    def copies(self) -> Mapping[str, str]:
        """The copies that were made, each with what it is of."""
        return {} if self.kept is None else self.kept.names

    async def folder(self, path: Path, name: str, option: str) -> Path:
        """The folder that ``path`` is, or that it unpacks to (as ``name``), or its copy.

        Raises FunctionUnusable, with ``option`` named.
        """
        what = f"function {self.function_name}: {option}"
        return await to_thread.run_sync(self._folder, path, self.scratch / name, what)

    def _folder(self, path: Path, scratch: Path, what: str) -> Path:
        if self.kept is None:
            return folder_of(path, scratch, what)
        return self.kept.of(self.function_name, path.absolute(), lambda own, target: folder_of(own, target, what))

    def environment(
        self,
        model: ProcessFunction,
        program: Program,
        *,
        log_stream: str,
        runtime_api: str = "",
        scratch: Path | None = None,
    ) -> dict[str, str]:
        """The environment of one worker; ``scratch`` is its own folder, by default the function's."""
        place = Place(program.code, tuple(program.layers), scratch or self.scratch, runtime_api)
        region, kind = self.world.region, program.execution_environment
        identity = Identity(self.function_name, program.handler, region, log_stream, kind)
        return worker_environment(identity, place, model, self.world.environment, self.world.profile)


class Prepare(Protocol[Model]):
    """A kind of runtime."""

    async def __call__(self, model: Model, site: Site) -> Program:
        """Check and unpack what the function needs, before its first worker is started.

        Raises:
            FunctionUnusable: for what no retry can cure.
        """
