"""The console in a real browser: what it shows, that it stays still, its keys, its sign-in, and that it never complains."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.invocations import FunctionBooks, QueueSnapshot, TargetStanding
from pollers.server.serve import CONNECTIONS
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    Depth,
    Doing,
    Invoked,
    Invoking,
    Outcome,
    Polled,
    Received,
    Returned,
    ShardEnded,
    ShardSeen,
    State,
)
from tests.e2e.chromium import Page, page
from tests.unit.server.rig import MADE, Rig, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)

TOKEN = "a-token-of-some-length"
NASTY = "<img src=x onerror=\"document.body.id='broken'\">"
CONNECTED = "document.getElementById('connection').textContent === 'connected'"


@asynccontextmanager
async def console(
    folder: Path,
    *,
    token: str | None = None,
    payloads: bool = False,
    queue: Callable[[], QueueSnapshot] | None = None,
) -> AsyncIterator[tuple[Rig, Page]]:
    """A console of mappings ``a`` and ``b`` in a browser; at the end nothing may have been complained of."""
    async with rig(folder, token=token, payloads=payloads, queue=queue) as at, page(folder) as seen:
        await seen.size(1280, 900)
        await seen.open(at.link)
        yield at, seen
        assert seen.complaints == []
        assert await seen.value("document.body.id") == ""


WATCH = """
window.changes = [];
const named = (change) => `${change.type} ${change.target.className || change.target.nodeName}`;
new MutationObserver((list) => changes.push(...list.map(named)))
  .observe(%s, {subtree: true, childList: true, characterData: true, attributes: true});
"""
BOXES = """
Object.fromEntries([...%s.querySelectorAll('.shards g')].map((group) => {
  const box = group.querySelector('rect'), [name, state] = group.querySelectorAll('text');
  return [group.querySelector('title').textContent.slice(-1), {
    place: [+box.getAttribute('x'), +box.getAttribute('y')],
    kind: group.getAttribute('class'), name: name.textContent, state: state.textContent,
  }];
}))
"""
FITS = """
[...document.querySelectorAll('button, h2, dd, .sentence')]
  .every((node) => !node.offsetParent || node.getBoundingClientRect().right <= innerWidth)
"""


def card(name: str, rest: str = "") -> str:
    """JavaScript for a mapping's card, or for something in it."""
    return f"document.querySelector('[data-name={name}]{' ' + rest if rest else ''}')"


def texts(node: str, selector: str) -> str:
    """JavaScript for what the elements inside ``node`` say."""
    return f"[...{node}.querySelectorAll('{selector}')].map(one => one.textContent)"


async def test_what_happens_is_shown_as_it_happens(tmp_path: Path) -> None:
    """State, sentence, figures, charts, failures with their payloads and the books; all of it as text, whatever it contains."""
    async with console(tmp_path, payloads=True) as (at, seen):
        await seen.until(f"{CONNECTED} && document.querySelectorAll('.mapping').length === 2")
        assert await seen.value(card("a", ".pill") + ".textContent") == "running"
        facts = at.facts("a")
        facts.emit(Doing("receive", State.POLLING))
        facts.emit(Depth(1234, 5, 0))
        facts.emit(Polled("", 3))
        facts.emit(Received("", ["1", "2", "3"], 30))
        facts.emit(Invoking("", ["1", "2", "3"], "r-1", 30))
        await seen.until(f"{card('a', '.sentence')}.textContent.startsWith('invoking: 1 batch of 3 events')")
        error = Invoked(
            "", ["1", "2", "3"], "r-1", Outcome.ERROR, 0.5, error=f"Boom: {NASTY}", first_payload=NASTY.encode()
        )
        facts.emit(error)
        facts.emit(Returned("", ["3"], None, "failed"))
        facts.emit(Deleted(["1", "2"]))
        await seen.until(f"{card('a', '.sentence')}.textContent === 'waiting for messages'")
        await seen.until(f"{texts(card('a'), 'dd')}.join() === '3,2,0,3,500 ms,500 ms,500 ms'")
        await seen.until(f"{texts(card('a'), 'figcaption')}[3] === 'queue depth 1,234'")
        await seen.until(f"[...{card('a')}.querySelectorAll('.bars')].some(n => n.getAttribute('d').includes('M'))")
        await seen.value(card("a", ".actions button:last-child") + ".click()")
        assert await seen.value(card("a", "h3") + ".textContent") == "The books balance"
        assert await seen.value(card("a", ".failures pre") + ".textContent") == NASTY
        assert NASTY in await seen.value(card("a", ".failures .bad") + ".textContent")
        legend = await seen.value(card("a", ".legend") + ".textContent")
        assert legend == "3 received =2 deleted1 returned"
        labels = await seen.value(
            f"[...{card('a')}.querySelectorAll('svg[role=img]')].map(n => n.getAttribute('aria-label'))"
        )
        assert labels[1].startswith("latency over the last 2 minutes, up to 500 ms; now p95 500 ms")


