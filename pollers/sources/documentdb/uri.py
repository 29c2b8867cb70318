"""What a ``connection_uri`` says, as far as Headrace needs to know it before the driver does. A decider.

Nothing here, not even an error, shows user or password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

_SCHEMES: Final = ("mongodb://", "mongodb+srv://")
_OWN_TRUST: Final = frozenset(
    {"tlscafile", "ssl_ca_certs", "tlsinsecure", "tlsallowinvalidcertificates", "ssl_cert_reqs"}
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_YES: Final = ("true", "1")
FORM: Final = (
    "it must be mongodb://USER:PASSWORD@HOST:PORT,.../?OPTION=VALUE&... (or mongodb+srv://), with every special character of user "
    "and password written as %XX"
)


class UriUnusable(ValueError):  # noqa: N818 - named as SourceUnusable is
    """The text is no URI of MongoDB. The message says what must be, never what is."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A ``connection_uri``."""

    hosts: tuple[str, ...]
    """``HOST`` or ``HOST:PORT``, as given. That of ``mongodb+srv`` is the name of a DNS record."""
    has_user: bool
    tls: bool
    """Whether connections are encrypted."""
    own_trust: bool
    """Whether it says itself whom to trust, or that anybody is trusted."""
    secret: bool
    """Whether it may hold what must not be shown."""
    options: frozenset[str]
    """The names of its options, in lower case."""

    @property
    def amazon(self) -> bool:
        """Whether all hosts are those of Amazon DocumentDB."""
        return all(is_amazon(host) for host in self.hosts)

    @property
    def loopback(self) -> bool:
        """Whether all hosts are this machine, as the near end of a tunnel is."""
        return all(host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK for host in self.hosts)


def is_amazon(host: str) -> bool:
    """Whether a host, with its port or without, is one of Amazon DocumentDB's."""
    name = host.rpartition(":")[0] or host
    return (".docdb." in name or ".docdb-elastic." in name) and (name.endswith((".amazonaws.com", ".amazonaws.com.cn")))


def is_secret(option: str) -> bool:
    """Whether the value of an option, by its name, may hold what must not be shown."""
    return "password" in option.lower() or option.lower() == "authmechanismproperties"


def read_uri(text: str) -> Uri:
    """What the URI says. Raises UriUnusable."""
    scheme = next((one for one in _SCHEMES if text.startswith(one)), None)
    if scheme is None:
        raise UriUnusable(f"connection_uri is no URI of MongoDB: {FORM}")
    authority, _, rest = text[len(scheme) :].partition("/")
    user, has_user, hosts = authority.rpartition("@")
    if not hosts.strip(",") or "@" in rest or "@" in user or "?" in authority:
        # A special character of the password may have ended the authority too early: what looks like a host may be part of it.
        raise UriUnusable(f"connection_uri cannot be read: {FORM}")
    options = _options(rest.partition("?")[2])
    encrypted = options.get("tls", options.get("ssl", "true" if scheme == _SCHEMES[1] else "false"))
    return Uri(
        tuple(host for host in hosts.split(",") if host),
        bool(has_user) or options.get("authmechanism", "").upper() in ("MONGODB-X509", "MONGODB-AWS", "MONGODB-OIDC"),
        encrypted.lower() in _YES or any(name.startswith("tls") and name != "tls" for name in options),
        not _OWN_TRUST.isdisjoint(options),
        bool(has_user) or any(map(is_secret, options)),
        frozenset(options),
    )


def _options(query: str) -> dict[str, str]:
    return {unquote(name).lower(): value for name, value in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}
