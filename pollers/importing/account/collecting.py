"""Everything that an account tells of: mappings, schedules, and the functions that these call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from config.functions.references import refer
from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused
from pollers.importing.account.calls import paged
from pollers.importing.deployed import Document
from pollers.importing.model import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.importing.account.calls import Calls
    from pollers.importing.values import Value

AT_A_TIME = 8
"""Functions that are asked about at a time. Lambda allows 15 control calls a second in an account, and others call, too."""
_EVERY = 25
_PARTS = ("GetFunctionUrlConfig", "GetFunctionEventInvokeConfig")


@dataclass(slots=True)
class Account:
    """What an account has. Lists are in an order that does not depend on the service's."""

    functions: list[Document] = field(default_factory=list)
    urls: list[Document] = field(default_factory=list)
    invoke_configs: list[Document] = field(default_factory=list)
    mappings: list[Document] = field(default_factory=list)
    schedules: list[Document] = field(default_factory=list)
    rules: list[tuple[Document, list[Document]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Collector:
    """Asks an account. ``progress`` is told how far it is where there is much."""

    calls: Calls
    scheduler: Calls
    events: Calls
    progress: Callable[[str], None]
    found: Account = field(default_factory=Account)
    untold: dict[str, list[str]] = field(default_factory=dict)

    async def collected(self) -> Account:
        """All of it. Raises :class:`pollers.aws.errors.AwsError` when mappings or functions cannot be read."""
        await self._mappings()
        await self._optional("schedules of EventBridge Scheduler", self._schedules)
        await self._optional("rules of EventBridge", self._rules)
        await self._functions()
        for why, arns in sorted(self.untold.items()):
            names = ", ".join(sorted({_function_name(arn) for arn in arns}))
            self.found.notes.append(f"not told of {names}: {why}")
        return self.found

    async def _mappings(self) -> None:
        token = ("NextMarker", "Marker")
        found = []
        async for values in paged(self.calls, "ListEventSourceMappings", "EventSourceMappings", token):
            if values.get("State") == "Deleting":
                continue
            if values.get("KMSKeyArn") and not values.get("FilterCriteria"):
                # With a key of one's own, filters are in a single mapping's reply only (docs/lambda 17.7).
                values = await self.calls.reply("GetEventSourceMapping", {"UUID": _text(values, "UUID")})
            found.append(values)
        found.sort(key=lambda one: (_text(one, "FunctionArn"), _text(one, "EventSourceArn"), _text(one, "UUID")))
        for values in found:
            name = f"{_function_name(_text(values, 'FunctionArn'))}-{source_name(_text(values, 'EventSourceArn'))}"
            origin = Origin(None, f"event source mapping {_text(values, 'UUID')}")
            self.found.mappings.append(Document(name, values, origin))
        self.progress(f"found {len(found)} event source mappings")

    async def _schedules(self) -> None:
        token = ("NextToken", "NextToken")
        listed = [one async for one in paged(self.scheduler, "ListSchedules", "Schedules", token)]
        listed = [one for one in listed if ":lambda:" in _target(one)]
        listed.sort(key=lambda one: (_text(one, "GroupName"), _text(one, "Name")))
        for number, one in enumerate(listed, 1):
            asked = {"Name": _text(one, "Name"), "GroupName": _text(one, "GroupName") or "default"}
            values = await self.scheduler.reply("GetSchedule", asked)
            origin = Origin(None, _text(values, "Arn") or f"schedule {asked['Name']}")
            self.found.schedules.append(Document(asked["Name"], values, origin))
            self._tell(number, len(listed), "schedules")

    async def _rules(self) -> None:
        token = ("NextToken", "NextToken")
        listed = [one async for one in paged(self.events, "ListRules", "Rules", token)]
        listed = [one for one in listed if one.get("ScheduleExpression")]
        for rule in sorted(listed, key=lambda one: _text(one, "Name")):
            name = _text(rule, "Name")
            asked = {"Rule": name}
            targets = [one async for one in paged(self.events, "ListTargetsByRule", "Targets", token, asked)]
            targets = [one for one in targets if ":lambda:" in _text(one, "Arn")]
            targets.sort(key=lambda one: _text(one, "Id"))
            origin = Origin(None, _text(rule, "Arn") or f"rule {name}")
            documents = [Document(_text(one, "Id"), one, origin) for one in targets]
            if documents:
                self.found.rules.append((Document(name, rule, origin), documents))

    async def _optional(self, what: str, read: Callable[[], object]) -> None:
        """Read what an account may have, and what one may not be allowed to read."""
        try:
            await read()  # type: ignore[misc]
        except AwsError as error:
            self.found.notes.append(f"{what} are not imported: {error}")

    async def _functions(self) -> None:
        wanted = sorted(self._named())
        replies: dict[tuple[str, str], list[dict[str, Value] | None]] = {}
        failures: list[AwsError] = []
        limiter = anyio.CapacityLimiter(AT_A_TIME)

        async def ask(one: tuple[str, str]) -> None:
            async with limiter:
                try:
                    replies[one] = await self._function(*one)
                except AwsError as error:
                    # The first one that fails ends all; raised from here it would come in a group of exceptions.
                    failures.append(error)
                    tasks.cancel_scope.cancel()
                self._tell(len(replies), len(wanted), "functions")

        async with anyio.create_task_group() as tasks:
            for one in wanted:
                tasks.start_soon(ask, one)
        if failures:
            raise failures[0]
        for one in wanted:
            self._add(one, replies[one])

    def _named(self) -> set[tuple[str, str]]:
        """The functions that are called, each as its ARN and its qualifier; and each without one, which has the settings."""
        texts = [_text(one.values, "FunctionArn") for one in self.found.mappings]
        texts += [_target(one.values) for one in self.found.schedules]
        texts += [_text(one.values, "Arn") for _, targets in self.found.rules for one in targets]
        named = set()
        for text in texts:
            found = refer(text)
            if found is not None and ":function:" in text:
                arn = text.removesuffix(f":{found[1]}") if found[1] else text
                named |= {(arn, ""), (arn, "" if found[1] in (None, "$LATEST") else found[1] or "")}
        return named

    async def _function(self, arn: str, qualifier: str) -> list[dict[str, Value] | None]:
        """The function, its URL and its event invoke config; empty where there is none, None where that is not told."""
        asked = {"FunctionName": arn} | ({"Qualifier": qualifier} if qualifier else {})
        return [await self._or_none(operation, asked) for operation in ("GetFunction", *_PARTS)]

    async def _or_none(self, operation: str, asked: dict[str, str]) -> dict[str, Value] | None:
        try:
            return await self.calls.reply(operation, asked)
        except NotFound:
            return {}
        except (Refused, AccessDenied) as error:
            self.untold.setdefault(f"{operation}: {error.code}: {error.message}", []).append(asked["FunctionName"])
            return None

    def _add(self, one: tuple[str, str], replies: list[dict[str, Value] | None]) -> None:
        arn, qualifier = one
        function, url, invoke = replies
        name, origin = _function_name(arn), Origin(None, arn)
        if function is not None and not function and not qualifier:
            self.found.notes.append(f"the function {arn} is not there any more, although something calls it")
        configuration = function.get("Configuration") if function is not None else None
        if isinstance(configuration, dict) and function is not None and not qualifier:
            concurrency = function.get("Concurrency")
            reserved = concurrency.get("ReservedConcurrentExecutions") if isinstance(concurrency, dict) else None
            values = {**configuration, "FunctionArn": arn, "ReservedConcurrentExecutions": reserved}
            self.found.functions.append(Document(name, values, origin))
        full = f"{arn}:{qualifier}" if qualifier else arn
        for into, members, called in (
            (self.found.urls, url, "function URL"),
            (self.found.invoke_configs, invoke, "event invoke config"),
        ):
            if members:
                named: dict[str, Value] = {**members, "FunctionName": full}
                into.append(Document(name, named, Origin(None, f"the {called} of {full}")))

    def _tell(self, done: int, of: int, what: str) -> None:
        if of > _EVERY and (done % _EVERY == 0 or done == of):
            self.progress(f"read {done} of {of} {what}")


def source_name(arn: str) -> str:
    """The short name of a queue, a stream, a table, or a cluster."""
    resource = arn.split(":", 5)[-1]
    parts = resource.split("/")
    return parts[1] if len(parts) > 1 else parts[0].rpartition(":")[2] or "source"


def _function_name(arn: str) -> str:
    found = refer(arn)
    return found[0] if found is not None else "function"


def _text(values: object, name: str) -> str:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, str) else ""


def _target(schedule: object) -> str:
    target = schedule.get("Target") if isinstance(schedule, dict) else None
    return _text(target, "Arn")