async def test_a_snapshot_changes_what_changed_and_nothing_else(tmp_path: Path) -> None:
    """No flicker: an idle mapping's elements are neither replaced nor rewritten; focus and open details stay."""
    async with console(tmp_path) as (at, seen):
        for name in "ab":
            at.facts(name).emit(Polled("", 0))
        await seen.until(f"{card('b', '.sentence')}?.textContent === 'waiting for messages'")
        await seen.press("j")
        await seen.press("Enter")
        await seen.value(WATCH % card("a"))
        before = await seen.value("document.getElementById('uptime').textContent")
        await seen.until(f"document.getElementById('uptime').textContent !== {before!r}")
        await anyio.sleep(2.5)
        changes = await seen.value("changes.filter(one => !/^attributes (line|area|bars|\\[object)/.test(one))")
        assert changes == []
        assert await seen.value("document.activeElement.dataset.name") == "a"
        assert await seen.value(card("a", ".details") + ".hidden") is False


async def test_asynchronous_events_are_shown_with_what_they_wait_for(tmp_path: Path) -> None:
    """A row a function, the last error as text whatever it contains, and targets that take nothing; what stays is not rewritten."""
    now = time.time()
    books = FunctionBooks(found=1, accepted=9, succeeded=4, failed=1, queued=5, running=2, oldest_at=now - 200)
    books.last_error, books.last_error_at = f"ValueError: {NASTY}", now
    targets = {"arn:dead": TargetStanding(3, NASTY, now - 300)}
    snapshot = QueueSnapshot({"orders": books}, targets, 1000)
    row = "[...document.querySelectorAll('#events tr td')].map(one => one.textContent)"
    async with console(tmp_path, queue=lambda: snapshot) as (_, seen):
        await seen.until(f"{CONNECTED} && {row}.length === 9")
        cells = await seen.value(row)
        assert cells[:2] == ["orders", "5"]
        assert cells[2] == "3 min"
        assert cells[3:8] == ["2", "4", "1", "0", "0"]
        assert cells[8].endswith(f"ValueError: {NASTY}")
        told = "document.getElementById('notices').textContent"
        assert await seen.value(told) == f"arn:dead: 3 reports wait for it, for 5 min: {NASTY}"
        total = "document.getElementById('asynchronous-queue').textContent"
        assert await seen.value(total) == "5 events queued, 2 running, 0 % of the room taken"
        await seen.value("document.querySelector('#events tr').kept = true")
        books.succeeded, books.queued = 5, 4
        await seen.until(f"{row}[1] === '4'")
        assert await seen.value("document.querySelector('#events tr').kept")


async def test_there_is_no_part_for_asynchronous_events_without_their_queue(tmp_path: Path) -> None:
    """Where nothing of Lambda's API is served."""
    async with console(tmp_path) as (_, seen):
        await seen.until(CONNECTED)
        assert await seen.value("document.getElementById('asynchronous').hidden")


