"""The walk over the registry: every kind declares everything, and what it declares works. What lacks something fails here."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from config.models import EndpointUrls, StreamMapping
from config.sources import registry as config_registry
from pollers.aws.findings import Finding, Level
from pollers.checkpoints import MemoryStore
from pollers.engine.kind import Backlog, Names, Patterns, Polling, Shown, SourceKind
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.filtering.errors import PatternError
from pollers.filtering.fields import NOTHING
from pollers.filtering.records import compile_for_view
from pollers.sources.registry import (
    check_patterns,
    compile_patterns,
    concurrency_limit,
    kind_of,
    kinds,
    make_poller,
    registered,
    traced,
)
from pollers.telemetry.board import Board
from pollers.telemetry.payloads import LIMIT_BYTES
from pollers.telemetry.sinks import Facts
from tests.pollers.third_source import FEED, FeedMapping
from tests.unit.sources.sample import Sample, sample_of, stream_source_of
from tests.worlds import virtual_time
from tests.worlds.memory_aws import MemoryAws

if TYPE_CHECKING:
    from handlers.function import Function
    from pollers.engine.poller import Poller
    from pollers.sources.streams.source import StreamSource
    from pollers.telemetry.facts import Depth

KINDS = pytest.mark.parametrize("sample", [pytest.param(sample_of(kind), id=kind.name) for kind in kinds()])
GROUPS = (SourceKind, Polling, Patterns, Names, Shown)
STREAM_SAMPLES = [sample_of(kind) for kind in kinds() if stream_source_of(kind) is not None]
STREAMS = pytest.mark.parametrize("sample", [pytest.param(sample, id=sample.kind.name) for sample in STREAM_SAMPLES])
FILTERED = pytest.mark.parametrize(
    "sample", [pytest.param(sample_of(kind), id=kind.name) for kind in kinds() if kind.patterns is not None]
)
ROOT = Path(__file__).parents[3]
CARDS = ROOT / "pollers/server/assets/cards.js"


def surroundings(sample: Sample[Any]) -> Surroundings:
    """For a poller that is made and not run."""
    claim = Permits(1).claim()
    function = cast("Function", None)
    return Surroundings(function, claim, Facts("sample"), sample.kind.shown.first_payload, random=random.Random(1))


def patterns_of(sample: Sample[Any]) -> Patterns[Any]:
    """What patterns see of the kind's records."""
    assert sample.kind.patterns is not None
    return sample.kind.patterns


def source_of(sample: Sample[Any]) -> StreamSource:
    """The stream source of a sample's mapping."""
    make = stream_source_of(sample.kind)
    assert make is not None

    async def made() -> StreamSource:
        return await make(sample.mapping(), MemoryAws(sample.services()))

    return virtual_time.run(made)


def test_the_configuration_has_the_same_kinds() -> None:
    """In the same order, under the same models."""
    assert [kind.model for kind in kinds()] == [kind.model for kind in config_registry.KINDS]


def test_kinds_are_told_apart() -> None:
    """By name, by model, and in traces."""
    for told in (attrgetter("name"), attrgetter("model"), attrgetter("names.trace_system")):
        assert len({told(kind) for kind in kinds()}) == len(kinds())


@pytest.mark.parametrize(
    ("group", "left_out"),
    [(group, member.name) for group in GROUPS for member in dataclasses.fields(group)],
)
def test_nothing_of_a_declaration_can_be_left_out(group: type[Any], left_out: str) -> None:
    """A kind says of each member what it has, or that it has none; one that lacks it cannot be imported."""
    declared = {member.name: object() for member in dataclasses.fields(group)}
    assert group(**declared)
    del declared[left_out]
    with pytest.raises(TypeError, match=f"missing 1 required .* '{left_out}'"):
        group(**declared)


def test_the_groups_are_those_of_a_kind() -> None:
    """The test above looks at every group."""
    kind = kinds()[0]
    found = {type(getattr(kind, member.name)) for member in dataclasses.fields(kind)}
    assert {SourceKind} | {group for group in found if dataclasses.is_dataclass(group)} == set(GROUPS)


@KINDS
def test_a_mapping_leads_to_its_kind(sample: Sample[Any]) -> None:
    """By its model's word for it."""
    assert kind_of(sample.mapping()) is sample.kind


