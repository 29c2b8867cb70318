"""Whose certificates are trusted, and what is in the file of Amazon's authorities."""

from __future__ import annotations

import datetime
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from pollers.sources.documentdb.trust import AMAZON, SYSTEM, trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTH = {"AWS_CA_BUNDLE": "/aws.pem", "SSL_CERT_FILE": "/ssl.pem"}
REGIONS = """
    af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2
    ap-southeast-3 ap-southeast-4 ca-central-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2
    eu-west-3 me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
"""


@pytest.mark.parametrize(
    ("environ", "amazon", "file"),
    [
        (BOTH, True, "/aws.pem"),
        ({"SSL_CERT_FILE": "/ssl.pem"}, True, "/ssl.pem"),
        ({"AWS_CA_BUNDLE": "", "SSL_CERT_FILE": ""}, True, str(AMAZON)),
        ({}, True, str(AMAZON)),
        (BOTH, False, "/aws.pem"),
        ({"SSL_CERT_FILE": "/ssl.pem"}, False, "/ssl.pem"),
        ({}, False, None),
    ],
)
def test_the_first_that_is_set_counts(environ: Mapping[str, str], amazon: bool, file: str | None) -> None:
    """AWS_CA_BUNDLE, SSL_CERT_FILE; then Amazon's authorities for Amazon's clusters, the system's for others."""
    assert trusted(environ, amazon=amazon).file == file


def test_it_is_told_which_one_it_was() -> None:
    """For the message when a certificate is not trusted."""
    assert trusted(BOTH, amazon=True).source == "AWS_CA_BUNDLE=/aws.pem"
    assert trusted({}, amazon=False) is SYSTEM


def authorities() -> list[dict[str, Any]]:
    """The authorities in the file, as OpenSSL reads them; certificates of anybody else are not listed."""
    return ssl.create_default_context(cafile=str(AMAZON)).get_ca_certs()


def name_of(authority: dict[str, Any]) -> str:
    """Its common name."""
    return str(next(value for ((key, value), *_) in authority["subject"] if key == "commonName"))


def test_the_file_has_authorities_that_sign_themselves_and_no_others() -> None:
    """Three for each region, with different keys; and Amazon's public ones."""
    found = authorities()
    names = [name_of(one) for one in found]
    assert all(one["issuer"] == one["subject"] for one in found)
    keys = ("RSA2048", "RSA4096", "ECC384")
    expected = {f"Amazon RDS {region} Root CA {key} G1" for region in REGIONS.split() for key in keys}
    starfield = "Starfield Services Root Certificate Authority - G2"
    assert set(names) == expected | {*(f"Amazon Root CA {number}" for number in range(1, 5)), starfield}
    assert len(names) == len(set(names)) == AMAZON.read_text().count("BEGIN CERTIFICATE")


def test_none_of_them_ends_soon() -> None:
    """This fails half a year before the first one ends, in 2037: the file must be renewed then."""
    soon = time.time() + 183 * 24 * 3600
    assert [name_of(one) for one in authorities() if ssl.cert_time_to_seconds(one["notAfter"]) < soon] == []


def test_lines_between_the_certificates_say_what_each_is() -> None:
    """And until when it counts."""
    for one in authorities():
        end = datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(one["notAfter"]), datetime.UTC).date()
        assert f"{name_of(one)}, until {end}\n-----BEGIN" in AMAZON.read_text()
