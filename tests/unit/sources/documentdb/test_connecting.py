"""Where a cluster is, how it is reached, and what is said where it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import parse_arn
from pollers.aws.errors import TEXT_LIMIT, AwsError, Refused, Unavailable
from pollers.sources.documentdb.clusters import Cluster
from pollers.sources.documentdb.connecting import Access, Sticky, _client, place_of_cluster, place_of_uri
from pollers.sources.documentdb.greetings import Greetings
from pollers.sources.documentdb.trust import AMAZON, OF_URI, SYSTEM
from pollers.sources.documentdb.unreachable import explanation
from pollers.sources.documentdb.uri import UriUnusable, read_uri

if TYPE_CHECKING:
    from pymongo.server_description import ServerDescription

ARN = parse_arn("arn:aws:rds:us-east-1:000000000000:cluster:shop")
HOST = "shop.cluster-c.us-east-1.docdb.amazonaws.com"
CLUSTER = Cluster("available", "docdb", "5.0.0", HOST, 27017, "group")
PLACE = place_of_cluster(ARN, CLUSTER, {})
MARKER = "Marker-pass-word-7"


def test_a_clusters_endpoint_is_reached_with_tls_and_amazons_authorities() -> None:
    """As Lambda does."""
    place = place_of_cluster(ARN, CLUSTER, {})
    assert (place.where, place.tls, place.amazon, place.trust.file) == (f"{HOST}:27017", True, True, str(AMAZON))
    assert place.uri == f"mongodb://{HOST}:27017/"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("creating", Unavailable, "when it is available"),
        ("starting", Unavailable, "when it is available"),
        ("stopped", Unavailable, "start it"),
        ("stopping", Unavailable, "start it"),
        ("deleting", Refused, "is deleting"),
    ],
)
def test_a_cluster_that_cannot_be_connected_to_says_its_status(status: str, kind: type[AwsError], words: str) -> None:
    """What may pass is waited for."""
    with pytest.raises(kind, match=words):
        place_of_cluster(ARN, replace(CLUSTER, status=status), {})


@pytest.mark.parametrize("status", ["available", "modifying", "backing-up", "failing-over", "upgrading", "a new word"])
def test_any_other_status_is_tried(status: str) -> None:
    """A cluster that is being changed serves on."""
    assert place_of_cluster(ARN, replace(CLUSTER, status=status), {}).where == f"{HOST}:27017"


def test_another_engine_is_refused() -> None:
    """RDS describes Aurora's clusters by the same call, and their ARNs look alike."""
    with pytest.raises(Refused, match="one of aurora-mysql, not of DocumentDB"):
        place_of_cluster(ARN, replace(CLUSTER, engine="aurora-mysql"), {})


@pytest.mark.parametrize(
    ("uri", "where", "amazon", "tls", "file"),
    [
        ("mongodb://localhost:27017", "localhost:27017", False, False, None),
        ("mongodb://u:p@a:1,b:2/db?replicaSet=rs0", "a:1, b:2", False, False, None),
        (f"mongodb://{HOST}:27017/?tls=true", f"{HOST}:27017", True, True, str(AMAZON)),
        (f"mongodb://{HOST}:27017/?ssl=true", f"{HOST}:27017", True, True, str(AMAZON)),
        (f"mongodb://{HOST}:27017/?tls=true&tlsCAFile=x.pem", f"{HOST}:27017", True, True, None),
        (f"mongodb://{HOST},other:1/?tls=true", f"{HOST}, other:1", False, True, None),
        ("mongodb+srv://cluster.example.net/", "cluster.example.net", False, True, None),
        ("mongodb+srv://cluster.example.net/?tls=false", "cluster.example.net", False, False, None),
    ],
)
def test_a_uri_leads_somewhere(uri: str, where: str, amazon: bool, tls: bool, file: str | None) -> None:
    """Hosts, whether they are Amazon's, and TLS."""
    place = place_of_uri(uri, {}, secret=False)
    assert (place.where, place.amazon, place.tls, place.trust.file) == (where, amazon, tls, file)
    assert MARKER not in repr(Access(arn=ARN, secret_arn=None, connection_uri=f"mongodb://u:{MARKER}@h/"))


def test_what_a_uri_says_about_trust_counts_alone() -> None:
    """Also where the environment names a file."""
    environ = {"SSL_CERT_FILE": "/ssl.pem"}
    assert place_of_uri("mongodb://h/?tls=true&tlsInsecure=true", environ, secret=False).trust is OF_URI
    assert place_of_uri("mongodb://h/?tls=true", environ, secret=False).trust.file == "/ssl.pem"
    assert place_of_uri("mongodb://h/?tls=true", {}, secret=False).trust is SYSTEM


