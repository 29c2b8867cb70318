"""Any story of changes, reloads, restarts and full disks: what counts is what a much simpler account says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources import AlreadyMade, GivenByConfiguration, MemoryRows, NotMade, Resources, changes
from pollers.storage import StoreUnwritable
from tests.unit.resources.examples import model
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("a", "b")
OPTIONS = {"retries": "event_invoke_config", "url": "function_url"}
STORIES = 150


class Disk(MemoryRows):
    """Has room, or none."""

    full = False

    async def save(self, documents: Mapping[str, str]) -> None:
        """As on a disk."""
        if self.full:
            raise StoreUnwritable("no room")
        await super().save(documents)


@dataclass
class Account:
    """What the story has come to: by function what the API made (``made``) and what the configuration gives (``given``), each by
    ``retries``, ``url`` and ``reserved``. A function without ``given`` is not configured."""

    made: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in NAMES})
    given: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in NAMES})

    def outcome(self, name: str, what: str, verb: str) -> type[Exception] | None:
        """What an operation should raise."""
        if what in self.given.get(name, {}):
            return GivenByConfiguration
        if verb == "create" and what in self.made[name]:
            return AlreadyMade
        if verb in ("update", "delete") and what not in self.made[name]:
            return NotMade
        return None

    def counts(self, name: str, what: str) -> Any:  # noqa: ANN401 - a number or a word
        """What counts now, None for nothing."""
        return self.given.get(name, {}).get(what, self.made[name].get(what))


def change_of(what: str, verb: str, value: Any) -> Any:  # noqa: ANN401 - a change, whatever it answers
    """The change that a step of a story asks for."""
    if what == "retries":
        config = EventInvokeConfig(maximum_retry_attempts=value)
        update = changes.update_invoking({"maximum_retry_attempts": value})
        return {"put": changes.put_invoking(config), "update": update, "delete": changes.delete_invoking}[verb]
    update_url = changes.update_url({"auth_type": value})
    return {
        "create": changes.create_url(FunctionUrl(auth_type=value)),
        "update": update_url,
        "delete": changes.delete_url,
    }[verb]


retries, auth_types = st.integers(0, 2), st.sampled_from(["NONE", "AWS_IAM"])
given_options = st.fixed_dictionaries({}, optional={"retries": retries, "url": auth_types})
steps = st.one_of(
    st.tuples(st.just("retries"), st.sampled_from(NAMES), st.sampled_from(["put", "update", "delete"]), retries),
    st.tuples(st.just("url"), st.sampled_from(NAMES), st.sampled_from(["create", "update", "delete"]), auth_types),
    st.tuples(st.just("reserve"), st.sampled_from(NAMES), st.none() | st.integers(0, 3)),
    st.tuples(st.just("reload"), st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, given_options))),
    st.tuples(st.just("restart")),
    st.tuples(st.just("full"), st.booleans()),
)


def configured(given: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The functions of a configuration."""
    written = {"retries": lambda value: {"maximum_retry_attempts": value}, "url": lambda value: {"auth_type": value}}
    return {
        name: model(**{OPTIONS[what]: written[what](value) for what, value in options.items()})
        for name, options in given.items()
    }


class Story:
    """Tells the steps to resources and to the account."""

    def __init__(self) -> None:
        self.disk, self.account = Disk(), Account()
        self.resources = Resources(self.disk, {})
        self.resources.follow(configured(self.account.given))

    async def tell(self, step: tuple[Any, ...]) -> None:
        """One step, and then a look at everything."""
        match step:
            case ("reload", given):
                self.account.given = given
                self.resources.follow(configured(given))
            case ("restart",):
                self.resources = Resources(self.disk, {})
                await self.resources.open()
                self.resources.follow(configured(self.account.given))
            case ("full", full):
                self.disk.full = full
            case ("reserve", name, value):
                await self._change(name, "reserved", "put", value, changes.reserve(value))
            case (what, name, verb, value):
                await self._change(name, what, verb, value, change_of(what, verb, value))
        self.look()

    async def _change(self, name: str, what: str, verb: str, value: object, change: Any) -> None:  # noqa: ANN401 - as above
        wanted = self.account.outcome(name, what, verb) or (StoreUnwritable if self.disk.full else None)
        met: type[Exception] | None = None
        try:
            await self.resources.change(name, change)
        except (GivenByConfiguration, AlreadyMade, NotMade, StoreUnwritable) as error:
            met = type(error)
        assert met is wanted
        if met is None:
            self.account.made[name].pop(what, None)
            if verb != "delete" and value is not None:
                self.account.made[name][what] = value

    def look(self) -> None:
        """Everything that counts is what the account says."""
        for name in NAMES:
            found, url = self.resources.settings_of(name), self.resources.url_of(name)
            tried = self.account.counts(name, "retries")
            assert found.maximum_retry_attempts == (2 if tried is None else tried)
            assert (self.resources.invoking_of(name) is None) == (tried is None)
            assert (url.config.auth_type if url is not None else None) == self.account.counts(name, "url")
            assert found.reserved == self.account.made[name].get("reserved")


@settings(max_examples=STORIES)
@given(st.lists(steps, max_size=25))
def test_what_counts_is_what_was_said_last_by_whoever_may_say_it(story: list[tuple[Any, ...]]) -> None:
    """The configuration before the API, nothing lost by a restart, and nothing half changed on a full disk."""

    async def tell() -> None:
        told = Story()
        for step in [*story, ("full", False), ("restart",)]:
            await told.tell(step)

    virtual_time.run(tell)
