"""What is held stays hidden: by deadline, ten at a time, and never against a delete or a retry delay."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import AccessDenied, Unavailable
from pollers.engine.failures import taken_apart
from pollers.sources.sqs.message import Phase
from pollers.sources.sqs.visibility import Hold
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.message import Held


def beat(rig: Rig) -> list[Held]:
    """Start the heartbeat; the list fills with the messages that lapse."""
    lapsed: list[Held] = []

    def note(messages: Sequence[Held]) -> None:
        lapsed.extend(messages)

    rig.spawn(rig.heartbeat.run, note)
    return lapsed


@virtual_time.test
async def test_messages_are_extended_when_half_of_their_time_is_left() -> None:
    """Wherever they are on their way: waiting, with the function, or to be deleted."""
    async with Rig().running() as rig:
        messages = await rig.receive(3)
        messages[1].phase, messages[2].phase = Phase.RUNNING, Phase.DELETING
        began = anyio.current_time()
        beat(rig)
        await anyio.sleep(16)

    assert [call.at - began for call in rig.api.changes] == [15]
    assert rig.api.changes[0].seconds == [30, 30, 30]
    assert {message.deadline - began for message in messages} == {45}


@virtual_time.test
async def test_extensions_go_ten_at_a_time() -> None:
    """As many as a call takes, and the calls side by side."""
    async with Rig().running() as rig:
        await rig.receive(25)
        rig.api.answers.extend([0.5] * 3)
        beat(rig)
        await anyio.sleep(16)

    assert sorted(len(call.handles) for call in rig.api.changes) == [5, 10, 10]
    assert len({call.at for call in rig.api.changes}) == 1


@virtual_time.test
async def test_nothing_is_extended_once_its_delete_is_under_way() -> None:
    """The extension would find no message, and look like a lost claim."""
    async with Rig().running() as rig:
        deleted, other = await rig.receive(2)
        lapsed = beat(rig)
        await anyio.sleep(14)
        rig.api.answers.append(5.0)
        rig.deletes.put([deleted])
        rig.spawn(rig.deletes.run)
        await anyio.sleep(10)

    assert [call.handles for call in rig.api.changes] == [[other.handle]]
    assert not lapsed


@virtual_time.test
async def test_a_delete_waits_for_an_extension_that_is_under_way() -> None:
    """Else the two calls could overtake each other."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        beat(rig)
        rig.api.answers.append(2.0)
        await anyio.sleep(16)
        rig.deletes.put([message])
        rig.spawn(rig.deletes.run)
        await anyio.sleep(5)

    assert rig.api.deletes[0].at == rig.api.changes[0].at + 2


@virtual_time.test
async def test_a_retry_delay_is_never_overwritten() -> None:
    """A message on its way back is not extended, however long that takes."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        beat(rig)
        rig.api.answers.append(10.0)
        await anyio.sleep(14)
        await rig.returns.hand_back([message], {message.id: 300}, "it failed", in_order=False)

        assert rig.visible_in(message) == 300
    assert [call.seconds for call in rig.api.changes] == [[300]]


@virtual_time.test
async def test_a_stale_handle_ends_the_claim() -> None:
    """Somebody else has the message: it is lost, and reported so that it is not started."""
    async with Rig().running() as rig:
        ours, lost = await rig.receive(2)
        del rig.queue.handles[lost.handle]
        lapsed = beat(rig)
        await anyio.sleep(16)

    assert lapsed == [lost]
    assert (ours.lost, lost.lost) == (False, True)


@virtual_time.test
async def test_a_failed_extension_is_tried_again_before_the_time_is_over() -> None:
    """Half of the time is left for further tries."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        began = anyio.current_time()
        rig.api.answers.extend([Unavailable("ServiceUnavailable"), [0]])
        lapsed = beat(rig)
        await anyio.sleep(29)

    assert len(rig.api.changes) == 3
    assert rig.api.changes[-1].at - began < 22
    assert message.deadline > began + 30
    assert not lapsed


