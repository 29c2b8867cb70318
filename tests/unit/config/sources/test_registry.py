"""Every kind of source is declared whole; a kind that lacks something fails here and not at run time."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from config.options.shapes import ListOf, Section, options_of
from config.sources import registry
from config.sources.mapping import Mapping
from config.sources.pasted import READ_ONLY, WITHOUT_EFFECT, unread_settings
from config.sources.unread import UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.shapes import Option
    from config.sources.kind import ArnForm, SourceConfig
    from tests.unit.config.conftest import Folder

KINDS = [pytest.param(kind, id=kind.model.kind) for kind in registry.KINDS]
FORMS = [pytest.param(kind, form, id=form.called) for kind in registry.KINDS for form in kind.forms]

SETTINGS_OF_LAMBDA = [
    "AmazonManagedKafkaEventSourceConfig",
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "DocumentDBEventSourceConfig",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "KmsKeyArn",
    "LoggingConfig",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "Queues",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Tags",
    "Topics",
    "TumblingWindowInSeconds",
]
"""The properties of ``AWS::Lambda::EventSourceMapping`` (docs/lambda 1.2)."""


WAYS_IN = {"documentdb": {"connection_uri": "mongodb://localhost/"}}
"""What a mapping says besides the least where the ``aws`` section does not say it, by kind."""


def least(kind: SourceConfig, form: ArnForm) -> dict[str, object]:
    """The least that a mapping of this kind must say."""
    sample = import_module(f"tests.unit.sources.{kind.model.kind}.sample").SAMPLE
    return {"event_source_arn": form.example, "function_name": "orders", **sample.settings}


def settings(kind: SourceConfig, form: ArnForm) -> str:
    """The least that it says without an ``aws`` section."""
    said = least(kind, form) | WAYS_IN.get(kind.model.kind, {})
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in said.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_that_a_mapping_says_is_what_it_must_say(kind: SourceConfig) -> None:
    """A sample's settings are required ones, and none is missing."""
    required = {name for name, option in registry.settings_of(kind).items() if option.required}
    assert set(least(kind, kind.forms[0])) == required


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_an_example_is_taken_by_its_own_form_alone(kind: SourceConfig, form: ArnForm) -> None:
    """So that an ARN says which settings and rules a mapping has."""
    found = registry.source_of(form.example)

    assert (found.kind, found.form) == (kind, form)
    matching = [
        other
        for each in registry.KINDS
        for other in each.forms
        if other.service == form.service and other.resource.fullmatch(form.example.split(":", 5)[5])
    ]
    assert matching == [form]


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_the_least_mapping_of_a_source_loads(folder: Folder, kind: SourceConfig, form: ArnForm) -> None:
    """As the model of its kind, which the rest of the program knows the kind by."""
    assert type(folder.mapping(settings(kind, form))) is kind.model


def test_kinds_differ_in_name_and_model() -> None:
    """A kind is found by either."""
    assert len({kind.model.kind for kind in registry.KINDS}) == len(registry.KINDS)
    assert len({kind.model for kind in registry.KINDS}) == len(registry.KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_words_of_its_own(kind: SourceConfig) -> None:
    """For a source of its services that is none, for a second mapping, and for what it must have."""
    for form in kind.forms:
        arn = f"arn:aws:{form.service}:us-east-1:000000000000:neither/this/nor/that"
        with pytest.raises(ValueError, match=r"expected .* ARN, arn:aws:"):
            registry.source_of(arn)
    assert "SOURCE" in kind.words.duplicate.format(source="SOURCE", function="FUNCTION")
    assert "FUNCTION" in kind.words.duplicate.format(source="SOURCE", function="FUNCTION")
    everywhere = {"event_source_arn", "function_name"}
    for name, option in registry.settings_of(kind).items():
        assert not option.required or name in everywhere or name in kind.words.missing


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_about_settings_that_the_kind_has(kind: SourceConfig) -> None:
    """Or about what is inside them: a name that is misspelled would never be found."""
    words = kind.words
    settings = registry.settings_of(kind)
    assert set(words.elsewhere) <= set(settings)
    assert {*words.missing, *words.invalid} <= set(names_within(settings))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_says_of_settings_is_about_settings_of_models(kind: SourceConfig) -> None:
    """What it goes without, all models have; what it lets be silent or reads parts by, it has."""
    assert kind.without <= set(options_of(kind.model))
    assert kind.silent <= set(registry.settings_of(kind))
    assert kind.part is None or kind.part[0] in registry.settings_of(kind)


def names_within(options: dict[str, Option]) -> Iterator[str]:
    """The names of options, and of those inside them."""
    for name, option in options.items():
        yield name
        shape = option.shape.item if isinstance(option.shape, ListOf) else option.shape
        if isinstance(shape, Section):
            yield from names_within(options_of(shape.model))


@pytest.mark.parametrize("kinds", list(registry.families().values()), ids=lambda kinds: kinds[0].family.noun)
def test_a_family_takes_the_same_settings(kinds: list[SourceConfig]) -> None:
    """Faults, the JSON Schema and the table of options speak of families."""
    assert len({tuple(registry.settings_of(kind)) for kind in kinds}) == 1
    assert len({kind.family.title for kind in kinds}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_kind_is_described(kind: SourceConfig) -> None:
    """The table of options and the JSON Schema have nothing else to go by."""
    assert issubclass(kind.model, Mapping)
    for option in options_of(kind.model).values():
        assert option.description, option.name


@pytest.mark.parametrize("setting", SETTINGS_OF_LAMBDA)
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_setting_of_lambdas_is_taken_or_refused_with_a_reason(
    folder: Folder, kind: SourceConfig, form: ArnForm, setting: str
) -> None:
    """No setting that AWS knows is called an unknown key."""
    taken = setting in {spelling for option in registry.settings_of(kind).values() for spelling in option.names}
    if taken or setting in WITHOUT_EFFECT | READ_ONLY:
        return
    faults = folder.mapping_faults(f"{settings(kind, form)}\n{setting}: {{a: b}}")

    assert len(faults) == 1
    assert re.match(rf"{setting}: found (a setting of|{setting}, which belongs to) ", faults[0])


def test_settings_of_kinds_that_are_not_read_are_no_settings_of_those_that_are() -> None:
    """A setting that a kind takes is no longer one of kinds that are not read, although these have it, too."""
    taken = {spelling for option in registry.all_settings().values() for spelling in option.names}
    assert unread_settings() == {setting for kind in UNREAD for setting in kind.settings} - taken