async def test_keys_do_what_buttons_do(tmp_path: Path) -> None:
    """Next, previous, details, pause, resume, help, theme; each told to assistive technology."""
    async with console(tmp_path) as (at, seen):
        await seen.until("document.querySelectorAll('.mapping').length === 2")
        for key, name in (("j", "a"), ("j", "b"), ("j", "b"), ("k", "a")):
            await seen.press(key)
            assert await seen.value("document.activeElement.dataset.name") == name
        expanded = card("a", "[aria-expanded]") + ".getAttribute('aria-expanded')"
        await seen.press("Enter")
        assert await seen.value(expanded) == "true"
        await seen.press("Enter")
        assert await seen.value(expanded) == "false"
        await seen.press("p")
        await at.until("a", MappingState.PAUSED)
        await seen.until(f"{card('a', '.actions button')}.textContent === 'Resume'")
        await seen.until(f"{card('a', '.sentence')}.textContent === 'paused; resume to poll again'")
        await seen.press("p")
        await at.until("a", MappingState.RUNNING)
        await seen.press("?")
        assert await seen.value("document.getElementById('keys').open")
        await seen.press("Escape")
        await seen.until("!document.getElementById('keys').open")
        grounds = set()
        for _ in range(3):
            grounds.add(await seen.value("getComputedStyle(document.body).backgroundColor"))
            await seen.press("t")
        assert len(grounds) == 2


async def test_shards_are_drawn_beside_their_parents(tmp_path: Path) -> None:
    """A split and a merge: every child right of its parents, joined to each of them, ended shards told apart."""
    async with console(tmp_path) as (at, seen):
        facts = at.facts("a")
        ids = {number: f"shardId-{number:012}" for number in range(8)}
        for number in range(4):
            facts.emit(ShardSeen(ids[number]))
            facts.emit(Polled(ids[number], 1, 0.0))
        facts.emit(Received(ids[0], ["7"], 10))
        facts.emit(Checkpointed(ids[0], 1, "7"))
        for born, parents in ((4, (0,)), (5, (0,)), (6, (2, 3)), (7, (1,))):
            facts.emit(ShardSeen(ids[born], [ids[parent] for parent in parents]))
        for number in (0, 2, 3):
            facts.emit(ShardEnded(ids[number]))
        facts.emit(Polled(ids[4], 1, 42.0))
        await seen.until(f"{card('a')} !== null")
        await seen.press("j")
        await seen.press("Enter")
        await seen.until(f"{card('a')}.querySelectorAll('.shards g').length === 8")
        boxes = await seen.value(BOXES % card("a"))
        assert await seen.value(f"{card('a')}.querySelectorAll('.shards path').length") == 5
        for child, parent in ("40", "50", "62", "63", "71"):
            assert boxes[child]["place"][0] > boxes[parent]["place"][0]
        assert len({tuple(box["place"]) for box in boxes.values()}) == 8
        assert sorted("4576", key=lambda shard: boxes[shard]["place"][1]) == list("4576")
        states = [boxes[shard]["state"] for shard in "01467"]
        assert states == ["ended", "at the tip", "42 s behind", "open", "waits for its parent"]
        assert (boxes["4"]["name"], boxes["0"]["kind"], boxes["7"]["kind"]) == ("shard 4", "ended", "waiting")


async def test_a_token_is_asked_for_and_kept_in_the_tab(tmp_path: Path) -> None:
    """A wrong one is refused and asked for again; the right one survives a reload and is stored nowhere else."""
    async with rig(tmp_path, token=TOKEN) as at, page(tmp_path) as seen:
        await seen.open(at.url)
        for given in ("wrong-token", TOKEN):
            await seen.until("document.getElementById('sign-in').open")
            refused = await seen.value("!document.getElementById('sign-in-refused').hidden")
            assert refused is (given == TOKEN)
            await seen.type(given)
            await seen.press("Enter")
        await seen.until(CONNECTED)
        await seen.open(at.url)
        await seen.until(f"{CONNECTED} && {card('a')} !== null")
        await seen.press("j")
        await seen.press("p")
        await at.until("a", MappingState.PAUSED)
        assert await seen.value("document.cookie + location.href + JSON.stringify(localStorage)") == f"{at.url}/{{}}"
        assert all("401" in complaint for complaint in seen.complaints), seen.complaints


