"""Dead letters: events and inputs that were given up, as they were, with attributes that say why (docs/lambda 12.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from pollers.aws.api import MessageAttribute
from pollers.destinations.destination import Message, Purpose, Undeliverable, Use
from pollers.destinations.invocation_record import trace_header
from pollers.destinations.limits import accepted_characters, cut
from pollers.destinations.sns import TOPIC
from pollers.destinations.sqs import QUEUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.destinations.ended import EndedInvocation

ERROR_MESSAGE_BYTES = 1024
ANSWERED = "200"
NO_ANSWER = "429"
"""``ErrorCode`` of an event to which the function never answered (docs/lambda 12.7)."""
NO_ANSWER_MESSAGE = "Rate Exceeded."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was given up. ``attributes`` by name; those that are empty are left out, since queues refuse them."""

    body: bytes
    attributes: Mapping[str, MessageAttribute]
    trace_header: str | None = None

    def message(self) -> Message:
        """The event exactly, with the attributes."""
        try:
            body = self.body.decode()
        except UnicodeDecodeError as error:
            raise Undeliverable(f"the event is no UTF-8 ({error}): a message is text") from error
        return Message(body, self.attributes, self.trace_header)


DEAD_LETTER: Purpose[DeadLetter] = Purpose(
    Use("dead-letter", "dead_letter_config"), "dead-letter queues", (QUEUE, TOPIC)
)
SCHEDULE_DEAD_LETTER: Purpose[DeadLetter] = Purpose(
    Use("dead-letter", "dead_letter_config"), "dead-letter queues of schedules", (QUEUE,)
)


def function_dead_letter(ended: EndedInvocation) -> DeadLetter:
    """The dead letter of an asynchronous event that a function did not do."""
    answered = ended.response is not None
    message = _error_message(ended.response) if ended.response is not None else NO_ANSWER_MESSAGE
    attributes = {
        "RequestID": MessageAttribute("String", ended.event.request_id),
        "ErrorCode": MessageAttribute("Number", ANSWERED if answered else NO_ANSWER),
        **texts({"ErrorMessage": cut(message, ERROR_MESSAGE_BYTES)}),
    }
    return DeadLetter(ended.event.payload, attributes, trace_header(ended.event))


def texts(values: Mapping[str, str]) -> dict[str, MessageAttribute]:
    """Attributes that are texts. Characters that SQS refuses are replaced: they would keep the whole letter from being taken."""
    return {name: MessageAttribute("String", accepted_characters(value)) for name, value in values.items() if value}


def _error_message(response: bytes) -> str:
    """``errorMessage`` of an error's document; the whole text of one without."""
    try:
        document = orjson.loads(response)
    except orjson.JSONDecodeError:
        return response.decode("utf-8", "replace")
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return message if isinstance(message, str) else response.decode("utf-8", "replace")
