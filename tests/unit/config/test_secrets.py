"""Whatever option is a secret, by its kind, is left out wherever a model is printed, and is never the value that a fault shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.functions.registry import RUNTIMES
from config.options.shapes import Either, ListOf, MapOf, Section, Shape, Text, options_of
from config.sections import SINGLE
from config.sources import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.model import Model

ROOTS: tuple[type[Model], ...] = (
    *SINGLE.values(),
    *(runtime.model for runtime in RUNTIMES.values()),
    *(kind.model for kind in registry.KINDS),
)


def secrets(model: type[Model]) -> Iterator[tuple[type[Model], str]]:
    """The model and the attribute of every secret in it, however deep."""
    for option in options_of(model).values():
        for shape in parts(option.shape):
            if isinstance(shape, Text) and shape.kind.is_secret:
                yield model, option.attribute
            elif isinstance(shape, Section):
                yield from secrets(shape.model)


def parts(shape: Shape) -> Iterator[Shape]:
    """A shape without what is around it."""
    match shape:
        case Either(shapes):
            for one in shapes:
                yield from parts(one)
        case ListOf(item) | MapOf(item):
            yield from parts(item)
        case _:
            yield shape


FOUND = sorted({(model.__name__, name): model for root in ROOTS for model, name in secrets(root)}.items())


def test_the_known_secrets_are_found() -> None:
    """The walk below looks at something."""
    assert {name for (_, name), _ in FOUND} >= {
        "token",
        "bearer_token",
        "secret_access_key",
        "connection_uri",
        "documentdb",
    }


@pytest.mark.parametrize(("name", "model"), [pytest.param(name, model, id=".".join(name)) for name, model in FOUND])
def test_a_secret_is_left_out_of_what_is_printed(name: tuple[str, str], model: type[Model]) -> None:
    """Logs and tracebacks print models."""
    assert model.model_fields[name[1]].repr is False
