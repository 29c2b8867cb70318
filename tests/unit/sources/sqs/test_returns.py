"""Messages go back when they should, in order, and whatever fails costs time and never a message."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AccessDenied, Unavailable
from pollers.sources.sqs.message import Phase
from pollers.telemetry.facts import Expired, Returned
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pollers.aws.api import EntryFailed
    from pollers.sources.sqs.message import Held


def after(messages: list[Held], seconds: int | None) -> dict[str, int | None]:
    return {message.id: seconds for message in messages}


@virtual_time.test
async def test_each_message_is_seen_again_after_its_own_delay() -> None:
    """One call for both; what is left alone needs none."""
    async with Rig().running() as rig:
        now, later, left = await rig.receive(3)
        seconds = {now.id: 0, later.id: 60, left.id: None}
        await rig.returns.hand_back([now, later, left], seconds, "it failed", in_order=False)

        assert (rig.visible_in(now), rig.visible_in(later), rig.visible_in(left)) == (0, 60, 30)
        assert [call.seconds for call in rig.api.changes] == [[0, 60]]
        assert {fact.delay_seconds: fact.ids for fact in rig.of_kind(Returned)} == {
            None: [left.id],
            0: [now.id],
            60: [later.id],
        }
        assert len(rig.held) == 0


@virtual_time.test
async def test_the_messages_of_a_group_go_back_one_call_after_the_other() -> None:
    """None may overtake the one ahead of it: the second ten wait for the reply to the first."""
    async with Rig(Queue("orders.fifo")).running() as rig:
        messages = await rig.receive(10, group="a")
        messages += await rig.receive(5, group="b")
        rig.api.answers.append(3.0)
        await rig.returns.hand_back(messages, after(messages, 0), "it failed", in_order=True)

    first, second = rig.api.changes
    assert [first.handles, second.handles] == [
        [message.handle for message in messages[:10]],
        [message.handle for message in messages[10:]],
    ]
    assert second.at == first.at + 3


@virtual_time.test
async def test_without_an_order_the_calls_go_side_by_side() -> None:
    """A slow reply holds up nothing but its own ten."""
    async with Rig().running() as rig:
        messages = await rig.receive(25)
        rig.api.answers.extend([3.0, 3.0, 3.0])
        began = anyio.current_time()
        await rig.returns.hand_back(messages, after(messages, 0), "it failed", in_order=False)

        assert anyio.current_time() == began + 3
    assert len(rig.api.changes) == 3


@virtual_time.test
async def test_an_entry_that_fails_is_tried_again_alone() -> None:
    """The others of its call are through."""
    async with Rig().running() as rig:
        one, two, three = await rig.receive(3)
        rig.api.answers.append([1])
        await rig.returns.hand_back([one, two, three], after([one, two, three], 5), "it failed", in_order=False)

        assert 4 <= rig.visible_in(two) <= 5
    assert [call.handles for call in rig.api.changes] == [[one.handle, two.handle, three.handle], [two.handle]]
    assert [sorted(fact.ids) for fact in rig.of_kind(Returned)] == [sorted([one.id, three.id]), [two.id]]


@virtual_time.test
async def test_a_delay_counts_from_the_end_of_the_invocation() -> None:
    """Tries that fail do not prolong it."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        due_at = anyio.current_time() + 10
        rig.api.answers.extend([(2.0, Unavailable("Timeout"))] * 3)
        await rig.returns.hand_back([message], {message.id: 10}, "it failed", in_order=False)

        assert abs(anyio.current_time() + rig.visible_in(message) - due_at) < 1


@virtual_time.test
async def test_a_handle_that_is_no_longer_valid_is_counted_as_expired() -> None:
    """Somebody else has the message, so we did not return it."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        del rig.queue.handles[message.handle]
        await rig.returns.hand_back([message], {message.id: 5}, "it failed", in_order=False)

    assert [fact.ids for fact in rig.of_kind(Expired)] == [[message.id]]
    assert not rig.of_kind(Returned)


@virtual_time.test
async def test_after_four_tries_a_message_is_left_to_its_visibility_timeout() -> None:
    """It comes back by itself."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        rig.api.answers.extend([Unavailable("ServiceUnavailable")] * 4)
        await rig.returns.hand_back([message], {message.id: 5}, "it failed", in_order=False)

    assert len(rig.api.changes) == 4
    assert [fact.delay_seconds for fact in rig.of_kind(Returned)] == [None]
    assert len(rig.held) == 0


@virtual_time.test
async def test_without_permission_one_try_is_enough() -> None:
    """The next one would be refused as well."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        rig.api.answers.append(AccessDenied("AccessDenied"))
        await rig.returns.hand_back([message], {message.id: 5}, "it failed", in_order=False)

    assert len(rig.api.changes) == 1
    assert [fact.delay_seconds for fact in rig.of_kind(Returned)] == [None]


@virtual_time.test
async def test_what_lapses_between_two_tries_is_counted_as_expired() -> None:
    """Its time was over before we could say when it is to be seen."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1, hidden_seconds=2)
        await anyio.sleep(1.95)
        rig.api.answers.append(Unavailable("ServiceUnavailable"))
        await rig.returns.hand_back([message], {message.id: 5}, "it failed", in_order=False)

    assert [fact.ids for fact in rig.of_kind(Expired)] == [[message.id]]
    assert len(rig.api.changes) == 1


@virtual_time.test
async def test_what_is_received_again_before_the_reply_to_its_return_is_held_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The return has come true, and the reply says nothing of the message that came then."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        change = rig.api.change_visibility

        async def change_and_reply_late(url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
            refused = await change(url, entries)
            await anyio.sleep(2)
            return refused

        monkeypatch.setattr(rig.api, "change_visibility", change_and_reply_late)
        async with anyio.create_task_group() as group:
            group.start_soon(partial(rig.returns.hand_back, in_order=False), [message], {message.id: 0}, "it failed")
            await settle()
            rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)

        (anew,) = rig.held.all()
        assert anew is not message
    assert not rig.of_kind(Returned)


@virtual_time.test
async def test_what_is_received_again_before_its_return_is_not_returned() -> None:
    """While an extension is waited for, the message comes anew, and is then one like any other."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        rig.spawn(rig.heartbeat.run, lambda _: None)
        rig.api.answers.append(2.0)
        await anyio.sleep(16)

        async def hand_back() -> None:
            await rig.returns.hand_back([message], {message.id: 5}, "it failed", in_order=False)

        async with anyio.create_task_group() as group:
            group.start_soon(hand_back)
            await settle()
            rig.queue.show_again(rig.queue.messages[message.id])
            rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)

        (anew,) = rig.held.all()
        assert (anew is message, anew.phase, message.phase) == (False, Phase.WAITING, Phase.GONE)
    assert [call.seconds for call in rig.api.changes] == [[30]], "the extension, and nothing else"
