"""Checkpoints that the replicas of a Deployment would not share: each would then process every record of every stream.

Two processes with files of their own cannot see each other. What can be seen is where this one runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pollers.aws.findings import Finding, Level
from pollers.sources.registry import keeps_checkpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config import Loaded

REPLICAS = "HEADRACE_REPLICAS"
"""How many replicas there are at most; whoever starts them says it, as the Helm chart does."""
SERVICE_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount"
SERVICE_HOST = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in every container, also where no service account is mounted."""
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where this process runs. ``replicas``: how many there are at most; None when nobody says it."""

    in_kubernetes: bool
    replicas: int | None


def surroundings(environ: Mapping[str, str], root: Path = Path("/")) -> Surroundings:
    """Read from the environment, and from the service account that Kubernetes mounts below ``root``."""
    given = environ.get(REPLICAS, "").strip()
    replicas = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
    return Surroundings(SERVICE_HOST in environ or (root / SERVICE_ACCOUNT).is_dir(), replicas)


def unshared(loaded: Loaded, around: Surroundings) -> Finding | None:
    """What is wrong with checkpoints in SQLite here, with file and line; None where nothing is (decider)."""
    config = loaded.config
    streams = [m.name for m in config.event_source_mappings.values() if m.enabled and keeps_checkpoints(m)]
    several = around.replicas is not None and around.replicas > 1
    unknown = around.replicas is None and around.in_kubernetes
    if not config.runtime.checkpoints.startswith("sqlite:") or not (streams or config.schedules):
        return None
    if not several and not unknown:
        return None
    where = loaded.where(("runtime", "checkpoints"))
    found = f"{where}: runtime.checkpoints: found {config.runtime.checkpoints} "
    what = _doubled(streams, list(config.schedules))
    if several:
        found += f"with {around.replicas} replicas ({REPLICAS}): each {what}"
        return Finding("runtime", Level.NOTE, found, "set runtime.checkpoints: dynamodb:TABLE, or run one replica")
    found += (
        f"under Kubernetes: a second replica also {what}, and without a volume a new pod knows nothing of the last one"
    )
    fix = f"set runtime.checkpoints: dynamodb:TABLE; or run one replica with a volume, and set {REPLICAS}=1"
    return Finding("runtime", Level.NOTE, found, fix)


def _doubled(streams: list[str], schedules: list[str]) -> str:
    parts = []
    if streams:
        parts.append(f"processes every record of {_named(streams)}")
    if schedules:
        parts.append(f"runs every due time of {_named(schedules)}")
    return " and ".join(parts)


def _named(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
