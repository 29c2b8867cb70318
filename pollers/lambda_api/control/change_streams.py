"""What requests about mappings say of change streams: shapes first, as Lambda's model has them (docs/lambda 1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.lambda_api import errors

if TYPE_CHECKING:
    from pollers.lambda_api.control.requests import Members

WATCHED = "DocumentDBEventSourceConfig"
ACCESS = "SourceAccessConfigurations"
DATABASE_PATTERN = r"[^ /\.$\x22]*"
COLLECTION_PATTERN = r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)"
URI_PATTERN = r"[ a-zA-Z0-9-\/*:_+=.@-]*"
FULL_DOCUMENTS = ("UpdateLookup", "Default")
ACCESS_TYPES = (
    *("BASIC_AUTH", "VPC_SUBNET", "VPC_SECURITY_GROUP", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "VIRTUAL_HOST"),
    *("CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH", "OAUTHBEARER_SCOPE"),
    *("OAUTHBEARER_AUDIENCE", "OAUTHBEARER_LOGICAL_CLUSTER", "OAUTHBEARER_IDENTITY_POOL", "IAM_AUTH"),
    "IAM_OAUTHBEARER_AUTH",
)
ACCESS_AT_MOST = 23
"""As the model has them, in its order."""
_PARTS = {"CollectionName": "collectionName", "DatabaseName": "databaseName"}
"""What only a new mapping may say, by what AWS calls it when it refuses."""


def check(members: Members) -> None:
    """Notes every violation of the model; raises ApiError for another type of JSON."""
    watched = members.section(WATCHED)
    if watched is not None:
        watched.text("DatabaseName", pattern=DATABASE_PATTERN, least=1, most=63)
        watched.text("CollectionName", pattern=COLLECTION_PATTERN, least=1, most=57)
        watched.choice("FullDocument", FULL_DOCUMENTS)
    for access in members.sections(ACCESS, most=ACCESS_AT_MOST):
        access.choice("Type", ACCESS_TYPES)
        access.text("URI", pattern=URI_PATTERN, least=1, most=200)


def refuse_changed_parts(members: Members) -> None:
    """Raises ApiError where an update names a database or a collection, also the one that it is: so does AWS."""
    watched = members.section(WATCHED)
    given = [] if watched is None else [called for name, called in _PARTS.items() if watched.given(name)]
    if given:
        raise errors.invalid_parameter(f"Invalid parameters: {', '.join(given)}")
