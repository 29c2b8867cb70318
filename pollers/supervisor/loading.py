"""Loading CONFIG with every check that needs no AWS, so that what cannot work is found before anything is received."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config import ConfigError, Fault, Note, load
from config.models import ProcessFunction
from config.sources.extra import check_extra
from handlers.environment import read_profile, world_in
from handlers.inspection import inspect

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from config import Loaded
    from config.faults import Finding
    from config.models import Config, Mapping
    from config.text.places import Path as ConfigPath
    from handlers.environment import Profile

INSPECTED_AT_A_TIME = 4
"""Most of the time goes into waiting for interpreters."""


def load_checked(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG, check event patterns and that what kinds of sources need is installed.

    Raises :class:`config.ConfigError` with every fault.
    """
    return load(path, checks=(_check_patterns, check_extra))


def load_runnable(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG, check event patterns and inspect every function.

    Raises :class:`config.ConfigError` with every fault.
    """
    loaded = load_checked(path)
    faults, notes = inspect_functions(loaded, loaded.config.functions)
    if faults:
        raise ConfigError(faults)
    return replace(loaded, notes=sorted({*loaded.notes, *notes}))


@dataclass(frozen=True, slots=True)
class Changed:
    """The configuration as it is now, which functions' changed code is ``sound``, and what is wrong with that of others.

    ``where`` says where an option stands.
    """

    config: Config
    sound: list[str]
    faults: dict[str, list[Fault]]
    notes: list[Note]
    where: Callable[[ConfigPath], str]
    fault: Callable[[ConfigPath, str], Fault]


def load_changed(path: str | os.PathLike[str], running: Config, names: Iterable[str]) -> Changed:
    """Load CONFIG and inspect only what differs from what is ``running``, and the functions ``names``, whose code has changed.

    Raises :class:`config.ConfigError` with every fault of the configuration, and of functions that it changes.
    """
    loaded = load_checked(path)
    models = loaded.config.functions
    differing = {name for name, model in models.items() if running.functions.get(name) != model}
    faults, notes = inspect_functions(loaded, sorted(differing))
    if faults:
        raise ConfigError(faults)
    wrong: dict[str, list[Fault]] = {}
    known = sorted(set(names) & models.keys() - differing)
    for name in known:
        found, said = inspect_functions(loaded, [name])
        notes += said
        if found:
            wrong[name] = found
    if differing:
        notes += loaded.notes
    return Changed(
        loaded.config,
        [name for name in known if name not in wrong],
        wrong,
        sorted(set(notes)),
        loaded.where,
        loaded.fault,
    )


def inspect_functions(loaded: Loaded, names: Iterable[str]) -> tuple[list[Fault], list[Note]]:
    """What is wrong with these functions, and what may be, at their places in the files."""
    profile = read_profile()
    with warnings.catch_warnings(), ThreadPoolExecutor(INSPECTED_AT_A_TIME) as pool:
        # Parsing a function's code may warn, of an invalid escape for example: that is for its author, not for our log.
        warnings.simplefilter("ignore")
        found = list(pool.map(lambda name: _inspect(loaded, name, profile), names))
    faults = [remark for remarks in found for remark in remarks if isinstance(remark, Fault)]
    return faults, [remark for remarks in found for remark in remarks if isinstance(remark, Note)]


def _check_patterns(mapping: Mapping) -> Iterable[Finding]:
    # Imported late: kinds and filters take an eighth of the time of ``headrace check``, and most mappings have no pattern.
    if not mapping.filter_criteria.filters:
        return ()
    from pollers.sources.registry import check_patterns

    return check_patterns(mapping)


def _inspect(loaded: Loaded, name: str, profile: Profile) -> list[Fault | Note]:
    config = loaded.config
    model = config.functions[name]
    where = world_in(config, name, profile=profile)
    found: list[Fault | Note] = []
    for remark in inspect(name, model, where):
        located = loaded.fault if remark.fatal else loaded.note
        found.append(located(("functions", name, *remark.path), remark.message))
    if where.doubt is not None and isinstance(model, ProcessFunction) and "AWS_REGION" not in model.environment:
        found.append(loaded.note(("functions", name), where.doubt))
    return found
