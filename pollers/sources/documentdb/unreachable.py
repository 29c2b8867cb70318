"""Why a cluster cannot be reached, and what to do about it. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pollers.sources.documentdb.trust import AMAZON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.sources.documentdb.connecting import Place

_TEXT_LIMIT = 200
_NO_TLS: Final = {
    True: "does not speak TLS: leave tls out of connection_uri, or let the server speak it",
    False: "does not speak TLS: Lambda reads clusters with TLS only (the cluster's parameter tls); for other servers give "
    "connection_uri",
}
"""Of a place that a URI gives, and of a cluster that RDS has told."""
_AMAZONS: Final = (
    "China, GovCloud and newer regions have others: name their file by AWS_CA_BUNDLE or SSL_CERT_FILE, or as tlsCAFile in "
    "connection_uri"
)
_OTHERS_FOR_AMAZON: Final = "unset that, or add Amazon's authorities to it, from {amazon}"
_OWN: Final = "name the file of its authority as tlsCAFile in connection_uri, or by AWS_CA_BUNDLE or SSL_CERT_FILE"
_NETWORK: Final = "check host and port, and that this machine can reach them{vpc}"
_VPC: Final = ": a DocumentDB cluster has addresses inside its VPC only, and its security group must let port {port} in"
_CAUSES: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (
        ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "doesn't match", "Hostname mismatch"),
        "its certificate is another host's, or not of an authority that is trusted; trusted are {trust}: {authorities}",
    ),
    (
        ("WRONG_VERSION_NUMBER", "wrong version number", "UNEXPECTED_EOF", "EOF occurred", "record layer failure"),
        "it {no_tls}",
    ),
    (
        (
            "getaddrinfo",
            "Name or service not known",
            "nodename nor servname",
            "No address associated",
            "name resolution",
            "DNS",
            "nameservers",
            "resolution lifetime",
        ),
        "its name is not known here: " + _NETWORK,
    ),
    (
        ("connection closed", "already closed", "closed by peer", "reset"),
        "it closed the connection: {closed}",
    ),
    (("No servers found yet",), "it does not answer, or {mute}"),
    (
        ("for replica set name",),
        "no server says that it is one of that set: see whether replicaSet in connection_uri is right; during a failover it passes",
    ),
    (("No replica set members", "No primary"), "no server is the primary now, as during a failover, which passes"),
)
_WANTS_TLS: Final = "waits to be spoken to with TLS (tls=true in connection_uri)"
_CLOSED: Final = {
    True: _NETWORK,
    False: "a server that wants TLS does so when it is spoken to without (tls=true in connection_uri)",
}


def explanation(place: Place, causes: Iterable[str]) -> str:
    """What is said of servers that cannot be reached. ``causes``: what went wrong at each, in the driver's words."""
    said = (_short(cause).removeprefix(f"{place.where}: ") for cause in causes)
    cause = "; ".join(dict.fromkeys(said)) or "no server answered in time"
    advice = next((advice for words, advice in _CAUSES if any(word in cause for word in words)), _NETWORK)
    port = place.where.rpartition(":")[2]
    vpc = _VPC.format(port=port if port.isdigit() else "27017") if place.amazon else ""
    what_to_do = advice.format(
        trust=place.trust.source,
        authorities=_authorities(place),
        no_tls=_NO_TLS[place.of_uri],
        closed=_CLOSED[place.tls].format(vpc=vpc),
        mute=_NO_TLS[place.of_uri] if place.tls else _WANTS_TLS,
        vpc=vpc,
    )
    return f"{place.where} cannot be reached ({cause}): {what_to_do}"


def _authorities(place: Place) -> str:
    if not place.amazon:
        return _OWN
    return _AMAZONS if place.trust.file == str(AMAZON) else _OTHERS_FOR_AMAZON.format(amazon=AMAZON)


def _short(cause: str) -> str:
    """The driver's words without the settings and the picture of all servers that it adds."""
    for added in (" (configured timeouts", ", Timeout: ", ", full error: ", " (_ssl.c"):
        cause = cause.partition(added)[0]
    return cause[:_TEXT_LIMIT]
