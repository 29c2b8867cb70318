"""YAML is read with the line of every value; what it may not hold is one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from config.text.nodes import Node, Scalar, Sequence, Table, Unparsable
from config.text.yaml_text import parse_yaml

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "headrace.yaml:1: found an empty file, expected a mapping with event_source_mappings and functions"),
        (
            "# only comments\n---\n",
            "headrace.yaml:3: found nothing, expected a mapping with event_source_mappings and functions",
        ),
        ("\n- a list\n", "headrace.yaml:2: found a list, expected a mapping with event_source_mappings and functions"),
        (
            "just text",
            "headrace.yaml:1: found 'just text', expected a mapping with event_source_mappings and functions",
        ),
        (
            "functions:\n  a: [1\n",
            "headrace.yaml:3: found malformed YAML (did not find expected ',' or ']' while parsing a flow ",
        ),
        ("a: b: c", "headrace.yaml:1: found malformed YAML (mapping values are not allowed in this context), expected"),
        ("aws:\n\tregion: x", "headrace.yaml:2: found malformed YAML (found character that cannot start any token"),
        ("aws: {}\n---\naws: {}\n", "headrace.yaml:2: found a second YAML document (---), expected one in a file"),
        ("aws: *nowhere", "headrace.yaml:1: found the alias *nowhere, expected one whose anchor &nowhere is complete"),
        ("aws: &self {a: *self}", "headrace.yaml:1: found the alias *self, expected one whose anchor"),
        ("? [a, b]\n: 1", "headrace.yaml:1: found a list or a mapping as a key, expected text"),
        ("aws: {}\nx-a: &a [1]\n*a : 1", "headrace.yaml:3: found a list or a mapping as a key, expected text"),
        ("aws: \x07", "headrace.yaml:1: found the character U+0007, expected YAML, which does not allow it"),
        (
            "aws:\n  region: !!python/object:os.system x",
            "headrace.yaml:2: aws.region: found the tag !!python/object:os.system",
        ),
        ("aws:\n  region: !!int abc", "headrace.yaml:2: found 'abc' with the tag !!int, expected a value of that type"),
        ("aws: " + "[" * 101 + "]" * 101, "headrace.yaml:1: found more than 100 levels of nesting, expected fewer"),
        ("aws: " + "[" * 100_000, "headrace.yaml:1: found more than 100 levels of nesting, expected fewer"),
        ("aws:\n  x: " + "9" * 5000, "headrace.yaml:2: found a number of 5000 characters, expected a shorter one"),
        (
            "x-a: {<<: 5}",
            "headrace.yaml:1: found no mapping after <<, expected a mapping, its alias, or a list of these",
        ),
    ],
)
def test_what_is_no_yaml_mapping_is_one_fault(folder: Folder, text: str, fault: str) -> None:
    """With its line, and never a traceback."""
    (found,) = folder.faults(text) if text else folder.faults("\n")

    assert found.startswith(fault)


def test_aliases_cannot_fill_the_memory(folder: Folder) -> None:
    """A billion of values in ten lines are refused while they are read."""
    lines = ["x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    (fault,) = folder.faults("\n".join(lines))

    assert fault == "headrace.yaml:6: found more than 500,000 values (aliases counted), expected fewer"


@pytest.mark.parametrize("form", ["&a{n} [*a{before}]", "&a{n} {{b: *a{before}}}", "&a{n} {{<<: {{b: *a{before}}}}}"])
def test_aliases_cannot_nest_deeper_than_brackets(folder: Folder, form: str) -> None:
    """Each names the one before it: no line is deep, and what they make would end every walk over it by recursion."""
    lines = ["x-0: &a0 {b: 1}", *(f"x-{n}: {form.format(n=n, before=n - 1)}" for n in range(1, 120))]

    (fault,) = folder.faults("\n".join(lines))

    line, _, message = fault.removeprefix("headrace.yaml:").partition(": ")
    assert message == "found more than 100 levels of nesting, expected fewer"
    assert int(line) in (99, 100)


def test_merges_of_merges_do_not_nest(folder: Folder) -> None:
    """A merge brings keys, not a level."""
    lines = ["x-0: &a0 {b: [1]}", *(f"x-{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 200)), "functions: {}"]

    assert folder.load("\n".join(lines)).config.functions == {}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[a: "])
@pytest.mark.parametrize("levels", [101, 1000, 50_000])
def test_a_parser_never_sees_what_nests_too_deep(loader: type[yaml.SafeLoader], opening: str, levels: int) -> None:
    """Its own limit, if it has one, and its own recursion, are never met."""
    with pytest.raises(Unparsable, match="found more than 100 levels of nesting") as raised:
        parse_yaml("# the first line\n" + opening * levels, "f", loader)

    assert raised.value.place.line == 2


@pytest.mark.parametrize("name", ["headrace.yaml", "headrace.json"])
def test_a_hundred_levels_are_fine(folder: Folder, name: str) -> None:
    """And so are brackets in a text, however many."""
    brackets = "[{" * 500
    text = '{"x-a": ' + '{"b": ' * 49 + "[" * 50 + f'"{brackets}"' + "]" * 50 + "}" * 49 + ', "functions": {}}'

    assert folder.load(text, name).config.functions == {}


def test_anchors_and_merge_keys_work(folder: Folder) -> None:
    """Under x- keys, which are nothing but a place for them; what is written beside a merge wins."""
    loaded = folder.load(
        """\
        x-queue: &queue
          function_name: orders
          batch_size: 5
          enabled: false
        x-partial: &partial {function_response_types: [ReportBatchItemFailures], batch_size: 6}
        functions: {orders: {code: ., handler: app.handler}}
        event_source_mappings:
          a: {<<: *queue, event_source_arn: "arn:aws:sqs:us-east-1:000000000000:a", enabled: true}
          b: {<<: [*partial, *queue], event_source_arn: "arn:aws:sqs:us-east-1:000000000000:b"}
        """
    )

    a, b = loaded.config.event_source_mappings.values()
    assert (a.batch_size, a.enabled, a.reports_batch_item_failures) == (5, True, False)
    assert (b.batch_size, b.enabled, b.reports_batch_item_failures) == (6, False, True)


def test_a_fault_in_a_merged_value_is_where_it_is_written(folder: Folder) -> None:
    """The anchor's line, since that is the one to repair."""
    faults = folder.faults(
        """\
        x-queue: &queue
          function_name: orders
          batch_size: many
        functions: {orders: {code: ., handler: app.handler}}
        event_source_mappings:
          a: {<<: *queue, event_source_arn: "arn:aws:sqs:us-east-1:000000000000:a"}
        """
    )

    assert faults == [
        "headrace.yaml:3: event_source_mappings.a.batch_size: found 'many', expected an integer from 1 to 10000"
    ]


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("! 1", "1"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_follow_yaml_1_2(loader: type[yaml.SafeLoader], text: str, value: object) -> None:
    """Nothing but numbers, true, false and null is anything but text, with either of PyYAML's parsers."""
    root = parse_yaml(f"- {text}", "f", loader)

    assert isinstance(root, Sequence)
    (item,) = root.items
    assert isinstance(item, Scalar)
    assert item.value == value
    assert type(item.value) is type(value)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_every_key_and_value_knows_its_line(loader: type[yaml.SafeLoader]) -> None:
    """With either of PyYAML's parsers."""
    root = parse_yaml(
        "a:\n  b: |\n    text\n    more\n  # comment\n  c:\n    - 1\n\n    - {d:\n        2}\n", "f", loader
    )

    assert isinstance(root, Table)
    lines = {}

    def visit(node: Node, path: str) -> None:
        lines[path] = node.place.line
        if isinstance(node, Table):
            for key, entry in node.entries.items():
                lines[f"{path}.{key}:"] = entry.place.line
                visit(entry.node, f"{path}.{key}")
        elif isinstance(node, Sequence):
            for number, item in enumerate(node.items):
                visit(item, f"{path}[{number}]")

    visit(root.entries["a"].node, "a")
    assert lines == {
        "a": 2,
        "a.b:": 2,
        "a.b": 2,
        "a.c:": 6,
        "a.c": 7,
        "a.c[0]": 7,
        "a.c[1]": 9,
        "a.c[1].d:": 9,
        "a.c[1].d": 10,
    }


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\t", "a: *b", "!!", "%YAML 9.9\n---\na: 1", "a: \x00", '"\\ud800"', "- - -\n -"]
)
def test_both_parsers_refuse_alike(loader: type[yaml.SafeLoader], text: str) -> None:
    """The compiled one of PyYAML may be missing."""
    with pytest.raises(Unparsable):
        parse_yaml(text, "f", loader)
