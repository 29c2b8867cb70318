"""What is wrong with an expression."""

from __future__ import annotations


class WrongExpression(ValueError):  # noqa: N818 - named for what it is about
    """An expression that is not in AWS's language. ``part`` is the part that is wrong, ``wanted`` what would be right there."""

    def __init__(self, part: str, wanted: str) -> None:
        super().__init__(f"{part}, expected {wanted}")
        self.part = part
        self.wanted = wanted
