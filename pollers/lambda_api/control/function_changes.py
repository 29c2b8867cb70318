"""Functions made through the API: operations that bring code (docs/lambda 16.8), and answers to those that are not served."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from pollers.aside import aside
from pollers.lambda_api import errors
from pollers.lambda_api.control.function_requests import (
    BODY_LIMIT_BYTES,
    CODE_BODY,
    CONFIGURATION_BODY,
    CREATE_BODY,
    NO_VERSIONS,
    check_name,
    read_code,
    read_configuration,
    read_create,
)
from pollers.lambda_api.control.functions import ONE
from pollers.lambda_api.control.functions import PATH as FUNCTIONS
from pollers.lambda_api.control.made_document import made_configuration
from pollers.lambda_api.control.mapping_refusals import refused
from pollers.lambda_api.directory import PENDING
from pollers.lambda_api.names import LATEST, named
from pollers.lambda_api.operations import Operation, empty_reply, json_reply
from pollers.made_functions import (
    AlreadyThere,
    ArchiveRefused,
    ArchiveTooLarge,
    Changing,
    GivenByFile,
    Misfit,
    NotKept,
    NotThere,
)
from pollers.resources import changes
from pollers.storage import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.control.function_requests import Asked
    from pollers.lambda_api.operations import Call, Reply
    from pollers.made_functions import Entry, FunctionRegister

    T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

OFF = (
    "Functions are not made through the API here, since they bring code: set lambda_api.functions to true and restart Headrace, or "
    "configure the function in its file."
)
IN_THREAD_BYTES = 64 * 1024
"""Longer documents are read in a thread: nothing else waits for them meanwhile."""
_NO_LAYERS = (
    "Headrace keeps no layers: put their content into the function's .zip file, or configure the function with layers."
)


class FunctionChanges:
    """The operations. Where functions are not made through the API each is refused before its body is read."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        off = OFF if self._control.functions is None else None
        limit = BODY_LIMIT_BYTES
        return (
            Operation("CreateFunction", "POST", FUNCTIONS, self.create, (201,), limit, body=CREATE_BODY, refusal=off),
            Operation(
                "UpdateFunctionCode", "PUT", f"{ONE}/code", self.update_code, (200,), limit, body=CODE_BODY, refusal=off
            ),
            Operation(
                "UpdateFunctionConfiguration",
                "PUT",
                f"{ONE}/configuration",
                self.update_configuration,
                body=CONFIGURATION_BODY,
                refusal=off,
            ),
            Operation("DeleteFunction", "DELETE", ONE, self.delete, (204,), query=("Qualifier",), refusal=off),
            *self._not_served(),
        )

    def _not_served(self) -> tuple[Operation, ...]:
        """Declared so that a client is told why, and not that the path is wrong."""
        alias, layers = f"{ONE}/aliases/{{Name}}", "/2018-10-31/layers"
        return (
            Operation("PublishVersion", "POST", f"{ONE}/versions", self.no_versions, (201,)),
            Operation("CreateAlias", "POST", f"{ONE}/aliases", self.no_versions, (201,)),
            Operation("UpdateAlias", "PUT", alias, self.no_versions),
            Operation("GetAlias", "GET", alias, self.get_alias),
            Operation("DeleteAlias", "DELETE", alias, self.delete_alias, (204,)),
            Operation("PublishLayerVersion", "POST", f"{layers}/{{LayerName}}/versions", self.no_layers, (201,)),
            # GetLayerVersionByArn has the same path, and is told by a query that the model fixes.
            Operation("ListLayers", "GET", layers, self.list_layers, query=("find", "Arn")),
        )

    @property
    def _functions(self) -> FunctionRegister:
        assert self._control.functions is not None  # noqa: S101 - the operations are refused otherwise
        return self._control.functions

    async def create(self, call: Call) -> Reply:
        """Makes a function of a package; durable before the reply. It is Pending until it can be called."""
        asked = await _read(read_create, call.body)
        here = self._control.here
        name = named(asked.name, None, here)
        if name.qualifier is not None or name.account != here.account:
            raise errors.invalid_parameter(
                NO_VERSIONS if name.qualifier else "The account is not the one that is served."
            )
        check_name(name.name)
        with _refusals(here.arn(name.name)):
            entry = await self._functions.create(name.name, asked.settings, asked.zipped or b"")
        reply = self._reply(entry, 201)
        if asked.tags:
            tags = dict(asked.tags)
            await self._control.change(name.name, changes.change_tags(lambda _: tags))
        return reply

    async def update_code(self, call: Call) -> Reply:
        """Gives the function another package. Running invocations end with the old one."""
        asked = await _read(read_code, call.body)
        name = self._changeable(call, asked)
        with _refusals(self._control.here.arn(name)):
            entry = await self._functions.update_code(name, asked.zipped or b"", asked.settings, dry_run=asked.dry_run)
        return self._reply(entry)

    async def update_configuration(self, call: Call) -> Reply:
        """Changes what the document names."""
        asked = await _read(read_configuration, call.body)
        name = self._changeable(call, asked)
        with _refusals(self._control.here.arn(name)):
            entry = await self._functions.update_configuration(name, asked.settings)
        return self._reply(entry)

    async def delete(self, call: Call) -> Reply:
        """Ends the function; its mappings stay, and wait for another of its name."""
        name = self._control.named(call)
        if name.qualifier == LATEST:
            raise errors.invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function. Please specify a version to be deleted."
            )
        function = self._control.function(call)
        with _refusals(self._control.here.arn(function)):
            await self._functions.delete(function)
        return empty_reply()

    async def no_versions(self, call: Call) -> Reply:
        """Refuses: whoever publishes a version relies on it."""
        self._control.function(call)
        raise errors.invalid_parameter(NO_VERSIONS)

    async def no_layers(self, call: Call) -> Reply:
        """Refuses: there is nothing that could use one."""
        raise errors.invalid_parameter(_NO_LAYERS)

    async def get_alias(self, call: Call) -> Reply:
        """There are none."""
        name = self._control.function(call)
        raise errors.not_found(f"Cannot find alias arn: {self._control.here.arn(name, call.parameters['Name'])}")

    async def delete_alias(self, call: Call) -> Reply:
        """An alias that is not there is deleted, as on AWS."""
        self._control.function(call)
        return empty_reply()

    async def list_layers(self, call: Call) -> Reply:
        """There are none, and so none with this ARN."""
        if "find" in call.query:
            raise errors.not_found(f"There is no layer {call.query.get('Arn', '')}. {_NO_LAYERS}")
        return json_reply({"Layers": []})

    def _changeable(self, call: Call, asked: Asked) -> str:
        name = self._control.function(call)
        if asked.revision_id and asked.revision_id != self._control.revision_id(name):
            raise errors.wrong_revision()
        return name

    def _reply(self, entry: Entry, status: int = 200) -> Reply:
        beside = self._control.resources.made_of(entry.made.name)
        return json_reply(made_configuration(entry, beside, self._control.here), status)


