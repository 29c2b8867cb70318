"""``headrace schema``: the JSON Schema of a configuration, for editors."""

from __future__ import annotations

import json

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of CONFIG.

    Editors that know YAML schemas (by a first line `# yaml-language-server: $schema=headrace.schema.json`) then complete and check
    as you type. `headrace check` checks more than a schema can.
    """
    from config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
