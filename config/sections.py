"""The sections that may be given once, such as ``aws`` and ``runtime``, and their rules."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from config.lease_tables import pattern_problem
from config.options.outcome import Faulty, Read, Reading
from config.options.shapes import options_of
from config.settings import DEFAULT_CHECKPOINTS, Aws, Console, Http, LambdaApi, Leases, Runtime
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path as FilePath

    from config.faults import Report
    from config.options.model import Model
    from config.options.reader import Reader
    from config.text.nodes import Entry
    from config.text.places import Path

    Rule: TypeAlias = Callable[[Reading, FilePath, Report], None]

SINGLE: dict[str, type[Model]] = {"aws": Aws, "runtime": Runtime, "lambda_api": LambdaApi, "console": Console}
"""Their models, by name."""


def read_section(name: str, entry: Entry, reader: Reader) -> Read[Any]:
    """The section under ``name``."""
    report, model = reader.report, SINGLE[name]
    report.enter((name,), entry.node, (name,), entry.place)
    reading = reader.section(options_of(model), entry.node, (name,), (name,), _misplaced(name))
    if reading is None:
        return Read(None, Reading(faulty={option: Faulty() for option in options_of(model)}))
    # Every rule, whatever is wrong: all faults are told at once.
    for rule in _RULES.get(name, ()):
        rule(reading, reader.folder, report)
    return Read(None if reading.faulty else model(**reading.values), reading)


def with_places(runtime: Runtime | None, folder: FilePath) -> Runtime:
    """The runtime's options; checkpoints and state that are not given are where the defaults say, in CONFIG's ``folder``."""
    runtime = runtime or Runtime()
    places = {}
    if "checkpoints" not in runtime.model_fields_set:
        places["checkpoints"] = f"sqlite:{os.path.abspath(folder / DEFAULT_CHECKPOINTS.removeprefix('sqlite:'))}"
    if "state" not in runtime.model_fields_set:
        places["state"] = os.path.abspath(folder / Runtime().state_folder)
    return runtime.model_copy(update=places)


def _place_checkpoints(reading: Reading, folder: FilePath, report: Report) -> None:
    """Make a checkpoint file's path absolute in place, and check a table's name."""
    text = reading.values.get("checkpoints")
    if text is None:
        return
    scheme, _, rest = text.partition(":")
    message: str | None
    if scheme == "dynamodb":
        message = pattern_problem(rest)
    elif scheme != "sqlite" or not rest or rest.startswith("//") or "\0" in rest or rest == ":memory:":
        message = f"found {quoted(text)}, expected sqlite:PATH or dynamodb:TABLE"
    else:
        reading.values["checkpoints"] = f"sqlite:{os.path.abspath(folder / rest)}"
        message = None
    if message is not None:
        _refuse(reading, report, ("runtime", "checkpoints"), message)


def _leases_have_a_table(reading: Reading, _folder: FilePath, report: Report) -> None:
    """A file has one owner: nothing is shared there."""
    if not reading.sure("checkpoints"):
        return
    text = reading.values.get("checkpoints", DEFAULT_CHECKPOINTS)
    if "leases" not in reading.given or not text.startswith("sqlite:"):
        return
    message = (
        f"found options of leases with checkpoints in {text}, expected checkpoints: dynamodb:TABLE beside them (or no leases): one "
        "process owns a file, replicas share a table"
    )
    _refuse(reading, report, ("runtime", "leases"), message)


def _saves_come_before_failover(reading: Reading, _folder: FilePath, report: Report) -> None:
    leases = reading.values.get("leases")
    if not isinstance(leases, Leases) or leases.interval < leases.failover:
        return
    message = f"found {leases.interval:g}, expected less than failover, which is {leases.failover:g}"
    _refuse(reading, report, ("runtime", "leases", "interval"), message)


def _place_state(reading: Reading, folder: FilePath, report: Report) -> None:
    """Make the state's folder absolute in place."""
    text = reading.values.get("state")
    if text is None:
        return
    path = os.path.abspath(folder / text) if "\0" not in text else None
    if path is None or os.path.isfile(path):
        message = f"found {quoted(text)}, expected a folder, or a path where one can be made"
        _refuse(reading, report, ("runtime", "state"), message)
        return
    reading.values["state"] = path


def _open_address_has_token(reading: Reading, _folder: FilePath, report: Report) -> None:
    """Whoever reaches an address that is not loopback could pause mappings: a token is needed."""
    http = reading.values.get("http")
    if not isinstance(http, Http) or http.token is not None or is_loopback(http.host):
        return
    message = (
        f"found host {http.host} without a token, expected a token of 8 characters or more (or a loopback host such as "
        "127.0.0.1): who reaches that address could pause mappings and read errors"
    )
    _refuse(reading, report, ("runtime", "http"), message)


def _open_address_has_credentials(reading: Reading, _folder: FilePath, report: Report) -> None:
    """Whoever reaches an address that is not loopback could run functions: signatures are needed."""
    if not reading.sure("host", "credentials"):
        return
    host = reading.values.get("host", LambdaApi().host)
    if reading.values.get("credentials") or is_loopback(host):
        return
    message = (
        f"found host {host} without credentials, expected a list of access_key_id and secret_access_key (or a loopback host "
        "such as 127.0.0.1): who reaches that address could run functions"
    )
    _refuse(reading, report, ("lambda_api", "host" if "host" in reading.values else "credentials"), message)


def _account_is_one(reading: Reading, _folder: FilePath, report: Report) -> None:
    account = reading.values.get("account")
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        message = f"found {quoted(account)}, expected an account of 12 digits"
        _refuse(reading, report, ("lambda_api", "account"), message)


def _keys_differ(reading: Reading, _folder: FilePath, report: Report) -> None:
    """A key's id names one secret."""
    seen: set[str] = set()
    for number, pair in enumerate(reading.values.get("credentials", ())):
        if pair.access_key_id in seen:
            message = f"found {quoted(pair.access_key_id)} a second time, expected each access_key_id once"
            _refuse(reading, report, ("lambda_api", "credentials", number, "access_key_id"), message)
            return
        seen.add(pair.access_key_id)


def _proxies_are_networks(reading: Reading, _folder: FilePath, report: Report) -> None:
    for number, text in enumerate(reading.values.get("trusted_proxies", ())):
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            message = f"found {quoted(text)} ({error}), expected an address or a network such as 10.0.0.0/8"
            _refuse(reading, report, ("lambda_api", "trusted_proxies", number), message)


def _refuse(reading: Reading, report: Report, path: Path, message: str) -> None:
    report.fault(path, message)
    reading.refuse(str(path[1]))


_RULES: dict[str, tuple[Rule, ...]] = {
    "runtime": (
        _place_checkpoints,
        _leases_have_a_table,
        _saves_come_before_failover,
        _place_state,
        _open_address_has_token,
    ),
    "lambda_api": (
        _open_address_has_credentials,
        _account_is_one,
        _keys_differ,
        _proxies_are_networks,
    ),
}
"""What a section's options are held to together; a rule may also place what is relative. It goes by what could be read, so that one
wrong option does not hide another, and refuses what it finds wrong."""


def _misplaced(section: str) -> Callable[[str, object], str | None]:
    def explain(key: str, _node: object) -> str | None:
        if section == "runtime" and key == "console":
            return "found a section, expected it at the top level of the file, beside runtime"
        return None

    return explain


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
