"""Flips every bit of a small checkpoint store, one at a time, and says what became of it.

``python -m benchmarks.bit_rot`` does it for a store that was closed in order and for one whose owner was killed (with its log), and
prints how many flips were harmless (it reads as before) and how many were refused. Any other outcome is printed and exits with 1.
``--sample N`` takes so many bits of each file, by a fixed seed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pollers.aws.api import StartAt
from pollers.checkpoints import LanesDone, OpenWindow, ShardCheckpoint, SqliteStore, StoreUnreadable
from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "checkpoints.db"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - many small writes
STREAMS = (("clicks", "clicks@1"), ("clicks", "clicks@2"), ("audit", "audit@1"))
NUMBER = "495903382714902566085596925383615710959215759891365888{:02}"


def checkpoint(number: int) -> ShardCheckpoint:
    """A checkpoint with something in every column."""
    return ShardCheckpoint(
        NUMBER.format(number),
        StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.125),
        window=OpenWindow(0.0, 60.0, b'{"seen":%d}' % number),
        parents=("shard-8", "shard-9"),
        ahead=(LanesDone((NUMBER.format(number + 1), None)),),
    )


async def make(folder: Path) -> None:
    """Two small stores: ``closed`` in order, and ``killed`` while its log held the last writes."""
    (folder / "closed").mkdir()
    (folder / "killed").mkdir()
    for part in ("closed", "closed", "killed"):
        async with SqliteStore(folder / "closed" / FILE) as store:
            for mapping, identity in STREAMS:
                checkpoints = (await store.open(mapping, identity)).checkpoints
                await checkpoints.pin({f"shard-{number}": checkpoint(number) for number in range(3)})
                leases = await checkpoints.take_leases(["shard-0", "shard-1"])
                await checkpoints.save(leases["shard-0"], checkpoint(20))
                await checkpoints.end(leases["shard-1"], checkpoint(30), {"shard-7": ShardCheckpoint()})
            if part == "killed":
                for file in (folder / "closed").glob(f"{FILE}*"):
                    shutil.copyfile(file, folder / "killed" / file.name)


async def seen(path: Path) -> object:
    """All that a mapping is told of the store; each opening is told the same, whatever was opened before."""
    found = []
    async with SqliteStore(path) as store:
        for mapping, identity in (*STREAMS, ("audit", "audit@2"), ("new", "new@1")):
            opened = await store.open(mapping, identity)
            found.append((opened.fresh, opened.previous_identity, opened.start, await opened.checkpoints.load()))
    return found


def copied(source: Path, target: Path) -> Path:
    """The store's files in another folder, as if its owner were gone."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target / FILE


def flipped(path: Path, bits: list[int] | range) -> Iterator[int]:
    """Flip these bits of a file, one at a time; the file is written anew for each."""
    content = path.read_bytes()
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        yield bit


async def outcome(source: Path, work: Path, name: str, bit: int, before: object) -> str:
    """What becomes of a store one bit of whose file ``name`` was flipped."""
    path = copied(source, work)
    for _ in flipped(path.with_name(name), [bit]):
        try:
            return "harmless" if await seen(path) == before else "CHANGED"
        except StoreUnreadable as error:
            return "refused" if "estore" in str(error) or "CONFIG" in str(error) else f"UNHELPFUL: {error}"
        except StoreError as error:
            return f"refused as {type(error).__name__}: {error}"
    raise AssertionError("no bit")


async def try_all(kind: str, folder: Path, sample: int | None, seed: int = 7) -> dict[str, Counter[str]]:
    """What became of every bit (or so many) of each file of a store."""
    source, counts = folder / kind, {}
    before = await seen(copied(source, folder / "before"))
    chance = random.Random(seed)
    for name in sorted(file.name for file in source.iterdir() if not file.name.endswith("-shm")):
        every = range((source / name).stat().st_size * 8)
        bits = every if sample is None or sample >= len(every) else chance.sample(every, sample)
        counts[name] = Counter([await outcome(source, folder / "work", name, bit, before) for bit in bits])
    return counts


async def main(sample: int | None) -> bool:
    """Both stores; whether every flip was harmless or refused."""
    well = True
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        await make(Path(folder))
        for kind in ("closed", "killed"):
            for name, counts in (await try_all(kind, Path(folder), sample)).items():
                print(f"{kind:7} {name:20} {dict(counts)}", flush=True)
                well = well and set(counts) <= {"harmless", "refused"}
    return well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int)
    sys.exit(not anyio.run(main, parser.parse_args().sample))
