"""Every function under ``functions:``, each with its host, from the start of the process to its end (docs/design, decision 11)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pollers.functions.host import FunctionHost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from anyio.abc import TaskGroup

    from config.models import FunctionModel
    from pollers.functions.host import FunctionMaker


class Functions(Mapping[str, FunctionHost]):
    """The hosts by name: the one door to functions, for mappings and for whoever else calls.

    The task group given to :meth:`start` owns every host's task, so it must outlive every caller. A crash of the process leaves
    worker processes to their keeper, which kills them.
    """

    def __init__(self, make: FunctionMaker, copied: Callable[[str], bool] = lambda name: False) -> None:
        """``copied``: which of them run copies of their code."""
        self._make = make
        self._copied = copied
        self._hosts: dict[str, FunctionHost] = {}
        self._leaving: list[FunctionHost] = []
        self._group: TaskGroup | None = None

    def __getitem__(self, name: str) -> FunctionHost:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def start(self, group: TaskGroup, models: Mapping[str, FunctionModel]) -> None:
        """Give every function a host, whose task runs in ``group``. None of them is entered before somebody asks for it."""
        self._group = group
        for name, model in models.items():
            self._add(name, model)

    def candidate(self, name: str, model: FunctionModel) -> FunctionHost:
        """A host beside the one of that name, which nobody calls: for :meth:`apply`, or to be closed."""
        host = self._hosted(name, model)
        self._leaving.append(host)
        return host

    async def apply(
        self,
        models: Mapping[str, FunctionModel],
        renew: Collection[str],
        proven: Mapping[str, FunctionHost] = MappingProxyType({}),
    ) -> None:
        """Follow a changed configuration: hosts for new functions, none for those that are gone, new ones for ``renew``.

        ``proven`` are candidates that become the new hosts. An old host is left once its last caller has left;
        those that nobody calls now are waited for. Reserved concurrency stays with the name.
        """
        gone = [host for name, host in self._hosts.items() if name not in models or name in renew]
        for host in gone:
            # The new host is there at once, so nobody can ask the old one for what it does not give any more.
            del self._hosts[host.name]
            self._leaving.append(host)
            host.retire()
        for name, model in models.items():
            if name not in self._hosts:
                self._add(name, model, proven.get(name))
                for host in gone:
                    if host.name == name and name not in proven and host.model.runs_as(model):
                        self._hosts[name].go_on_from(host)  # another region, say: nobody has tried what is on the disk
            self._hosts[name].model = model
        for host in gone:
            if host.name in self._hosts:
                self._hosts[host.name].reserve(host.reserved)
            if not host.called:
                await host.finished.wait()
        self._leaving = [host for host in self._leaving if not host.finished.is_set()]

    def close(self) -> None:
        """Leave every function now, whoever still calls."""
        for host in self._all():
            host.close()

    @property
    def unfinished(self) -> list[FunctionHost]:
        """The hosts whose functions have not been left, those of an earlier configuration included."""
        return [host for host in self._all() if not host.finished.is_set()]

    def _all(self) -> list[FunctionHost]:
        return [*self._hosts.values(), *self._leaving]

    def _add(self, name: str, model: FunctionModel, proven: FunctionHost | None = None) -> None:
        if proven is not None:
            self._leaving.remove(proven)
        self._hosts[name] = proven or self._hosted(name, model)

    def _hosted(self, name: str, model: FunctionModel) -> FunctionHost:
        if self._group is None:
            raise RuntimeError("functions have been given no task group to run in")
        host = FunctionHost(name, model, self._make, self._copied)
        self._group.start_soon(host.run)
        return host
