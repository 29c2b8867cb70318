"""AWS emulators that ``headrace demo`` and the tests run: installed once into a cache, never a dependency.

    with started(Ministack()) as emulator:
        ... emulator.endpoint_url ...

Everything here blocks; call it from a thread when a loop is running. May import nothing of Headrace but its errors.
"""

from pollers.emulators.cache import cache_folder, installed
from pollers.emulators.errors import EmulatorUnavailable, InstallFailed, StartFailed
from pollers.emulators.process import Emulator, started
from pollers.emulators.recipes import KinesisLocal, LocalStack, Ministack, Recipe
from pollers.emulators.secantusdb import SecantusDB, secantusdb_unsupported

__all__ = [
    "Emulator",
    "EmulatorUnavailable",
    "InstallFailed",
    "KinesisLocal",
    "LocalStack",
    "Ministack",
    "Recipe",
    "SecantusDB",
    "StartFailed",
    "cache_folder",
    "installed",
    "secantusdb_unsupported",
    "started",
]