@virtual_time.test
async def test_where_extensions_are_denied_but_not_needed_the_poller_goes_on() -> None:
    """Lambda's own permissions do not include them."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        rig.api.answers.append(AccessDenied("AccessDenied"))
        lapsed = beat(rig)
        await anyio.sleep(31)

        assert rig.heartbeat.denied
        assert rig.heartbeat.visibility_of_receive(20) == 30
    assert len(rig.api.changes) == 1
    assert lapsed == [message]
    assert not rig.died


@virtual_time.test
async def test_where_extensions_are_needed_and_denied_the_heartbeat_dies() -> None:
    """Messages would be seen by others while they run, so the poller has to stop."""
    async with Rig(needed=True).running() as rig:
        await rig.receive(1)
        rig.api.answers.append(AccessDenied("AccessDenied"))
        beat(rig)
        await anyio.sleep(16)

    assert isinstance(taken_apart(rig.died[0]).cause, AccessDenied)


@pytest.mark.parametrize("heartbeat", [True, False])
@virtual_time.test
async def test_a_brief_visibility_is_lengthened_to_what_the_others_have(*, heartbeat: bool) -> None:
    """With a heartbeat or without: it was brief only for the case of a stop."""
    async with Rig(visibility={"heartbeat": heartbeat}).running() as rig:
        rig.queue.put("order")
        rig.intake.take(rig.queue.pick(10, 10), anyio.current_time(), 10, brief=True)
        began = anyio.current_time()
        beat(rig)
        await anyio.sleep(5)
        (message,) = rig.held.all()

    # It is not extended beyond what the others have: a return that leaves it alone needs no call.
    assert (message.brief, message.extended, message.deadline - began) == (False, False, 30)
    assert [(call.at - began, call.seconds) for call in rig.api.changes] == [(4, [26])]


@virtual_time.test
async def test_without_a_heartbeat_a_deadline_that_passes_is_noticed() -> None:
    """And nothing is asked of the service."""
    async with Rig(visibility={"heartbeat": False}).running() as rig:
        (message,) = await rig.receive(1)
        lapsed = beat(rig)
        await anyio.sleep(29)
        assert not lapsed
        await anyio.sleep(2)

    assert lapsed == [message]
    assert not rig.api.changes


@virtual_time.test
async def test_a_changed_timeout_is_followed_at_once() -> None:
    """Messages that have less time than half of the new one are extended now."""
    async with Rig().running() as rig:
        await rig.receive(1)
        beat(rig)
        await settle()
        rig.heartbeat.follow(Hold(120, 120), needed=False)
        await settle()

    assert [call.seconds for call in rig.api.changes] == [[120]]


@virtual_time.test
async def test_short_timeouts_leave_time_for_several_tries() -> None:
    """However many have failed: the pauses do not grow beyond an eighth of the time."""
    async with Rig(hold=Hold(8, 8)).running() as rig:
        await rig.receive(1, hidden_seconds=8)
        rig.api.answers.extend([Unavailable("ServiceUnavailable")] * 4)
        beat(rig)
        await anyio.sleep(8)

    sent = [call.at for call in rig.api.changes]
    assert len(sent) >= 4
    assert all(later - earlier <= 1 for earlier, later in pairwise(sent[:4]))


@virtual_time.test
async def test_a_success_ends_the_growth_of_pauses() -> None:
    """The next failure is tried again as soon as the first one was."""
    async with Rig().running() as rig:
        await rig.receive(1)
        trouble = Unavailable("ServiceUnavailable")
        rig.api.answers.extend([trouble, trouble, trouble, None, trouble])
        beat(rig)
        await anyio.sleep(40)

    assert rig.api.changes[5].at - rig.api.changes[4].at <= 0.5


@virtual_time.test
async def test_a_slow_extension_is_given_up_in_time_for_another() -> None:
    """After a third of what is left."""
    async with Rig().running() as rig:
        await rig.receive(1)
        rig.api.answers.append(60.0)
        lapsed = beat(rig)
        await anyio.sleep(29)

    first, second = rig.api.changes[:2]
    assert 5 <= second.at - first.at <= 6
    assert not lapsed


@virtual_time.test
async def test_an_extension_that_failed_may_have_been_made() -> None:
    """Nobody can tell, so a return has to set when the message is seen again."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        rig.api.answers.append(Unavailable("Timeout"))
        beat(rig)
        await anyio.sleep(15.1)

    assert (len(rig.api.changes), message.extended) == (1, True)


@virtual_time.test
async def test_the_reply_for_an_old_handle_moves_no_deadline() -> None:
    """The message was received again meanwhile, for a shorter time: that is what counts, so it is extended at once."""
    async with Rig().running() as rig:
        (message,) = await rig.receive(1)
        old = message.handle
        rig.api.answers.append(2.0)
        beat(rig)
        await anyio.sleep(16)
        rig.queue.show_again(rig.queue.messages[message.id])
        rig.intake.take(rig.queue.pick(10, 10), anyio.current_time(), 10)
        await anyio.sleep(2)

    assert [call.handles for call in rig.api.changes] == [[old], [message.handle]]
    assert message.handle != old
