"""The account as a source."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from config.text.places import Place
from pollers.importing.form import Source, SourceForm, SourceUnreachable, refuse_values
from pollers.importing.local import is_code
from pollers.importing.model import Imported
from pollers.importing.running import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pollers.importing.account.collecting import Account
    from pollers.importing.deployed import Document
    from pollers.importing.form import Request

NAME = "account"
_WHERE = "in AWS_REGION or in the profile"


def imported_account(account: Account, title: str, folders: Mapping[str, Path]) -> Imported:
    """What becomes of an account's resources. ``folders`` are where functions' code is, by name (decider, but for that)."""
    from pollers.importing.account.taking_over import advice, taken_over
    from pollers.importing.deployed import Deployment

    imported = Imported(title)
    deployment = Deployment(imported, _code_finder(folders))
    for document in account.functions:
        deployment.function(document)
    for document in account.invoke_configs:
        deployment.event_invoke_config(document)
    for document in account.urls:
        deployment.function_url(document)
    for document in account.mappings:
        deployment.mapping(taken_over(document))
    for document in account.schedules:
        deployment.schedule(document)
    for rule, targets in account.rules:
        deployment.rule(rule, targets)
    for note in account.notes:
        imported.note(None, "", note)
    imported.advice += advice(account.mappings)
    if imported.advice:
        imported.note(None, "", " ".join(imported.advice))
    imported.note(None, "", "functions that no mapping and no schedule calls are not imported")
    return imported


def _code_finder(folders: Mapping[str, Path]) -> Callable[[Document], Code]:
    def code_of(document: Document) -> Code:
        name = document.text("function_name")
        if document.text("package_type") == "Image":
            return Code(missing="it is an image")
        if name not in folders:
            return Code(missing=f"its code is in AWS (or use --code-folder {name}=PATH)")
        path = folders[name]
        return Code(path) if is_code(path) else Code(missing=f"{path} is not there", expected=True)

    return code_of


def _recognises(source: Source) -> bool:
    return source.text == NAME


def _read(request: Request) -> Imported:
    import anyio

    from handlers.environment import read_profile
    from pollers.aws.errors import AwsError

    refuse_values(request, Place(NAME, 1))
    environ = os.environ
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or read_profile().region
    if not region:
        raise SourceUnreachable(f"found no region, expected one {_WHERE}")
    try:
        account = anyio.run(_collected, region)
    except AwsError as error:
        raise SourceUnreachable(str(error)) from error
    number = next((_account_of(one) for one in (*account.functions, *account.mappings)), "")
    return imported_account(account, f"the account {number} in {region}".replace("  ", " "), request.code_folders)


def _account_of(document: Document) -> str:
    return "".join(document.text("function_arn").split(":")[4:5])


async def _collected(region: str) -> Account:
    from config.settings import Aws
    from pollers.aws.services.clients import AwsClients
    from pollers.importing.account.calls import EVENTS, LAMBDA, SCHEDULER
    from pollers.importing.account.collecting import Collector

    async with AwsClients(Aws()) as aws:
        functions, scheduler = await aws.client(LAMBDA, region), await aws.client(SCHEDULER, region)
        events = await aws.client(EVENTS, region)
        return await Collector(functions, scheduler, events, _told).collected()


def _told(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


ACCOUNT = SourceForm(
    called="the live account",
    looks_like="the word account, and the SDK's credentials",
    recognises=_recognises,
    read=_read,
)
