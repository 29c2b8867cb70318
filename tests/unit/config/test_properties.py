"""Whatever the files hold: a configuration or its faults, every fault, and each on its line."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from config import ConfigError, Loaded
from config.models import KinesisMapping
from config.options.shapes import pascal
from config.text.nodes import Node, Scalar, Sequence, Table, Unparsable
from config.text.yaml_text import parse_yaml
from tests.unit.config.documents import (
    FOLDER,
    bounded,
    configurations,
    documents,
    load_or_refuse,
    load_text,
    stream_settings,
)


@bounded
@given(configurations | documents)
def test_any_json_document_loads_or_is_refused(document: Any) -> None:  # noqa: ANN401 - any JSON
    """Never another exception; and as YAML it means the same as in a .json file."""
    text = json.dumps(document)

    as_json = load_text(text, "headrace.json", {"A": "x"})
    as_yaml = load_text(text, "headrace.yaml", {"A": "x"})

    if isinstance(as_json, Loaded) and isinstance(as_yaml, Loaded):
        assert as_json.config == as_yaml.config


@bounded
@given(configurations, st.sampled_from([None, True, False]))
def test_any_yaml_document_loads_or_is_refused(document: Any, flow: bool | None) -> None:  # noqa: ANN401 - any document
    """In block style, in flow style, with whatever PyYAML writes."""
    load_text(yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow))


@bounded
@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?\n \t<0$", max_size=60))
@example("{" * 5000)
@example("? " * 5000)
@example("- " * 5000)
@example("&a [*a]")
@example("a: !!binary x")
@example("!!set {a}")
@example("<<: {<<: [*a]}")
def test_any_text_loads_or_is_refused(text: str) -> None:
    """YAML or not."""
    load_text(text)
    load_text(text, "headrace.json")


@bounded
@given(st.binary(max_size=100))
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    """UTF-8 or not."""
    file = FOLDER / "headrace.yaml"
    file.write_bytes(data)

    load_or_refuse(file, {})


@bounded
@given(
    documents.filter(lambda document: not any(set("\x85\u2028\u2029") & set(str(leaf)) for leaf in leaves(document)))
)
def test_yaml_is_read_as_pyyaml_writes_it(document: Any) -> None:  # noqa: ANN401 - any document
    """Values survive, whatever the quoting."""
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        root = parse_yaml(text, "f")
    except Unparsable:
        return
    assert root is None or plain(root) == document or any(ambiguous(value) for value in leaves(document))


def plain(node: Node) -> Any:  # noqa: ANN401 - any document
    """A tree as Python's own values."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    return node.value


def leaves(document: Any) -> list[Any]:  # noqa: ANN401 - any document
    """Every single value of a document, and every key."""
    if isinstance(document, list):
        return [leaf for item in document for leaf in leaves(item)]
    if isinstance(document, dict):
        return [leaf for key, item in document.items() for leaf in [key, *leaves(item)]]
    return [document]


def ambiguous(value: object) -> bool:
    """What PyYAML, of YAML 1.1, leaves unquoted although YAML 1.2 reads it otherwise: 1e5, 0o7, 08."""
    return isinstance(value, str) and (value[:1].isdigit() or value[:1] in "+-.~") and any(c.isdigit() for c in value)


FAULTS = {
    "batch_size": "0",
    "enabled": "maybe",
    "maximum_batching_window_in_seconds": "301",
    "filter_criteria": "[1, 2]",
    "function_response_types": "all",
    "event_source_arn": "nowhere",
    "function_name": "nobody",
    "nonsense": "1",
    "scaling_config": "{maximum_concurrency: 1}",
    "visibility": "{heartbeat: 5}",
}


@bounded
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.sets(st.sampled_from(sorted(FAULTS)), min_size=1), min_size=1
    ),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_every_fault_is_reported_on_its_line(chosen: dict[str, set[str]], random: Any, in_pascal_case: bool) -> None:  # noqa: ANN401
    """However many there are, in whatever order, among blank lines and comments; and nothing else is."""
    right = {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:q-{}", "function_name": "orders"}
    lines = ["functions: {orders: {code: ., handler: app.handler}}", "event_source_mappings:"]
    expected = set()
    for mapping, faulty in chosen.items():
        lines.append(f"  {mapping}:")
        names = sorted(faulty | right.keys())
        random.shuffle(names)
        for name in names:
            lines.extend(random.choice(["", "    # a comment: {", "    "]) for _ in range(random.randrange(3)))
            spelled = pascal(name) if in_pascal_case else name
            value = FAULTS[name] if name in faulty else right[name].format(mapping)
            lines.append(f"    {spelled}: {value}")
            if name in faulty:
                inner = {"scaling_config": ".maximum_concurrency", "visibility": ".heartbeat"}.get(name, "")
                expected.add((len(lines), f"event_source_mappings.{mapping}.{spelled}{inner}"))

    found = load_text("\n".join(lines))

    assert isinstance(found, ConfigError)
    assert {(fault.line, fault.path) for fault in found.faults} == expected


def in_pascal(value: Any) -> Any:  # noqa: ANN401 - any document
    """A document with CloudFormation's keys."""
    if isinstance(value, dict):
        return {pascal(key): in_pascal(item) for key, item in value.items()}
    return [in_pascal(item) for item in value] if isinstance(value, list) else value


@bounded
@given(stream_settings())
def test_both_spellings_mean_the_same(mapping: dict[str, Any]) -> None:
    """Any right mapping loads, in either spelling, to the same model."""
    loaded = []
    for written in (mapping, in_pascal(mapping)):
        document = {
            "functions": {"orders": {"code": ".", "handler": "app.handler"}},
            "event_source_mappings": {"m": written},
        }
        found = load_text(yaml.safe_dump(document))
        assert isinstance(found, Loaded)
        loaded.append(found.config)

    assert loaded[0] == loaded[1]
    assert isinstance(loaded[0].event_source_mappings["m"], KinesisMapping)


@bounded
@given(st.text(max_size=20).filter(lambda text: "\0" not in text))
def test_the_environment_cannot_add_to_the_file(value: str) -> None:
    """What a variable holds is one text, whatever it looks like."""
    found = load_text(
        "x-a: &a ${VALUE}\nfunctions: {f: {code: ., handler: app.handler, environment: {VALUE: *a}}}\n",
        environ={"VALUE": value},
    )

    if isinstance(found, Loaded):
        assert found.config.functions["f"].model_dump()["environment"] == {"VALUE": value}
    else:
        assert any("\ud800" <= character <= "\udfff" for character in value)


def test_a_scalar_is_a_scalar() -> None:
    """The text of a scalar is kept beside its value."""
    root = parse_yaml("1.50", "f")

    assert isinstance(root, Scalar)
    assert (root.value, root.text) == (1.5, "1.50")
