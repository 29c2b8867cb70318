"""What every test has: the emulators, and an environment without anybody's AWS account."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.emulators import ENVIRONMENT, kinesis_local, localstack, ministack, secantusdb
from tests.named_connections import let_connections_name_their_tests
from tests.reproducible import let_one_seed_rule
from tests.run_logging import as_it_was, let_loggers_look_anew
from tests.scheduling import LOCALSTACK, place, scheduler, unit_of
from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from xdist.remote import Producer

    from tests.scheduling import ByUnit

__all__ = ["kinesis_local", "localstack", "ministack", "secantusdb"]

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(ENVIRONMENT)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background with interrupts ignored, and children inherit that: tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

EMULATORS = frozenset({"ministack", "kinesis_local", "localstack", "secantusdb"})
EMULATOR_TIMEOUT_SECONDS = 900
"""The first test that uses an emulator may install it."""


# No example fails because a busy machine takes long over it; what never ends meets the timeout of its test.
settings.register_profile(
    "any machine", max_examples=50 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

let_loggers_look_anew()
let_one_seed_rule()
let_connections_name_their_tests()


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Commands that a test calls in its own process set logging up for good."""
    with as_it_was():
        yield


IDLE_THREADS = ("output", "AnyIO worker thread", "asyncio_", "function-")
"""Names of threads that may outlive a test: they wait for work without end, or run what an abandoned handler does."""
THREADS_SECONDS = 60.0


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    """What goes on in the background would meddle with later tests: with the generator of the module ``random``, for one."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if not thread.name.startswith(IDLE_THREADS):
            thread.join(THREADS_SECONDS)
            assert not thread.is_alive(), f"{thread.name} goes on"


GC_THRESHOLDS = (2_000, 10, 100)
"""Python's own are 700, 10 and 10: the walk over all that lives would then be a tenth of the time of the unit tests."""


gc.disable()


def pytest_collection_finish() -> None:
    """Tests and the modules that they use live to the end: the garbage collector need not look at them, now or later."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByUnit:
    """Several workers share the tests by units."""
    return scheduler(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Mark what needs an emulator, and give it the time that an installation may take; order what has been shuffled for workers."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if EMULATORS & fixtures:
            item.add_marker("emulator")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(EMULATOR_TIMEOUT_SECONDS, func_only=False))
        assert LOCALSTACK not in fixtures or unit_of(item.nodeid) == LOCALSTACK, f"USES_LOCALSTACK misses {item.nodeid}"
    yield
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))
