"""A function that is never done, so that whatever else is meant for it waits."""

import asyncio


async def handler(event: object, context: object) -> None:
    """Sleep for as long as it may."""
    await asyncio.sleep(900)
