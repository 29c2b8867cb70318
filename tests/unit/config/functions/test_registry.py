"""Every runtime is declared whole; a runtime that lacks something fails here and not at run time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest

from config.functions import registry
from config.functions.function import FunctionBase
from config.options.shapes import options_of

if TYPE_CHECKING:
    from config.functions.runtime import FunctionRuntime
    from tests.unit.config.conftest import Folder

RUNTIMES = [pytest.param(runtime, id=name) for name, runtime in registry.RUNTIMES.items()]
ALL_OPTIONS = sorted({option for runtime in registry.RUNTIMES.values() for option in options_of(runtime.model)})
LEAST = {
    "code": "code: .",
    "handler": "handler: app.handler",
    "command": "command: [python3]",
    "function_arn": "function_arn: 'arn:aws:lambda:us-east-1:000000000000:function:billing'",
    "url": "url: 'http://127.0.0.1:9000'",
}
"""A value of each option that some runtime cannot do without."""


def least(runtime: FunctionRuntime) -> str:
    """The least that a function of this runtime must say: what its model requires, and a URL where it has one."""
    options = options_of(runtime.model)
    needed = [name for name in LEAST if name in options and (options[name].required or name == "url")]
    return ", ".join([f"runtime: {runtime.name}", *(LEAST[name] for name in needed)])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_least_function_of_a_runtime_loads(folder: Folder, runtime: FunctionRuntime) -> None:
    """As the model of its runtime."""
    assert type(folder.function(least(runtime))) is runtime.model


def test_whoever_matches_on_models_sees_every_runtime() -> None:
    """The type of all functions and the registry have the same models."""
    union, _ = get_args(registry.FunctionModel)

    assert set(get_args(union)) == {runtime.model for runtime in registry.RUNTIMES.values()}


def test_one_runtime_is_the_default() -> None:
    """The one whose model need not name it."""
    without = [runtime for runtime in registry.RUNTIMES.values() if not options_of(runtime.model)["runtime"].required]

    assert without == [registry.DEFAULT]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_is_described(runtime: FunctionRuntime) -> None:
    """Each of its options for the table, and itself in a sentence."""
    assert issubclass(runtime.model, FunctionBase)
    assert runtime.model.__doc__
    for option in options_of(runtime.model).values():
        assert option.description, option.name


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_table_begins_with_what_runs(runtime: FunctionRuntime) -> None:
    """Every runtime names options for it, and has them."""
    assert runtime.first
    assert set(runtime.first) <= set(options_of(runtime.model))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_that_runs_lambdas_own_says_how(runtime: FunctionRuntime) -> None:
    """Names of Lambda's runtimes come with advice."""
    assert bool(runtime.instead_of) == bool(runtime.advice)


@pytest.mark.parametrize("option", ALL_OPTIONS)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_option_is_taken_or_refused_with_the_runtimes_that_take_it(
    folder: Folder, runtime: FunctionRuntime, option: str
) -> None:
    """No option of another runtime is called an unknown key."""
    if option in options_of(runtime.model):
        return
    (fault,) = folder.function_faults(f"{least(runtime)}, {option}: x")

    owners = " and ".join(other.name for other in registry.takers_of(option))
    assert re.match(
        rf"{option}: found a setting of {owners} functions, expected one of {runtime.name} functions: ", fault
    )
