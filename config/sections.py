"""The sections that may be given once, such as ``aws`` and ``runtime``, and their rules."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from config.lease_tables import pattern_problem
from config.options.shapes import options_of
from config.settings import DEFAULT_CHECKPOINTS, Aws, Console, Http, LambdaApi, Leases, Runtime
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path as FilePath

    from config.faults import Report
    from config.options.model import Model
    from config.options.reader import Reader

    Rule: TypeAlias = Callable[[dict[str, Any], FilePath, Report], bool]
    from config.text.nodes import Entry

SINGLE: dict[str, type[Model]] = {"aws": Aws, "runtime": Runtime, "lambda_api": LambdaApi, "console": Console}
"""Their models, by name."""


def read_section(name: str, entry: Entry, reader: Reader) -> Any:  # noqa: ANN401 - an instance of the section's model
    """The section under ``name``, or None after a fault."""
    report, model = reader.report, SINGLE[name]
    report.enter((name,), entry.node, (name,), entry.place)
    reading = reader.section(options_of(model), entry.node, (name,), (name,), _misplaced(name))
    if reading is None or reading.faulty:
        return None
    # Every rule, also after one that found something: all faults are told at once.
    sound = [rule(reading.values, reader.folder, report) for rule in _RULES.get(name, ())]
    if not all(sound):
        return None
    return model(**reading.values)


def with_places(runtime: Runtime | None, folder: FilePath) -> Runtime:
    """The runtime's options; checkpoints and state that are not given are where the defaults say, in CONFIG's ``folder``."""
    runtime = runtime or Runtime()
    places = {}
    if "checkpoints" not in runtime.model_fields_set:
        places["checkpoints"] = f"sqlite:{os.path.abspath(folder / DEFAULT_CHECKPOINTS.removeprefix('sqlite:'))}"
    if "state" not in runtime.model_fields_set:
        places["state"] = os.path.abspath(folder / Runtime().state_folder)
    return runtime.model_copy(update=places)


def _place_checkpoints(values: dict[str, Any], folder: FilePath, report: Report) -> bool:
    """Make a checkpoint file's path absolute in place, and check a table's name; False after a fault."""
    text = values.get("checkpoints")
    if text is None:
        return True
    scheme, _, rest = text.partition(":")
    message: str | None
    if scheme == "dynamodb":
        message = pattern_problem(rest)
    elif scheme != "sqlite" or not rest or rest.startswith("//") or "\0" in rest or rest == ":memory:":
        message = f"found {quoted(text)}, expected sqlite:PATH or dynamodb:TABLE"
    else:
        values["checkpoints"] = f"sqlite:{os.path.abspath(folder / rest)}"
        message = None
    if message is None:
        return True
    report.fault(("runtime", "checkpoints"), message)
    return False


def _leases_have_a_table(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    """A file has one owner: nothing is shared there. False after a fault."""
    text = values.get("checkpoints", DEFAULT_CHECKPOINTS)
    if "leases" not in values or not text.startswith("sqlite:"):
        return True
    message = (
        f"found options of leases with checkpoints in {text}, expected checkpoints: dynamodb:TABLE beside them (or no leases): one "
        "process owns a file, replicas share a table"
    )
    report.fault(("runtime", "leases"), message)
    return False


def _saves_come_before_failover(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    leases = values.get("leases")
    if not isinstance(leases, Leases) or leases.interval < leases.failover:
        return True
    message = f"found {leases.interval:g}, expected less than failover, which is {leases.failover:g}"
    report.fault(("runtime", "leases", "interval"), message)
    return False


def _place_state(values: dict[str, Any], folder: FilePath, report: Report) -> bool:
    """Make the state's folder absolute in place; False after a fault."""
    text = values.get("state")
    if text is None:
        return True
    path = os.path.abspath(folder / text) if "\0" not in text else None
    if path is None or os.path.isfile(path):
        report.fault(("runtime", "state"), f"found {quoted(text)}, expected a folder, or a path where one can be made")
        return False
    values["state"] = path
    return True


def _open_address_has_token(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    """Whoever reaches an address that is not loopback could pause mappings: a token is needed. False after a fault."""
    http = values.get("http")
    if not isinstance(http, Http) or http.token is not None or is_loopback(http.host):
        return True
    message = (
        f"found host {http.host} without a token, expected a token of 8 characters or more (or a loopback host such as "
        "127.0.0.1): who reaches that address could pause mappings and read errors"
    )
    report.fault(("runtime", "http"), message)
    return False


def _open_address_has_credentials(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    """Whoever reaches an address that is not loopback could run functions: signatures are needed. False after a fault."""
    host = values.get("host", LambdaApi().host)
    if values.get("credentials") or is_loopback(host):
        return True
    message = (
        f"found host {host} without credentials, expected a list of access_key_id and secret_access_key (or a loopback host "
        "such as 127.0.0.1): who reaches that address could run functions"
    )
    report.fault(("lambda_api", "host" if "host" in values else "credentials"), message)
    return False


def _account_is_one(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    account = values.get("account")
    if account is None or re.fullmatch(r"[0-9]{12}", account):
        return True
    report.fault(("lambda_api", "account"), f"found {quoted(account)}, expected an account of 12 digits")
    return False


def _keys_differ(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    """A key's id names one secret. False after a fault."""
    seen: set[str] = set()
    for number, pair in enumerate(values.get("credentials", ())):
        if pair.access_key_id in seen:
            message = f"found {quoted(pair.access_key_id)} a second time, expected each access_key_id once"
            report.fault(("lambda_api", "credentials", number, "access_key_id"), message)
            return False
        seen.add(pair.access_key_id)
    return True


def _proxies_are_networks(values: dict[str, Any], _folder: FilePath, report: Report) -> bool:
    sound = True
    for number, text in enumerate(values.get("trusted_proxies", ())):
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            message = f"found {quoted(text)} ({error}), expected an address or a network such as 10.0.0.0/8"
            report.fault(("lambda_api", "trusted_proxies", number), message)
            sound = False
    return sound


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
"""What a section's options are held to together; a rule may also place what is relative. Each returns False after a fault."""


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
