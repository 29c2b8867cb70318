"""A function that succeeds at nothing."""


async def handler(event: object, context: object) -> None:
    """Every message is done."""
