"""The text of a configuration that was imported: what a person reads, and what Headrace reads back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text.interpolation import interpolate
from config.text.nodes import Node, Scalar, Sequence, Table
from config.text.places import Place
from config.text.yaml_text import parse_yaml
from pollers.importing import Imported, JsonText, LocalPath, Member, Origin, Unknown, joined, write
from pollers.importing.placeholders import variable
from pollers.importing.spelling import entry

if TYPE_CHECKING:
    from pollers.importing.spelling import Plain

HERE = Path("/project")
PLACE = Place("template.yaml", 7)
QUEUE = Unknown("Queue.Arn", "QUEUE_ARN", "the ARN of Queue, which the template does not say", PLACE)


def imported(**options: object) -> Imported:
    """A source with one function that has these options."""
    found = Imported("the template template.yaml")
    found.functions.append(Member("orders", options, Origin(PLACE, "Orders (AWS::Lambda::Function)")))  # type: ignore[arg-type]
    return found


def text(**options: object) -> str:
    """What is written of a function with these options."""
    return write(imported(**options), HERE).text


def plain(node: Node) -> object:
    """A tree without its places."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Table():
            return {key: plain(each.node) for key, each in node.entries.items()}


def read_back(written: str, **environ: str) -> object:
    """What Headrace reads, with the environment's values."""
    tree = parse_yaml(written, "headrace.yaml")
    assert tree is not None
    interpolate(tree, environ)
    return plain(tree)


def test_a_function_has_its_origin_above_it_and_its_options_in_order() -> None:
    """First what runs, then how."""
    assert text(timeout=30, handler="app.handler", code=LocalPath(HERE / "src/orders")) == (
        "# Imported by `headrace import` from the template template.yaml.\n"
        "\n"
        "functions:\n"
        "  # Orders (AWS::Lambda::Function), template.yaml:7\n"
        "  orders:\n"
        "    code: ./src/orders\n"
        "    handler: app.handler\n"
        "    timeout: 30\n"
    )


def test_what_is_unknown_is_a_variable_that_a_comment_and_a_note_ask_for() -> None:
    """The same thing is the same variable wherever it stands."""
    written = write(imported(environment={"A": QUEUE, "B": joined(["x/", QUEUE])}), HERE)
    assert written.variables == ("QUEUE_ARN",)
    assert 'environment: {A: "${QUEUE_ARN}", B: "x/${QUEUE_ARN}"}' in written.text
    assert "#   QUEUE_ARN: the ARN of Queue, which the template does not say" in written.text
    assert [str(note) for note in written.notes] == [
        "template.yaml:7: set ${QUEUE_ARN}: the ARN of Queue, which the template does not say"
    ]


def test_two_unknown_things_have_two_names() -> None:
    """Also where they would like the same."""
    other = Unknown("other", "QUEUE_ARN", "a parameter", PLACE)
    assert write(imported(timeout=QUEUE, memory_size=other), HERE).variables == ("QUEUE_ARN", "QUEUE_ARN_2")


def test_what_has_no_name_of_its_own_is_named_after_where_it_stands() -> None:
    """An environment variable after itself, since it will often be set already; another after its function and its option."""
    nameless = [Unknown(str(number), None, "a secret", PLACE) for number in range(2)]
    written = write(imported(environment={"DB_PASSWORD": nameless[0]}, memory_size=nameless[1]), HERE)
    assert written.variables == ("ORDERS_MEMORY_SIZE", "DB_PASSWORD")


def test_a_literal_dollar_brace_stays_what_it_is() -> None:
    """Headrace would fill it in."""
    written = text(environment={"A": "${HOME}", "B": "$${x}", "C": "$"})
    assert "$${HOME}" in written
    assert read_back(written, HOME="/root")["functions"]["orders"]["environment"] == {  # type: ignore[index]
        "A": "${HOME}",
        "B": "$${x}",
        "C": "$",
    }


def test_a_pattern_is_written_as_a_mapping_where_that_is_the_same() -> None:
    """A fraction and a key that comes twice are not."""
    assert "a: {body: {type: [created]}}" in text(a=JsonText('{"body": {"type": ["created"]}}'))
    assert 'a: "{\\"n\\": [1.10]}"' in text(a=JsonText('{"n": [1.10]}'))
    assert 'a: "{\\"n\\": 1, \\"n\\": 2}"' in text(a=JsonText('{"n": 1, "n": 2}'))


def test_names_that_the_configuration_does_not_take_are_changed_and_that_is_said() -> None:
    """Two members never have one name."""
    found = Imported("a template")
    for name in ("a b", "a-b"):
        found.functions.append(Member(name, {"timeout": 3}, Origin(PLACE, name)))
    written = write(found, HERE)
    assert "  a-b:\n" in written.text
    assert "  a-b-2:\n" in written.text
    assert [note.message for note in written.notes] == [
        "it is called a-b in the configuration",
        "it is called a-b-2 in the configuration",
    ]


def test_what_is_to_be_said_of_many_is_said_once() -> None:
    """With the first place, and some of the others."""
    found = Imported("a template")
    for number in range(8):
        found.note(PLACE, f"F{number}", "it is old")
    (note,) = write(found, HERE).notes
    assert str(note) == "template.yaml:7: F0: it is old (also F1, F2, F3, F4, F5, and 2 more)"


def test_a_comment_stays_on_its_line() -> None:
    """Whatever a template's texts hold: a line of it must not become a setting."""
    found = Imported("evil\nfunctions: {}")
    assert write(found, HERE).text == "# Imported by `headrace import` from evil functions: {}.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("OrdersQueue", "Arn"), "ORDERS_QUEUE_ARN"),
        (("SQSQueue9", "Arn"), "SQS_QUEUE9_ARN"),
        (("net-Orders:Arn",), "NET_ORDERS_ARN"),
        (("9lives",), "_9LIVES"),
        (("é",), "VALUE"),
    ],
)
def test_variables_are_named_as_variables_are(words: tuple[str, ...], expected: str) -> None:
    """Upper case with underscores, and never a digit first."""
    assert variable(*words) == expected


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["yes", "1e3", "0x1", "1:30", "- a", "a: b", "#", "~", "", "a #b", "!x", "é\u2028"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_written_is_what_is_read_back(value: Plain) -> None:
    """Every text, number and truth value, however deep, keeps its type and its characters."""
    written = "\n".join(entry("x-value", value, 0)) + "\n"
    tree = parse_yaml(written, "headrace.yaml")
    assert tree is not None
    assert plain(tree) == {"x-value": value}
