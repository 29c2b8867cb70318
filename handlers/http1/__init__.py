"""What an HTTP/1.1 message is made of, whoever sent it: one reading for our client of AWS and our server of the Runtime API.

Nothing that can be read in two ways is guessed at (RFC 9112, 6.3): a message that two readers cut differently may smuggle a second
one. Written here and not taken from a library by figures: ``httptools`` reads a small message at a third of the cost (3 µs instead
of 9), which is under 1 µs for each of ten messages of a receive, but a page of Kinesis at ten times the cost (14 ms instead of
0.8 ms for 10 MB, as it hands a body on in copied pieces), and it takes what is refused here (other codings than chunked, heads and
chunk sizes without end).
"""

from __future__ import annotations

from handlers.http1.body import Body, BodyTooLong, ChunkedBody, KeptBody
from handlers.http1.head import HeadReader, HeadTooLong, Malformed, check_breaks, framing, joined, stays_open

__all__ = [
    "Body",
    "BodyTooLong",
    "ChunkedBody",
    "HeadReader",
    "HeadTooLong",
    "KeptBody",
    "Malformed",
    "check_breaks",
    "framing",
    "joined",
    "stays_open",
]
