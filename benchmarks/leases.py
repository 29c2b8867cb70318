"""Replicas sharing a stream through a lease table: how soon they are balanced, and what the table has to do.

``python -m benchmarks.leases`` runs the deciders of all replicas on a table in memory (``tests/worlds/lease_replicas.py``), in a
time of its own: requests of 10 ms, looks every half second, a failover of 10 s. It prints two tables. Writes and reads are
DynamoDB's units for items of half a kilobyte, without saves: a busy shard's saves replace its renewals.
"""

from __future__ import annotations

from tests.worlds.lease_replicas import World

SHARDS = (2, 16, 64, 500)
REPLICAS = (1, 4, 20)
QUIET_SECONDS = 60.0
AT_MOST_SECONDS = 120.0


def settled(shards: int, replicas: int) -> World:
    """A world after a cold start and a rest."""
    world = World(seed=1)
    world.add(shards)
    for _ in range(replicas):
        world.join()
    world.until_balanced(AT_MOST_SECONDS)
    world.run(QUIET_SECONDS / 2)
    return world


def idle(shards: int, replicas: int) -> tuple[float, float]:
    """Writes and reads a second when nothing happens."""
    world = settled(shards, replicas)
    writes, reads = world.costs.writes, world.costs.reads
    world.run(QUIET_SECONDS)
    return (world.costs.writes - writes) / QUIET_SECONDS, (world.costs.reads - reads) / QUIET_SECONDS


def report(what: str, world: World, began: float, moves: int) -> None:
    """One line of the second table."""
    print(f"| {what} | {world.now - began:.1f} s | {len(world.moves) - moves} |", flush=True)


def story(shards: int, replicas: int) -> None:
    """Start, one more, one less, and all replaced."""
    world = World(seed=1)
    world.add(shards)
    for _ in range(replicas):
        world.join()
    world.until_balanced(AT_MOST_SECONDS)
    report("cold start", world, 0, 0)
    world.run(QUIET_SECONDS)
    began, moves = world.now, len(world.moves)
    world.join()
    world.until_balanced(AT_MOST_SECONDS)
    report("one more replica", world, began, moves)
    world.run(QUIET_SECONDS)
    began, moves = world.now, len(world.moves)
    dead = world.living[0]
    dead.dead = True
    world.until_balanced(AT_MOST_SECONDS)
    taken = [when for when, _, owner, _ in world.moves[moves:] if owner == dead.leases.me]
    print(f"| one is killed: its last lease is taken | {max(taken) - began:.1f} s | {len(taken)} |", flush=True)
    report("one is killed: the others are even again", world, began, moves)
    world.run(QUIET_SECONDS)
    began, moves = world.now, len(world.moves)
    world.living[0].leave()
    world.until_balanced(AT_MOST_SECONDS)
    report("one stops in order", world, began, moves)
    world.run(QUIET_SECONDS)
    began, moves = world.now, len(world.moves)
    for old in list(world.living):
        world.join()
        world.run(10)
        old.leave()
        world.run(10)
    world.until_balanced(AT_MOST_SECONDS)
    report("all are replaced, one every 20 s", world, began, moves)


def main() -> None:
    """Print both tables."""
    print("| shards | replicas | writes/s | reads/s |\n| --- | --- | --- | --- |")
    for shards in SHARDS:
        for replicas in REPLICAS:
            writes, reads = idle(shards, replicas)
            print(f"| {shards} | {replicas} | {writes:.1f} | {reads:.1f} |", flush=True)
    for shards, replicas in ((16, 4), (500, 20)):
        print(
            f"\n{shards} shards, {replicas} replicas\n\n| what | balanced after | leases moved |\n| --- | --- | --- |"
        )
        story(shards, replicas)


if __name__ == "__main__":
    main()
