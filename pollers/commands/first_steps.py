"""What to do first, for whoever starts Headrace where there is no configuration."""

from __future__ import annotations

from pathlib import Path

DEFAULT_CONFIG = Path("headrace.yaml")
"""Where the commands look unless they are told."""

FIRST_STEPS = """\
There is no headrace.yaml in this folder. It says which queue or stream goes to which function, for example:

  functions:
    orders: {code: ./orders, handler: app.handler}      # ./orders/app.py: def handler(event, context): ...
  event_source_mappings:
    orders: {event_source_arn: "arn:aws:sqs:eu-west-1:123456789012:orders", function_name: orders}
  # aws: {endpoint_url: "http://localhost:4566"}        # for LocalStack or another emulator

Then `headrace check` says whether it can be used, `headrace check --online` whether AWS agrees, and `headrace run` runs it.
`headrace demo` shows the whole thing on embedded emulators, without any account. `headrace run PATH` takes another file or folder.
"""


def first_steps() -> str:
    """What to do in this folder without the default configuration: name the file that is there, or write one."""
    for name in ("headrace.yml", "headrace.json"):
        if Path(name).is_file():
            return f"There is a {name}: name it, as in `headrace check {name}`.\n"
    return FIRST_STEPS


def is_first_step(path: object) -> bool:
    """Whether the configuration is looked for where it is by default, and there is none."""
    return Path(str(path)) == DEFAULT_CONFIG and not DEFAULT_CONFIG.exists()
