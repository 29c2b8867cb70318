"""What a receive brought: held once, by its newest handle, and handed on to where it belongs."""

from __future__ import annotations

import anyio

from pollers.sources.sqs.intake import Intake
from pollers.telemetry.facts import Expired, Filtered, Received, Returned
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


class OnlyGood:
    """Stands for a filter: matches bodies that begin with ``good``."""

    def matches(self, record: dict[str, object]) -> bool:
        return str(record["Body"]).startswith("good")


def take_again(rig: Rig, message_id: str) -> None:
    """The service delivers a message that is held."""
    rig.queue.show_again(rig.queue.messages[message_id])
    rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)


@virtual_time.test
async def test_what_came_is_held_and_waits() -> None:
    """Hidden from the moment that is given."""
    async with Rig().running() as rig:
        messages = await rig.receive(3)

        assert [message.deadline - anyio.current_time() for message in messages] == [30, 30, 30]
        assert (len(rig.held), rig.waiting.count) == (3, 3)
        assert sorted(rig.of_kind(Received)[0].ids) == sorted(message.id for message in messages)


@virtual_time.test
async def test_a_message_that_comes_again_is_held_once_by_its_newest_handle() -> None:
    """Only the newest handle deletes it; the delivery before is counted as expired."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        before = message.handle
        message.lost = True
        await anyio.sleep(5)
        take_again(rig, message.id)

        assert (len(rig.held), rig.waiting.count) == (1, 1)
        assert message.handle != before
        assert (message.receive_count, message.lost) == (2, False)
        assert message.deadline == anyio.current_time() + 30
    assert [fact.ids for fact in rig.of_kind(Expired)] == [[message.id]]


@virtual_time.test
async def test_what_no_filter_matches_is_deleted_without_an_invocation() -> None:
    """It is counted as filtered."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        intake = Intake(rig.context, OnlyGood(), rig.waiting, rig.heartbeat, rig.deletes, rig.settling)  # type: ignore[arg-type]
        good, bad = rig.queue.put("good"), rig.queue.put("bad")
        intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)
        await anyio.sleep(1)

    assert list(rig.queue.messages) == [good]
    assert [fact.ids for fact in rig.of_kind(Filtered)] == [[bad]]
    assert rig.waiting.count == 1


@virtual_time.test
async def test_what_no_event_can_carry_fails_on_arrival() -> None:
    """On a standard queue it holds up nothing."""
    async with Rig().running() as rig:
        large, small = rig.queue.put("x" * 7_000_000), rig.queue.put("order")
        rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)
        await settle()

    assert [message.id for message in rig.held.all()] == [small]
    assert [fact.ids for fact in rig.of_kind(Returned)] == [[large]]
    assert "can never be delivered" in rig.of_kind(Returned)[0].reason


@virtual_time.test
async def test_the_size_of_messages_is_observed() -> None:
    """The mean moves slowly with what comes."""
    async with Rig().running() as rig:
        await rig.receive(1)
        first = rig.context.observed.mean_bytes
        rig.queue.put("x" * 10_000)
        rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)

        assert first < rig.context.observed.mean_bytes < 3_000
