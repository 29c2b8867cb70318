"""What a queue's attributes mean for its poller."""

from __future__ import annotations

import json
import math

import pytest

from pollers.sources.sqs.attributes import QueueAttributes
from pollers.sources.sqs.planning import BUSY_POLL_SECONDS
from pollers.sources.sqs.visibility import Hold
from tests.worlds.memory_sqs import Queue
from tests.worlds.sqs_world import sqs_mapping


def redrive(maximum: object) -> dict[str, str]:
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": "arn", "maxReceiveCount": maximum})}


@pytest.mark.parametrize(
    ("attributes", "receives"),
    [({}, math.inf), (redrive(3), 3.0), (redrive("5"), 5.0), ({"RedrivePolicy": "{"}, math.inf)],
)
def test_receives_allowed_is_the_redrive_policys(attributes: dict[str, str], receives: float) -> None:
    """A number or a text, as services send it; no policy, or none that can be read, sets no bound."""
    assert QueueAttributes.read(attributes).receives_allowed == receives


def test_the_depth_counts_visible_hidden_and_delayed_messages() -> None:
    """A queue is empty when none of them is left."""
    attributes = {
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesNotVisible": "2",
        "ApproximateNumberOfMessagesDelayed": "4",
    }

    assert QueueAttributes.read(attributes).depth == 7
    assert QueueAttributes.read({}).depth == 0


def test_messages_are_hidden_for_the_queues_own_timeout() -> None:
    """With a window that does not fit into it, for Lambda's formula."""
    attributes = QueueAttributes.read({"VisibilityTimeout": "40"})
    queue = Queue("orders")

    assert attributes.hold(sqs_mapping(queue), 3) == Hold(40, 40)
    windowed = sqs_mapping(queue, maximum_batching_window_in_seconds=60)
    assert attributes.hold(windowed, 3) == Hold(93, 93)


@pytest.mark.parametrize(
    ("name", "maximum", "settings", "careful", "seconds"),
    [
        ("orders", None, {}, False, 20),
        ("orders", 2, {}, False, BUSY_POLL_SECONDS),
        ("orders.fifo", 2, {}, True, BUSY_POLL_SECONDS),
        ("orders.fifo", 3, {}, False, 20),
        ("orders.fifo", 2, {"long_poll_seconds": 7}, True, 7),
        ("orders", None, {"long_poll_seconds": 7}, False, 7),
    ],
)
def test_a_queue_on_which_every_receive_counts_is_received_from_with_care(
    name: str, maximum: int | None, settings: dict[str, int], careful: bool, seconds: int
) -> None:
    """No long polls that a stop could cut, unless they are configured; and a FIFO queue is not read ahead."""
    mapping = sqs_mapping(Queue(name), visibility=settings)
    attributes = QueueAttributes.read(redrive(maximum) if maximum is not None else {})

    terms = attributes.terms(mapping)

    assert (terms.careful, terms.long_poll_seconds) == (careful, seconds)
