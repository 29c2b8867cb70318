"""``${NAME}`` and ``${NAME:-default}`` in the values of a parsed file.

Values are filled in after parsing, so that nothing in the environment can add keys or lists to a configuration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from config.text.nodes import SURROGATE, Node, Scalar, quoted, walk

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<inside>[^}]*)\}?")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-(?P<default>.*))?", re.DOTALL)


class _Refused(Exception):  # noqa: N818 - becomes the problem of its scalar
    pass


def interpolate(root: Node, environ: Mapping[str, str]) -> None:
    """Fill in every text value of the tree in place; what cannot be filled in is kept as the scalar's ``problem``."""
    for _, node in walk(root):
        if isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value and node.problem is None:
            try:
                _fill(node, node.value, environ)
            except _Refused as refused:
                node.problem = str(refused)


def _fill(node: Scalar, text: str, environ: Mapping[str, str]) -> None:
    names: list[str] = []

    def value(found: re.Match[str]) -> str:
        if found.group() == "$${":
            return "${"
        name, filled = _value(found, environ)
        names.append(name)
        return filled

    node.value = node.text = _REFERENCE.sub(value, text)
    node.variables = tuple(names)


def _value(found: re.Match[str], environ: Mapping[str, str]) -> tuple[str, str]:
    inside = _INSIDE.fullmatch(found["inside"])
    if inside is None or not found.group().endswith("}"):
        raise _Refused(
            f"found {quoted(found.group())}, expected ${{NAME}} or ${{NAME:-default}} (write $${{ for a plain ${{)"
        )
    name, default = inside["name"], inside["default"]
    set_to = environ.get(name)
    if inside["fallback"]:
        filled = set_to or default
    elif set_to is None:
        raise _Refused(
            f"found ${{{name}}}, which the environment does not set, expected it to be set or ${{{name}:-default}}"
        )
    else:
        filled = set_to
    if SURROGATE.search(filled) or "\0" in filled:
        raise _Refused(f"found bytes in the environment variable {name} that are not UTF-8, expected UTF-8")
    return name, filled
