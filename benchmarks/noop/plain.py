"""A function that succeeds at nothing, for runtimes that want a plain ``def``."""


def handler(event: object, context: object) -> None:
    """Every message is done."""