@pytest.mark.parametrize(
    ("host", "secret", "amazon"),
    [
        ("localhost:27018", True, True),
        ("127.0.0.1", True, True),
        ("[::1]:27018", True, True),
        ("localhost:27018", False, False),
        ("mongo.example.net:27018", True, False),
        ("localhost:27018,mongo.example.net", True, False),
    ],
)
def test_a_tunnel_with_a_secrets_user_leads_to_amazons_cluster(host: str, secret: bool, amazon: bool) -> None:
    """Its certificate is Amazon's, though its name is not."""
    place = place_of_uri(
        f"mongodb://{host}/?tls=true&tlsAllowInvalidHostnames=true&authSource=admin", {}, secret=secret
    )
    assert (place.amazon, place.trust.file) == (amazon, str(AMAZON) if amazon else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"http://u:{MARKER}@h/",
        f"mongodb://u:{MARKER}@/",
        f"mongodb://u:{MARKER}@,/",
        f"mongodb://u:{MARKER}/x@h:1/",
        f"mongodb://u:{MARKER}?x@h:1/",
        f"mongodb://u:x@{MARKER}@h:1/",
    ],
)
def test_a_uri_that_cannot_be_read_is_refused_without_a_word_of_it(text: str) -> None:
    """It says what must be: special characters of a password are what goes wrong most."""
    with pytest.raises(UriUnusable, match="%XX") as unusable:
        read_uri(text)
    assert MARKER not in str(unusable.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other error comes out."""
    for given_uri in (text, f"mongodb://{text}", f"mongodb+srv://{text}"):
        try:
            read_uri(given_uri)
        except UriUnusable:
            continue


@dataclass(frozen=True)
class Server:
    """As much of a server as its selection looks at."""

    address: tuple[str, int]
    round_trip_time: float | None = None


def test_calls_stay_on_one_server_for_as_long_as_it_serves() -> None:
    """The nearest first; another when it is gone, and not back again."""
    a, b, c = (
        cast("ServerDescription", Server((name, 1), seconds)) for name, seconds in (("a", 0.5), ("b", 0.1), ("c", 0.2))
    )
    sticky = Sticky()
    assert sticky([]) == []
    assert sticky([a, b, c]) == [b]
    assert sticky([a, c, b]) == [b]
    assert sticky([a, c]) == [c]
    assert sticky([a, b, c]) == [c]


@pytest.mark.parametrize(
    ("cause", "tls", "words"),
    [
        ("h:1: [Errno 111] Connect call failed ('h', 1)", True, "inside its VPC only"),
        ("h:1: timed out (configured timeouts: connectTimeoutMS: 5000.0ms)", True, "must let port 27018 in"),
        ("h:1: [Errno -2] Name or service not known", True, "its name is not known here"),
        ("SSL handshake failed: h:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", True, "trusted are"),
        ("SSL handshake failed: h:1: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)", True, "speak TLS"),
        ("h:1: connection closed", False, "tls=true in connection_uri"),
        ("h:1: connection closed", True, "security group"),
        ("No servers found yet, Timeout: 12s, Topology Description: <...>", True, "does not answer"),
        ("No replica set members match selector Primary()", True, "during a failover"),
        ('No replica set members available for replica set name "nope"', True, "whether replicaSet in connection_uri"),
        ("No primary: not primary, full error: {...}", True, "during a failover"),
    ],
)
def test_what_keeps_a_cluster_from_being_reached_says_what_to_do(cause: str, tls: bool, words: str) -> None:
    """Host and port, the driver's cause without its settings, and advice."""
    said = explanation(replace(PLACE, where="h:27018", tls=tls), [cause, cause])
    assert said.startswith("h:27018 cannot be reached (")
    assert words in said
    assert "configured timeouts" not in said
    assert "full error" not in said
    assert "Topology" not in said
    assert said.count(cause[:10]) == 1


@pytest.mark.parametrize("cause", ["h:1: [SSL: WRONG_VERSION_NUMBER] wrong version number", "No servers found yet"])
def test_a_server_without_tls_is_told_by_how_it_was_named(cause: str) -> None:
    """Who has given a URI is not told to give one."""
    assert "Lambda reads clusters with TLS only" in explanation(PLACE, [cause])
    said = explanation(place_of_uri("mongodb://h/?tls=true", {}, secret=False), [cause])
    assert "Lambda" not in said
    assert "leave tls out of connection_uri" in said


@pytest.mark.parametrize("environ", [{}, {"AWS_CA_BUNDLE": "/etc/ssl/certs/" + "x" * 60}])
def test_whom_a_certificate_must_be_of_is_told_for_each_kind_of_server_and_whole(environ: dict[str, str]) -> None:
    """Amazon's authorities are of no use to others; and an error keeps as much text as this."""
    cause = f"{HOST}:27017: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
    amazons = explanation(place_of_cluster(ARN, CLUSTER, environ), [cause])
    own = explanation(place_of_uri(f"mongodb://h.{'x' * 40}/?tls=true", environ, secret=False), [cause])
    assert ("Amazon's authorities to it" if environ else "GovCloud") in amazons
    assert "Amazon" not in own
    assert own.endswith("or SSL_CERT_FILE")
    assert max(map(len, (amazons, own))) < TEXT_LIMIT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("nosuchoption=1&replicaSet=rs0", "its option nosuchoption: Unknown option"),
        ("replicaSet=rs0&tls=maybe", "its option tls: The value of tls must be 'true' or 'false'"),
        (f"authMechanismProperties={MARKER}:x", "its option authMechanismProperties is not valid"),
    ],
)
def test_an_option_that_the_driver_does_not_take_is_named(options: str, words: str) -> None:
    """Also where the URI has a user; but never the value of a secret one."""
    place = place_of_uri(f"mongodb://user:{MARKER}@h/?{options}", {}, secret=False)
    with pytest.raises(Refused) as refused:
        _client(place, None, Greetings())
    assert words in str(refused.value)
    assert MARKER not in str(refused.value)


def test_only_amazons_clusters_are_inside_a_vpc() -> None:
    """Another server may be anywhere."""
    causes = ["h:1: timed out"]
    assert "VPC" in explanation(PLACE, causes)
    assert "VPC" not in explanation(replace(PLACE, amazon=False), causes)