@KINDS
def test_a_poller_is_made(sample: Sample[Any]) -> None:
    """Of the services that the kind names alone; it holds nothing yet."""
    named = {service.name for service in sample.kind.services(sample.mapping())}

    async def make() -> Poller:
        found = sample.services()
        assert set(found) == named
        return await make_poller(sample.mapping(), MemoryAws(found), MemoryStore(), surroundings(sample))

    poller = virtual_time.run(make)
    assert (poller.held(), poller.running()) == (0, 0)


@KINDS
def test_a_kind_that_keeps_checkpoints_needs_a_store(sample: Sample[Any]) -> None:
    """And no other does."""

    async def make() -> Poller:
        return await make_poller(sample.mapping(), MemoryAws(sample.services()), None, surroundings(sample))

    if sample.kind.polling.keeps_checkpoints:
        with pytest.raises(ValueError, match="needs a checkpoint store"):
            virtual_time.run(make)
    else:
        assert virtual_time.run(make).held() == 0


@KINDS
def test_a_mapping_without_limits_has_its_functions(sample: Sample[Any]) -> None:
    """The least mapping says nothing of concurrency."""
    assert concurrency_limit(sample.mapping()) is None


@KINDS
def test_a_services_endpoint_can_be_configured(sample: Sample[Any]) -> None:
    """By options that there are."""
    services = sample.kind.services(sample.mapping())
    assert services
    for service in services:
        assert service.host
        assert set(service.endpoint_options) <= set(EndpointUrls.model_fields)


@KINDS
def test_the_source_is_examined(sample: Sample[Any]) -> None:
    """A source that is there has no fault."""
    if sample.examined_in is not None:
        assert "check --online" in (ROOT / sample.examined_in).read_text("utf-8")
        return

    async def examine() -> list[Finding]:
        return [found async for found in sample.kind.examine(sample.mapping(), 3.0, MemoryAws(sample.services()))]

    found = virtual_time.run(examine)
    assert found[0].level is Level.OK
    assert Level.FAULT not in {finding.level for finding in found}
    assert {finding.mapping for finding in found} == {"sample"}


@KINDS
def test_names_are_those_of_the_source(sample: Sample[Any]) -> None:
    """In the status document, on the console and in traces."""
    mapping = sample.mapping()
    assert sample.kind.names.form(mapping).startswith(sample.kind.name)
    assert sample.kind.names.label(mapping)
    names = traced(mapping)
    assert (names.mapping, names.function, names.region) == ("sample", "work", mapping.arn.region)
    assert names.source
    assert names.source.partition("/")[0] in mapping.event_source_arn


@KINDS
def test_a_depth_is_asked_for_where_it_tells_the_backlog(sample: Sample[Any]) -> None:
    """And nowhere else: a kind without one says so."""
    make = sample.kind.shown.depth
    assert (make is not None) == (sample.kind.shown.backlog is Backlog.DEPTH)
    if make is not None:

        async def ask() -> Depth:
            return await make(sample.mapping(), MemoryAws(sample.services()))()

        depth = virtual_time.run(ask)
        assert (depth.visible, depth.in_flight, depth.delayed) == (0, 0, 0)


def test_every_backlog_is_drawn() -> None:
    """The status document has its series, and the console a chart for it."""
    series = Board().of("m").series.as_columns(0.0)
    drawn = re.search(r"const BACKLOGS = \{(.*?)\n\};", CARDS.read_text(), re.DOTALL)
    assert drawn is not None
    for backlog in Backlog:
        assert backlog.value in series
        assert f"\n  {backlog.value}: [" in drawn[1]


@KINDS
def test_a_payload_is_shown_without_what_is_around_it(sample: Sample[Any]) -> None:
    """Its start, and of a record that has none the record's start."""
    shown = sample.kind.shown.first_payload(sample.event)
    assert shown.startswith(sample.payload)
    assert len(shown) <= LIMIT_BYTES
    assert sample.kind.shown.first_payload(b"x" * 1_000) == b"x" * LIMIT_BYTES


@FILTERED
def test_patterns_see_the_same_of_both_forms_of_a_record(sample: Sample[Any]) -> None:
    """``headrace filter`` on event records says what a mapping's filter does with wire records."""
    pattern = json.dumps(sample.pattern)
    mapping = sample.mapping(filter_criteria={"filters": [{"pattern": pattern}]})
    assert list(check_patterns(mapping)) == []
    record_filter = compile_patterns(mapping)
    assert record_filter is not None
    assert record_filter.matches(sample.wire)
    event = json.loads(sample.event)
    assert compile_for_view(patterns_of(sample).event_view, [pattern]).matches(event)


