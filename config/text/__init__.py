"""From the text of files to values with their places: YAML, JSON, variables from the environment, ARNs.

Imports nothing of Headrace.
"""

from config.text.arns import Arn, domain_of, parse_arn, partition_of
from config.text.encoding import decoded
from config.text.interpolation import interpolate
from config.text.json_text import parse_json
from config.text.nodes import (
    JSON_NUMBER,
    Entry,
    Node,
    Scalar,
    Sequence,
    Table,
    Unparsable,
    describe,
    is_faulty,
    is_null,
    is_unset,
    quoted,
    walk,
)
from config.text.places import Path, Place, dotted
from config.text.yaml_text import parse_yaml

__all__ = [
    "JSON_NUMBER",
    "Arn",
    "Entry",
    "Node",
    "Path",
    "Place",
    "Scalar",
    "Sequence",
    "Table",
    "Unparsable",
    "decoded",
    "describe",
    "domain_of",
    "dotted",
    "interpolate",
    "is_faulty",
    "is_null",
    "is_unset",
    "parse_arn",
    "parse_json",
    "parse_yaml",
    "partition_of",
    "quoted",
    "walk",
]
