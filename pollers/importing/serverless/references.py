"""The text of variables: where each ends, its source, its address and what to take instead. A decider (docs/lambda 17.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = "${"
_SOURCE = re.compile(r"(?P<source>[A-Za-z]+)(?:\((?P<argument>.*?)\))?:(?P<address>.*)", re.DOTALL)
_BARE_CALL = re.compile(r"(?P<source>[A-Za-z]+)\((?P<argument>.*)\)", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands between the braces."""

    content: str


@dataclass(frozen=True, slots=True)
class Reference:
    """One source to ask: ``self:custom.a`` or ``file(./a.yml):b``."""

    source: str
    argument: str
    address: str

    @property
    def called(self) -> str:
        """As it is written."""
        inner = f"({self.argument})" if self.argument else ""
        return f"{self.source}{inner}:{self.address}" if self.address or not inner else f"{self.source}{inner}"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands there instead of a source."""

    value: str | int | bool | None


def split(text: str) -> list[str | Asked]:
    """A text as its literal parts and its variables. What is no variable of the framework, such as ``${AWS::Region}``, is text."""
    parts: list[str | Asked] = []
    literal, at = "", 0
    while (start := text.find(_START, at)) >= 0:
        end = _end(text, start + len(_START))
        content = text[start + len(_START) : end].strip() if end is not None else ""
        if end is None or not _is_variable(content):
            literal += text[at : start + len(_START)]
            at = start + len(_START)
            continue
        literal += text[at:start]
        if literal:
            parts.append(literal)
        parts.append(Asked(content))
        literal, at = "", end + 1
    literal += text[at:]
    return [*parts, literal] if literal else parts


def candidates(content: str) -> list[Reference | Literal | None]:
    """What to try, one after another; None for what nobody understands."""
    return [_candidate(part.strip()) for part in _top_level(content)]


def _candidate(text: str) -> Reference | Literal | None:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return Literal(text[1:-1])
    if text in _WORDS:
        return Literal(_WORDS[text])
    if _NUMBER.fullmatch(text):
        return Literal(int(text))
    found = _SOURCE.fullmatch(text)
    if found is not None and not found["address"].startswith(":"):
        return Reference(found["source"], found["argument"] or "", found["address"].strip())
    bare = _BARE_CALL.fullmatch(text)
    return Reference(bare["source"], bare["argument"], "") if bare is not None else None


def _is_variable(content: str) -> bool:
    """Whether this is one of the framework's, and not one of CloudFormation's ``Fn::Sub``."""
    if content.startswith("AWS::"):
        return False
    return _SOURCE.match(content) is not None or _BARE_CALL.match(content) is not None


def _end(text: str, at: int) -> int | None:
    """Where the braces that are open at a place are closed."""
    depth = 1
    while at < len(text):
        if text.startswith(_START, at):
            depth += 1
            at += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None


def _top_level(content: str) -> list[str]:
    """Split at commas that are in no quotes and no brackets."""
    parts, depth, quote = [""], 0, ""
    for character in content:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    return parts