async def test_a_change_asks_for_the_token_that_the_link_brings(tmp_path: Path) -> None:
    """Looking needs none on loopback. A link's token is taken out of the address line, and kept in the tab only."""
    async with rig(tmp_path) as at, page(tmp_path) as seen:
        await seen.open(at.url)
        await seen.until(f"{CONNECTED} && {card('a')} !== null")
        await seen.press("j")
        await seen.press("p")
        await seen.until("document.getElementById('sign-in').open")
        await seen.type(MADE)
        await seen.press("Enter")
        await at.until("a", MappingState.PAUSED)
        await seen.value("sessionStorage.clear()")
        await seen.open("about:blank")
        await seen.open(at.link)
        await seen.until(f"{CONNECTED} && {card('b')} !== null")
        await seen.value(card("b", ".actions button") + ".click()")
        await at.until("b", MappingState.PAUSED)
        assert await seen.value("document.cookie + location.href + JSON.stringify(localStorage)") == f"{at.url}/{{}}"
        assert all("401" in complaint for complaint in seen.complaints), seen.complaints


async def test_a_lost_connection_is_told_and_taken_up_again(tmp_path: Path) -> None:
    """The page says so, and goes on by itself with the past filled in."""
    async with rig(tmp_path) as at, page(tmp_path) as seen:
        await seen.open(at.url)
        await seen.until(f"{CONNECTED} && {card('a')} !== null")
        for connection in list(at.app[CONNECTIONS]._open.values()):
            connection.abort()
        await seen.until("document.getElementById('connection').textContent === 'reconnecting'")
        await seen.until(CONNECTED)


async def test_an_event_is_explained(tmp_path: Path) -> None:
    """Its timeline and what follows from it, from the search field."""
    async with console(tmp_path) as (at, seen):
        facts = at.facts("a")
        facts.emit(Received("", ["m-1"], 10, [1]))
        facts.emit(Invoking("", ["m-1"], "r-1", 10))
        facts.emit(Invoked("", ["m-1"], "r-1", Outcome.ERROR, 0.1, error=NASTY))
        facts.emit(Returned("", ["m-1"], None, "failed"))
        await seen.until(CONNECTED)
        await seen.press("/")
        await seen.type("m-1")
        await seen.press("Enter")
        await seen.until("document.getElementById('explanation').open")
        told = await seen.value("[...document.querySelectorAll('#moments b')].map(n => n.textContent)")
        assert told == ["received", "invoked", "failed", "returned"]
        assert "after 1 receive here, and not seen since" in await seen.value(
            "document.getElementById('conclusions').textContent"
        )


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1920, 1080)])
async def test_it_fits_any_screen(tmp_path: Path, width: int, height: int) -> None:
    """Nothing is cut off or scrolls sideways on a phone and a wide screen, in the dark and in the light."""
    async with console(tmp_path) as (at, seen):
        await seen.size(width, height, mobile=width < 500)
        at.facts("a").emit(Invoked("", ["1"], "r", Outcome.ERROR, 0.1, error="x" * 400))
        await seen.until(f"{CONNECTED} && {card('a')} !== null")
        await seen.press("j")
        await seen.press("Enter")
        for scheme in ("dark", "light"):
            await seen.scheme(scheme)
            assert await seen.value("document.documentElement.scrollWidth <= window.innerWidth")
            assert await seen.value(FITS)
            assert len(await seen.screenshot()) > 5_000
