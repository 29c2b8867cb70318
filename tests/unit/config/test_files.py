"""Whatever is in the files, loading ends with a configuration or with faults that have a file and a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from config import ConfigError, load
from config.text.nodes import Scalar, Sequence, Table, Unparsable
from config.text.yaml_text import parse_yaml

if TYPE_CHECKING:
    from config.text.nodes import Node
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
        ("aws:\n  region: !!python/object:os.system x", "headrace.yaml:2: found the tag !!python/object:os.system"),
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


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "headrace.json:1: found an empty file, expected a mapping"),
        ("[]", "headrace.json:1: found an empty list, expected a mapping"),
        ("\n\ntrue", "headrace.json:3: found true, expected a mapping"),
        ('{"aws": {}\n', "headrace.json:2: found the end of a line or of the file, expected ',' or '}'"),
        ('{"aws": {},\n}', "headrace.json:2: found malformed JSON at '}', expected a key in double quotes"),
        ('{"aws"\n {}}', "headrace.json:2: found malformed JSON at '{}}', expected ':'"),
        ("{aws: 1}", "headrace.json:1: found malformed JSON at 'aws: 1}', expected a key in double quotes"),
        ('{"aws": undefined}', "headrace.json:1: found malformed JSON at 'undefined}', expected a JSON value"),
        ('{"aws": NaN}', "headrace.json:1: found malformed JSON at 'NaN}', expected a JSON value"),
        ('{"aws": "a\nb"}', "headrace.json:1: found malformed JSON at '\"a', expected a string that ends on its line"),
        (
            '{"aws": "\\x"}',
            "headrace.json:1: found malformed JSON at '\"\\\\x\"}', expected a string with JSON's escapes only",
        ),
        (
            '{"aws": "\\ud800"}',
            "headrace.json:1: found malformed JSON at '\"\\\\ud800\"}', expected a string without halves",
        ),
        ('{"aws": {}} x', "headrace.json:1: found malformed JSON at 'x', expected the end of the file"),
        ('{"aws": ' + "[" * 100_000, "headrace.json:1: found more than 100 levels of nesting, expected fewer"),
        (
            '{"aws": ' + "9" * 5000 + "}",
            "headrace.json:1: found malformed JSON at '99999999999999999999', expected a shorter number",
        ),
    ],
)
def test_what_is_no_json_object_is_one_fault(folder: Folder, text: str, fault: str) -> None:
    """With its line, and never a traceback."""
    (found,) = folder.faults(text or " ", "headrace.json")

    assert found.startswith(fault)


def test_json_may_have_tabs_and_every_escape(folder: Folder) -> None:
    """Which YAML would refuse."""
    loaded = folder.load(
        '{\n\t"functions":\t{"f": {"runtime": "http", "url": "http://a",\n'
        '\t"headers": {"A": "\\u002d\\/\\ud83d\\ude00"}}}\n}',
        "headrace.json",
    )

    assert loaded.config.functions["f"].model_dump()["headers"] == {"A": "-/😀"}


@pytest.mark.parametrize("data", [b"aws:\n  region: \xff\n", "aws: {}".encode("utf-16")])
def test_what_is_not_utf8_is_one_fault(folder: Folder, data: bytes) -> None:
    """With the line of the first byte that is not."""
    file = folder.path / "headrace.yaml"
    file.write_bytes(data)

    with pytest.raises(ConfigError) as raised:
        load(file, environ={})

    (fault,) = raised.value.faults
    assert fault.message == "found the byte 0xff, expected text in UTF-8"
    assert fault.line == (2 if data.startswith(b"aws") else 1)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder: Folder) -> None:
    """Editors on Windows write them."""
    file = folder.path / "headrace.yaml"
    file.write_bytes("\ufeffaws:\r\n  region: us-east-1\r\n  nonsense: 1\r\n".encode())

    with pytest.raises(ConfigError) as raised:
        load(file, environ={})

    assert [fault.line for fault in raised.value.faults] == [3]


def test_a_missing_file_is_one_fault(folder: Folder) -> None:
    """It names the path."""
    with pytest.raises(ConfigError) as raised:
        load(folder.path / "nowhere.yaml", environ={})

    assert str(raised.value) == (
        f"{folder.path}/nowhere.yaml:1: found a file that cannot be read (No such file or directory), expected a readable file"
    )


def test_an_unreadable_file_is_one_fault(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is named."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match="Permission denied"):
        load(folder.path / "headrace.yaml", environ={})


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_an_impossible_path_is_one_fault(path: str) -> None:
    """Never a traceback."""
    with pytest.raises(ConfigError) as raised:
        load(path, environ={})

    assert len(raised.value.faults) == 1


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


@pytest.mark.parametrize("name", ["headrace.yaml", "headrace.json"])
def test_a_repeated_key_is_a_fault_wherever_it_is(folder: Folder, name: str) -> None:
    """Each with the line of the repetition."""
    faults = folder.faults(
        '{"aws": {"region": "a",\n "region": "b"},\n"x-a": {"b": {"c": 1,\n"c": 2}},\n"x-a2": 1, "x-a2": 2}', name
    )

    assert faults == [
        f"{name}:2: aws.region: found the key a second time, expected it once",
        f"{name}:4: x-a.b.c: found the key a second time, expected it once",
        f"{name}:5: x-a2: found the key a second time, expected it once",
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


class TestFolders:
    """CONFIG may be a folder of files."""

    def test_its_files_make_one_configuration(self, folder: Folder) -> None:
        """Functions, mappings and settings from different files find each other; other files are let alone."""
        folder.write("aws: {region: eu-west-1}", "10-aws.yaml")
        folder.write("functions: {orders: {code: ., handler: app.handler}}", "20-functions.yml")
        folder.write(
            '{"event_source_mappings": {"m": {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q", "FunctionName": '
            '"orders"}}}',
            "30-mappings.json",
        )
        folder.write("not: {ours", ".hidden.yaml")
        folder.write("not: {ours", "notes.txt")
        (folder.path / "sub.yaml").mkdir()

        loaded = folder.load()

        assert loaded.config.aws.region == "eu-west-1"
        assert loaded.config.event_source_mappings["m"].function_name == "orders"
        assert [file.name for file in loaded.files] == ["10-aws.yaml", "20-functions.yml", "30-mappings.json"]

    def test_a_folder_without_files_is_a_fault(self, folder: Folder) -> None:
        """It says what was looked for."""
        with pytest.raises(
            ConfigError,
            match=r":1: found a folder without files, expected at least one file \*\.yaml, \*\.yml, \*\.json",
        ):
            load(folder.path, environ={})

    def test_a_name_in_two_files_is_a_fault_that_names_both(self, folder: Folder) -> None:
        """For functions and mappings alike."""
        folder.write("functions:\n  orders: {code: ., handler: app.handler}\n", "a.yaml")
        folder.write("\n\nfunctions:\n  orders: {code: ., handler: app.handler}\n", "b.yaml")

        (fault,) = folder.faults()

        assert fault == (
            "b.yaml:4: functions.orders: found 'orders' a second time, expected it once: it is also defined in a.yaml:2"
        )

    @pytest.mark.parametrize("section", ["aws", "runtime", "console"])
    def test_a_single_section_in_two_files_is_a_fault(self, folder: Folder, section: str) -> None:
        """It names both files."""
        folder.write(f"{section}: {{}}", "a.yaml")
        folder.write(f"\n{section}: {{}}", "b.yaml")

        (fault,) = folder.faults()

        assert fault.startswith(f"b.yaml:2: {section}: found the section a second time")
        assert fault.endswith("a.yaml:1")

    def test_faults_of_every_file_are_reported(self, folder: Folder) -> None:
        """One that cannot be read hides neither the others' faults nor invents any: its functions may be those that are missing."""
        folder.write("functions: {orders: [", "a.yaml")
        folder.write(
            """\
            event_source_mappings:
              m: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:q", function_name: orders, batch_size: 0}
            """,
            "b.yaml",
        )

        faults = folder.faults()

        assert len(faults) == 2
        assert faults[0].startswith("a.yaml:1: found malformed YAML")
        assert faults[1] == "b.yaml:2: event_source_mappings.m.batch_size: found 0, expected an integer from 1 to 10000"

    def test_paths_are_relative_to_the_file_that_names_them(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Wherever the command is run."""
        monkeypatch.chdir(tmp_path)
        (folder.path / "conf").mkdir()
        folder.write("functions: {orders: {code: .., handler: app.handler}}", "conf/a.yaml")

        loaded = load("conf", environ={})

        assert loaded.config.functions["orders"].model_dump()["code"] == folder.path
        assert loaded.config.runtime.sqlite_path == folder.path / "conf/.headrace/checkpoints.db"


def test_unknown_sections_are_faults_with_a_suggestion(folder: Folder) -> None:
    """But for those that begin with x-."""
    faults = folder.faults("event_source_mapping: {}\nFunctions: {}\nx-anything: 1\nother: 1\n")

    known = "expected one of aws, runtime, console, functions, event_source_mappings"
    assert faults == [
        f"headrace.yaml:1: event_source_mapping: found an unknown key (did you mean 'event_source_mappings'?), {known}",
        f"headrace.yaml:2: Functions: found an unknown key (did you mean 'functions'?), {known}",
        f"headrace.yaml:4: other: found an unknown key, {known}",
    ]


@pytest.mark.parametrize("section", ["functions", "event_source_mappings"])
def test_a_section_of_another_type_is_a_fault(folder: Folder, section: str) -> None:
    """A list where names are wanted."""
    (fault,) = folder.faults(f"{section}:\n  - a\n")

    assert (
        fault == f"headrace.yaml:1: {section}: found a list, expected a mapping of names to {section.replace('_', ' ')}"
    )


def test_a_configuration_without_mappings_is_noted(folder: Folder) -> None:
    """``headrace invoke`` needs functions only."""
    loaded = folder.load("functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n")

    assert [note.message for note in loaded.notes] == ["there are no event_source_mappings: nothing would be polled"]
