"""The Runtime API's HTTP: requests out of bytes, however they are cut, and nothing unbounded."""

from __future__ import annotations

import contextlib
import itertools
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.runtime_api import requests
from handlers.runtime_api.requests import BadRequest, Request, RequestReader

LIMIT = 1000
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: x\r\n\r\n"


def post(body: bytes, *, chunks: int = 0) -> bytes:
    """A POST as clients send it, with a length or in chunks."""
    head = b"POST /response HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    if not chunks:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    pieces = [body[start : start + chunks] for start in range(0, len(body), chunks)]
    coded = b"".join(b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\nTrailer: t\r\n\r\n"


def feed_all(pieces: list[bytes]) -> list[Request]:
    """What a fresh parser makes of the pieces."""
    parser = RequestReader(LIMIT)
    return [request for piece in pieces for request in parser.feed(piece)]


def feed_repeatedly(parser: RequestReader, piece: bytes, times: int) -> None:
    """The same piece again and again."""
    for _ in range(times):
        parser.feed(piece)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces, cut at ``places``."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 50)), min_size=1, max_size=4),
    st.lists(st.integers(0, 3000), max_size=12),
)
def test_requests_do_not_depend_on_how_their_bytes_are_cut(bodies: list[tuple[bytes, int]], places: list[int]) -> None:
    """Any cutting of a series of requests gives the same requests, with their bodies byte for byte."""
    data = b"".join(post(body, chunks=chunks) + NEXT for body, chunks in bodies)
    requests = feed_all(cut(data, places))
    assert [request.body for request in requests[::2]] == [body for body, _ in bodies]
    assert all(request.path == b"/2018-06-01/runtime/invocation/next" for request in requests[1::2])
    assert all(request.keep_alive for request in requests)


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 50)), min_size=1, max_size=4),
    st.lists(st.integers(0, 3000), max_size=12),
    st.booleans(),
)
def test_streamed_bodies_do_not_depend_on_how_they_are_cut(
    bodies: list[tuple[bytes, int]], places: list[int], taken_early: bool
) -> None:
    """Each is given with its head and comes whole, with its trailers, before the next request."""
    mode = b"\r\nLambda-Runtime-Function-Response-Mode: Streaming\r\nHost"
    data = b"".join(post(body, chunks=chunks).replace(b"\r\nHost", mode, 1) + NEXT for body, chunks in bodies)
    parser, requests, came = RequestReader(LIMIT), list[Request](), list[bytearray]()
    for piece in cut(data, places):
        for request in parser.feed(piece):
            requests.append(request)
            if request.incoming is not None:
                came.append(bytearray())
        if taken_early and parser.incoming is not None:
            came[-1] += parser.incoming.take()
    streams = [request.incoming for request in requests[::2]]
    for stream, taken in zip(streams, came, strict=True):
        assert stream is not None
        taken += stream.take()
        assert stream.whole
    assert came == [body for body, _ in bodies]
    assert [stream.trailers for stream in streams if stream is not None] == [
        {b"trailer": b"t"} if chunks else {} for _, chunks in bodies
    ]
    assert all(request.path == b"/2018-06-01/runtime/invocation/next" for request in requests[1::2])


def test_a_stream_that_breaks_is_not_whole() -> None:
    """Its end is told once."""
    told = []
    parser = RequestReader(LIMIT)
    head = post(b"xyz", chunks=3).replace(
        b"\r\nHost", b"\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nHost", 1
    )
    (request,) = parser.feed(head[:-5])
    stream = request.incoming
    assert stream is not None
    stream.changed = lambda: told.append(stream.whole)
    parser.cut()
    parser.cut()
    assert (told, stream.take()) == ([False], b"xyz")


@pytest.mark.parametrize("chunks", [0, 64])
def test_a_body_over_the_limit_is_read_and_not_kept(chunks: int) -> None:
    """Its size is known and the next request on the connection is served."""
    large, following = feed_all([post(b"x" * (LIMIT + 1), chunks=chunks) + NEXT])
    assert large.too_large
    assert large.body == b""
    assert large.body_size == LIMIT + 1
    assert following.method == b"GET"


def test_a_body_of_exactly_the_limit_is_kept() -> None:
    """The limit is the largest body that is taken."""
    (request,) = feed_all([post(b"x" * LIMIT)])
    assert not request.too_large
    assert len(request.body) == LIMIT


def test_an_enormous_body_is_refused_by_its_length_without_being_read() -> None:
    """The request is complete at once, and its connection will be closed."""
    head = b"POST /response HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % 10**12
    (request,) = feed_all([head])
    assert request.too_large
    assert request.body_size == 10**12
    assert not request.keep_alive


def test_an_endless_chunked_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without an announced length is thrown away up to a bound only."""
    monkeypatch.setattr(requests, "DISCARD_LIMIT_BYTES", 5000)
    parser = RequestReader(LIMIT)
    parser.feed(b"POST /response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    with pytest.raises(BadRequest) as caught:
        feed_repeatedly(parser, chunk, 100)
    assert caught.value.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_head_without_end_is_given_up() -> None:
    """A request's head is bounded."""
    parser = RequestReader(LIMIT)
    with pytest.raises(BadRequest) as caught:
        feed_repeatedly(parser, b"x" * 100_000, 40)
    assert caught.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_an_error_cause_of_a_mebibyte_in_a_header_is_taken() -> None:
    """AWS's clients send the X-Ray error cause as one header of up to 1 MiB."""
    cause = b"c" * 1024 * 1024
    head = b"POST /e HTTP/1.1\r\nLambda-Runtime-Function-XRay-Error-Cause: " + cause + b"\r\nContent-Length: 0\r\n\r\n"
    (request,) = feed_all(cut(head, [65536 * n for n in range(1, 16)]))
    assert request.headers[b"lambda-runtime-function-xray-error-cause"] == cause


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: a\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: a\rContent-Length: 3\r\n\r\n",
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadRequest) as caught:
        feed_all([data])
    assert caught.value.status is HTTPStatus.BAD_REQUEST


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    """Whatever comes is requests, or the beginning of one, or refused."""
    with contextlib.suppress(BadRequest):
        feed_all(cut(data, [7, 50]))


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"HTTP/1.1\r\n", True),
        (b"HTTP/1.1\r\nConnection: close\r\n", False),
        (b"HTTP/1.0\r\n", False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_connections_are_kept_as_their_client_wishes(line: bytes, kept: bool) -> None:
    """Kept by default in HTTP/1.1, closed by default in HTTP/1.0."""
    (request,) = feed_all([b"GET / " + line + b"\r\n"])
    assert request.keep_alive is kept


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    """``Expect: 100-continue`` is seen while the body has not come, and not any more once it has."""
    parser = RequestReader(LIMIT)
    parser.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert parser.wants_continue
    (request,) = parser.feed(b"abc")
    assert request.body == b"abc"
    assert not parser.wants_continue
