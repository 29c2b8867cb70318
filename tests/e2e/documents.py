"""The commands of a document, with what it says that they print; and a shell that runs them one after another."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = re.compile(r"^```(console|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGING = {
    re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"): "UUID",
    re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"): "TIME",
}
MARK = "----- the command has ended -----"


@dataclass(frozen=True, slots=True)
class Step:
    """A command as a reader types it, and what it prints."""

    command: str
    output: str


def steps(document: str) -> Iterator[Step]:
    """Lines that begin with ``$`` in console blocks; Python blocks, whose output is the text block that follows."""
    blocks = BLOCK.findall(document)
    for place, (kind, text) in enumerate(blocks):
        if kind == "python":
            follows, output = blocks[place + 1]
            assert follows == "text", f"what does it print?\n{text}"
            yield Step(f"python3 - <<'END'\n{text}END", output.strip())
        elif kind == "console":
            for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, output = command.partition("\n")
                yield Step(line, output.strip())


def alike(output: str) -> str:
    """What two runs print alike: ids and times are given names."""
    for pattern, name in CHANGING.items():
        output = pattern.sub(name, output)
    return output


class Shell:
    """bash, whose variables and functions stay from one command to the next. Close it after use."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        """What a command prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # What the command might read must not be the next command.
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\necho; echo '{MARK}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()).rstrip() != MARK:
            assert line, f"the shell ended in {command}: {''.join(lines)}"
            lines.append(line)
        return "".join(lines).strip()

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)
