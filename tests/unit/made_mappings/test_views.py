"""Made mappings that wait, as the status document has them."""

from __future__ import annotations

from pollers.made_mappings.views import waiting_documents
from tests.unit.made_mappings.test_register import QUEUE, Bench, config
from tests.worlds import virtual_time


@virtual_time.test
async def test_what_waits_is_told_with_its_reason() -> None:
    """Only that, and nothing where there is no API."""
    bench = Bench()
    async with bench.running() as register:
        uuid = await bench.made()
        assert waiting_documents([register]) == []
        bench.runtime.follow(config("audit"))
        reason = "function orders is not configured: it runs when it is"
        assert waiting_documents([register]) == [
            {"name": uuid, "source": QUEUE, "function": "orders", "reason": reason}
        ]
    assert waiting_documents([]) == []