@FILTERED
def test_members_of_the_views_are_those_of_the_event_record(sample: Sample[Any]) -> None:
    """One by one: made from what the service sent, each is what the function gets."""
    shape, event = patterns_of(sample).event_view.shape, json.loads(sample.event)
    seen = shape.members - set(shape.unseen)
    view = patterns_of(sample).wire_view(
        sample.mapping(), [f"{shape.data}.{name}" for name in _inside(event.get(shape.data))]
    )
    assert view.shape is shape
    assert set(view.members) | {shape.data} == seen
    for name in set(view.members):
        assert view.members[name](sample.wire) == patterns_of(sample).event_view.members[name](event), name
    assert set(patterns_of(sample).event_view.members) == shape.members
    assert all(member({}) is NOTHING for member in patterns_of(sample).event_view.members.values())


def test_a_kind_without_patterns_has_no_filters() -> None:
    """A mapping without any has nothing to compile; filters are refused, and by no means passed over."""
    arn = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
    named = {"name": "m", "event_source_arn": arn, "function_name": "work", "starting_position": "LATEST"}
    with registered(FEED):
        mapping = FeedMapping.model_validate(named)
        assert list(check_patterns(mapping)) == []
        assert compile_patterns(mapping) is None

        filtering = FeedMapping.model_validate({**named, "filter_criteria": {"filters": [{"pattern": "{}"}]}})
        (fault,) = check_patterns(filtering)
        assert (fault.path, fault.is_note) == (("filter_criteria",), False)
        assert fault.message == "found filters, expected none: events of FEED cannot be filtered"
        with pytest.raises(PatternError, match="expected none"):
            compile_patterns(filtering)


def _inside(data: object) -> list[str]:
    return list(data) if isinstance(data, dict) else []


@KINDS
def test_a_stream_kind_makes_its_source_by_make_source(sample: Sample[Any]) -> None:
    """The walk over stream sources finds it by this name, and would pass the kind over without it."""
    assert (stream_source_of(sample.kind) is not None) == issubclass(sample.kind.model, StreamMapping)


@STREAMS
def test_a_stream_source_reads_its_records(sample: Sample[Any]) -> None:
    """One of each column; the encoded record is what the function gets."""
    source, record = source_of(sample), [sample.wire]
    (number,) = source.sequence_numbers(record)
    assert source.positions.valid(number)
    assert (source.positions.order(number) is not None) == source.positions.ordered
    assert source.encoder("shardId-000000000000")(record) == [sample.event]
    assert source.keys(record) != [b""]
    (arrival,) = source.arrivals(record, 0.0)
    assert arrival > 0
    assert source.batch_info.spell_arrival(arrival).endswith("Z")


@STREAMS
def test_the_envelope_holds_the_records(sample: Sample[Any]) -> None:
    """In its one array, where ``headrace filter`` looks for them."""
    envelope = source_of(sample).envelope
    arrays = [name for name, value in json.loads(envelope.head + envelope.tail).items() if value == []]
    assert len(arrays) == 1
    if sample.kind.patterns is not None:
        assert arrays == [sample.kind.patterns.event_view.shape.array]


def test_failure_records_tell_streams_apart() -> None:
    """Each kind has its own member."""
    members = [source_of(sample).batch_info.member for sample in STREAM_SAMPLES]
    assert len(set(members)) == len(members) > 1


def test_a_kind_without_a_sample_is_noticed() -> None:
    """The walk does not pass it over."""
    with pytest.raises(ImportError):
        sample_of(FEED)


def test_a_kind_can_be_made_known_for_a_while() -> None:
    """So that a test can make one up."""
    arn = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
    mapping = FeedMapping(name="m", event_source_arn=arn, function_name="work", starting_position="LATEST")
    with registered(FEED):
        assert kind_of(mapping) is FEED
        assert FEED in kinds()
        with pytest.raises(ValueError, match="there is a kind feed already"), registered(FEED):
            pass
        assert kind_of(mapping) is FEED
    with pytest.raises(KeyError):
        kind_of(mapping)
