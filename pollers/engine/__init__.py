"""What every source shares: permits, batches, invoking, judging responses, back-off, stopping and failures.

Who owns what, from the process down to one invocation (an owner starts what it owns, watches it and outlives it)::

    supervisor.runtime      the process: its mappings, its functions and the stop
      supervisor.mapping    one mapping: its pollers, one after the other; the books; a Stop, whose child each poller is given
        a poller            one life of a source's engine: every task of it, and every event that it holds
          a batch's task    one batch and its permit, from the permit to the acknowledgement
            invoking        one invocation: nothing is kept there
      functions.host        one function: its permits, its workers

What a crash leaves, wherever it comes: nothing that was not acknowledged is lost, since acknowledging is the last step of
everything. A permit is a count in this process, so a crash of the process leaves none; one task's crash leaves what it held to
its poller, which hands it back, and its permits to the :class:`pollers.engine.permits.Share`, whose close gives them back.
Before an invocation, its events come back to the source by themselves. During it, the same, and the function may have done the
work: at least once allows that. After it and before the acknowledgement likewise.

Deciders: :mod:`batching`, :mod:`responses`, :mod:`backoff`, :mod:`failures`. Doers: :mod:`permits`, :mod:`stop`, :mod:`invoking`.
:mod:`poller` is the seam between the supervisor and a source, :mod:`kind` what a kind of source declares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.engine.backoff import Backoff
    from pollers.engine.batching import RECORDS, Envelope, Gather, Limits, join_event
    from pollers.engine.failures import CollectedFailures, Failure, is_ours, taken_apart
    from pollers.engine.invoking import Attempt, Ended, accept_all, invoke, new_request_id
    from pollers.engine.kind import Backlog, DepthSampler, Names, Patterns, Polling, Resources, Shown, SourceKind
    from pollers.engine.permits import Claim, Permits
    from pollers.engine.poller import Poller, Surroundings
    from pollers.engine.responses import SUCCESS, Verdict, failed_ids, shortened
    from pollers.engine.stop import Stop

__all__ = [
    "RECORDS",
    "SUCCESS",
    "Attempt",
    "Backlog",
    "Backoff",
    "Claim",
    "CollectedFailures",
    "DepthSampler",
    "Ended",
    "Envelope",
    "Failure",
    "Gather",
    "Limits",
    "Names",
    "Patterns",
    "Permits",
    "Poller",
    "Polling",
    "Resources",
    "Shown",
    "SourceKind",
    "Stop",
    "Surroundings",
    "Verdict",
    "accept_all",
    "failed_ids",
    "invoke",
    "is_ours",
    "join_event",
    "new_request_id",
    "shortened",
    "taken_apart",
]
__getattr__ = lazily(
    __name__,
    {
        "backoff": "Backoff",
        "batching": "Envelope Gather Limits RECORDS join_event",
        "failures": "CollectedFailures Failure is_ours taken_apart",
        "invoking": "Attempt Ended accept_all invoke new_request_id",
        "kind": "Backlog DepthSampler Names Patterns Polling Resources Shown SourceKind",
        "permits": "Claim Permits",
        "poller": "Poller Surroundings",
        "responses": "SUCCESS Verdict failed_ids shortened",
        "stop": "Stop",
    },
)
