"""Reading the document of a request: its members, with a violation in Lambda's words for each that breaks its constraint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from pollers.lambda_api import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pollers.lambda_api.errors import ApiError

_LINE_END = re.compile(r"[\n\r\x85\u2028\u2029]")
"""What ``.`` does not match in the patterns of Lambda's model, which are Java's."""


class Members:
    """The members of one JSON object. A member that is null is absent.

    Each reading gives the value, or None where the member is absent or breaks its constraint: :meth:`check` then raises for all of
    them together, as Lambda does. ``path`` is what stands before the members' names in violations, such as ``cors.``.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "", violations: list[str] | None = None) -> None:
        self._values = values
        self._path = path
        self._violations = [] if violations is None else violations

    def given(self, *names: str) -> bool:
        """Whether any of these members is there."""
        return any(self._values.get(name) is not None for name in names)

    def text(
        self, name: str, *, pattern: str | None = None, least: int = 0, most: int | None = None, required: bool = False
    ) -> str | None:
        """A text whose whole matches ``pattern``, of ``least`` to ``most`` characters."""
        value: str | None = self._of_type(name, str, "a String", required=required)
        if value is None:
            return None
        at, broken = self._at(name), []
        if most is not None and len(value) > most:
            broken.append(errors.constraint(value, at, f"have length less than or equal to {most}"))
        if len(value) < least:
            broken.append(errors.constraint(value, at, f"have length greater than or equal to {least}"))
        if pattern is not None and not re.fullmatch(pattern, value, re.ASCII):
            broken.append(errors.pattern_broken(value, at, pattern))
        self._violations += broken
        return None if broken else value

    def choice(self, name: str, allowed: Sequence[str], *, required: bool = False) -> str | None:
        """One of a few words, which violations list in this order."""
        value: str | None = self._of_type(name, str, "a String", required=required)
        if value is not None and value not in allowed:
            self._violations.append(errors.not_in_set(value, self._at(name), allowed))
            return None
        return value

    def integer(
        self, name: str, *, least: int | None = None, most: int | None = None, required: bool = False
    ) -> int | None:
        """A whole number."""
        value: int | None = self._of_type(name, int, "an Integer", required=required)
        if value is None:
            return None
        at, broken = self._at(name), []
        if most is not None and value > most:
            broken.append(errors.constraint(str(value), at, f"have value less than or equal to {most}"))
        if least is not None and value < least:
            broken.append(errors.constraint(str(value), at, f"have value greater than or equal to {least}"))
        self._violations += broken
        return None if broken else value

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value: bool | None = self._of_type(name, bool, "a Boolean")
        return value

    def texts(self, name: str, *, most: int, length: tuple[int, int]) -> list[str] | None:
        """A list of at most so many texts, each of a ``length`` from the first to the second."""
        value: list[Any] | None = self._of_type(name, list, "a List")
        if value is None:
            return None
        if not all(isinstance(item, str) for item in value):
            raise wrong_type(self._at(name), "a List of Strings")
        shown, at = f"[{', '.join(value)}]", self._at(name)
        least, longest = length
        if len(value) > most:
            self._violations.append(errors.constraint(shown, at, f"have length less than or equal to {most}"))
        elif not all(least <= len(item) <= longest and not _LINE_END.search(item) for item in value):
            rules = (
                f"have length less than or equal to {longest}, Member must have length greater than or equal to {least}"
            )
            self._violations.append(
                errors.constraint(
                    shown,
                    at,
                    f"satisfy constraint: [Member must {rules}, Member must satisfy regular expression pattern: .*]",
                )
            )
        else:
            return value
        return None

    def words(self, name: str, allowed: Sequence[str]) -> None:
        """A list of words, each of which is ``allowed`` and there once: so a list has at most as many as there are."""
        value: list[Any] | None = self._of_type(name, list, "a List")
        if value is None:
            return
        if not all(isinstance(item, str) for item in value):
            raise wrong_type(self._at(name), "a List of Strings")
        shown, at = f"[{', '.join(value)}]", self._at(name)
        if not set(value) <= set(allowed):
            rule = f"[Member must satisfy enum value set: [{', '.join(allowed)}]]"
            self._violations.append(errors.constraint(shown, at, f"satisfy constraint: {rule}"))
        elif len(value) > len(allowed):
            self._violations.append(errors.constraint(shown, at, f"have length less than or equal to {len(allowed)}"))

    def sent(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """The value as it was sent, whatever it is."""
        return self._values.get(name)

    def section(self, name: str) -> Members | None:
        """The members of an object inside."""
        value: dict[str, Any] | None = self._of_type(name, dict, "a Map")
        return None if value is None else Members(value, f"{self._at(name)}.", self._violations)

    def sections(self, name: str, *, most: int) -> list[Members]:
        """The members of each object of a list of at most so many."""
        value: list[Any] = self._of_type(name, list, "a List") or []
        at = self._at(name)
        if len(value) > most:
            shown = ", ".join(map(str, value))
            self._violations.append(errors.constraint(f"[{shown}]", at, f"have length less than or equal to {most}"))
        for number, item in enumerate(value, 1):
            if not isinstance(item, dict):
                raise wrong_type(f"{at}.{number}.member", "a Map")
        return [Members(item, f"{at}.{number}.member.", self._violations) for number, item in enumerate(value, 1)]

    def check(self) -> None:
        """Raises ApiError with all violations so far."""
        if self._violations:
            raise errors.invalid(*self._violations)

    def _of_type(self, name: str, kind: type[Any], called: str, *, required: bool = False) -> Any:  # noqa: ANN401 - of that type
        value = self._values.get(name)
        if value is None:
            if required:
                at = self._at(name)
                self._violations.append(f"Value null at '{at}' failed to satisfy constraint: Member must not be null")
            return None
        if type(value) is not kind:
            raise wrong_type(self._at(name), called)
        return value

    def _at(self, name: str) -> str:
        """As violations name it: the first letter is small, and all of a name that is nothing but capitals."""
        return f"{self._path}{name.lower() if name.isupper() else name[:1].lower() + name[1:]}"


def members_of(body: bytes) -> Members:
    """The members of a request's document; none of an empty one. Raises ApiError for what is no JSON object."""
    if not body.strip():
        return Members({})
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.unreadable(f"the body is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise errors.unreadable("the body is no JSON object")
    return Members(document)


def query_members(query: Mapping[str, str], numbers: Sequence[str] = ()) -> Members:
    """The parameters of a query as members; ``numbers`` are whole numbers. Raises ApiError for one that is none."""
    values: dict[str, Any] = {name: value for name, value in query.items() if value}
    for name in numbers:
        if name in values:
            if not re.fullmatch(r"-?[0-9]{1,18}", values[name], re.ASCII):
                raise wrong_type(f"{name[:1].lower()}{name[1:]}", "an Integer")
            values[name] = int(values[name])
    return Members(values)


def wrong_type(member: str, expected: str) -> ApiError:
    """400 for a member of another JSON type."""
    return errors.unreadable(f"the value at '{member}' is not {expected}")


def only_given(**values: object) -> dict[str, Any]:
    """The values that are not None, by name."""
    return {name: value for name, value in values.items() if value is not None}