async def _read(read: Callable[[bytes], T], body: bytes) -> T:
    return read(body) if len(body) <= IN_THREAD_BYTES else await aside(partial(read, body))


@contextmanager
def _refusals(arn: str) -> Iterator[None]:
    """Turns the errors of made functions into the API's, in Lambda's words where it has some (docs/lambda 16.9)."""
    try:
        yield
    except GivenByFile as given:
        raise errors.conflict(str(given)) from None
    except AlreadyThere as there:
        raise errors.conflict(f"Function already exist: {there}") from None
    except Changing as changing:
        updating = f"The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        raise errors.conflict(PENDING if changing.pending else updating) from None
    except NotThere:
        raise errors.function_not_found(arn) from None
    except Misfit as misfit:
        log.info(
            "a function was refused through the API", faults=[f"{one.path}: {one.message}" for one in misfit.faults]
        )
        raise refused(misfit.faults) from None
    except ArchiveTooLarge as large:
        raise errors.request_too_large(str(large)) from None
    except ArchiveRefused as archive:
        raise errors.invalid_parameter(str(archive)) from None
    except NotKept as full:
        raise errors.service_error(f"the code was not kept (runtime.state): {full}") from full
    except (StoreError, TimeoutError) as error:
        raise errors.service_error(f"the change was not kept: {error or 'the disk did not answer'}") from error
