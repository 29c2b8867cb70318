"""Whose certificates a cluster is recognised by. A decider.

Amazon's own authorities sign DocumentDB's certificates, and no operating system knows them: ``amazon-rds-ca.pem`` has them.
``tests/unit/sources/documentdb/test_trust.py`` says what is in it, and fails when one of them ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

AMAZON: Final = Path(__file__).with_name("amazon-rds-ca.pem")
"""The authorities of RDS and DocumentDB in the 27 regions that the test names, and Amazon's public ones.

Those of China, of GovCloud and of newer regions are not in it: there a file must be named.
"""


@dataclass(frozen=True, slots=True)
class Trust:
    """The file of trusted authorities, and what says so. ``file`` None: the system's own, or what the URI says."""

    file: str | None
    source: str


SYSTEM: Final = Trust(None, "the system's certificate authorities")
OF_URI: Final = Trust(None, "what connection_uri says about TLS")


def trusted(environ: Mapping[str, str], *, amazon: bool) -> Trust:
    """``AWS_CA_BUNDLE``, then ``SSL_CERT_FILE``; then Amazon's authorities where the cluster is Amazon's, else the system's.

    The first that is set counts alone, as it does for the SDK and for OpenSSL.
    """
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        if environ.get(name):
            return Trust(environ[name], f"{name}={environ[name]}")
    return Trust(str(AMAZON), "Amazon's certificate authorities") if amazon else SYSTEM
