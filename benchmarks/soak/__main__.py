"""``python -m benchmarks.soak --minutes N``: exit 1 if anything was lost, ran out of order, or does not balance."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import anyio

from benchmarks.soak.books import faults_of
from benchmarks.soak.chaos import KINDS
from benchmarks.soak.run import Plan, Result, soak

_NOBODY = {
    "AWS_ACCESS_KEY_ID": "soak",
    "AWS_SECRET_ACCESS_KEY": "soak",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for how long events come and faults happen")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what the faults are drawn from")
    parser.add_argument("--rate", type=int, default=30, help="events a second for each of the four sources")
    parser.add_argument("--only", help=f"kinds of faults, with commas between: {', '.join(KINDS)}")
    parser.add_argument("--without", default="", help="kinds to leave out")
    parser.add_argument("--patience", type=float, default=90.0, help="seconds without progress that end the drain")
    parser.add_argument("--keep", action="store_true", help="keep logs and journals also when all is well")
    given = parser.parse_args()
    kinds = set(given.only.split(",") if given.only else KINDS) - set(given.without.split(","))
    if unknown := kinds - KINDS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(_NOBODY)
    folder = Path(tempfile.mkdtemp(prefix="headrace-soak-"))
    print(f"seed {given.seed}, {given.minutes:g} minutes, logs and journals in {folder}", flush=True)
    plan = Plan(given.minutes * 60, given.seed, given.rate, kinds, given.patience, folder)
    result = anyio.run(soak, plan)
    faults = faults_of(result.pages, result.lives)
    _show(result, faults)
    if not faults and not given.keep:
        shutil.rmtree(folder)
    return 1 if faults else 0


def _show(result: Result, faults: list[str]) -> None:
    print(f"\n{'mapping':10} {'sent':>8} {'run':>8} {'repeated':>9} {'left':>5}  faults")
    for page in result.pages:
        print(f"{page.mapping:10} {page.sent:8} {page.run:8} {page.repeated:9} {page.left:5}  {len(page.faults)}")
    print("\nfaults made:   " + ", ".join(f"{kind} {count}" for kind, count in sorted(result.made.items()) if count))
    print(
        f"reshardings:   {result.reshardings}; {result.shards[0]} shards open, {result.shards[1]} ended in the checkpoints"
    )
    killed = sum(not life.asked_to_stop for life in result.lives)
    balanced = sum(life.balanced for life in result.lives)
    cut_short = sum(life.cut_short for life in result.lives)
    print(
        f"runs:          {len(result.lives)}, {killed} killed; {balanced} ledgers balance; {cut_short} stops without answers"
    )
    if result.stops:
        print(f"stops:         {', '.join(f'{seconds:.1f}' for seconds in result.stops)} s from SIGTERM to the exit")
    print(f"longest wait:  {result.longest_wait:.1f} s in which nothing ran though something waited")
    errors: dict[str, int] = {}
    for life in result.lives:
        for event, count in life.errors.items():
            errors[event] = errors.get(event, 0) + count
    for event, count in sorted(errors.items(), key=lambda item: -item[1])[:10]:
        print(f"logged error:  {count:5} {event}")
    print(
        "\n"
        + (
            "\n".join(f"WRONG: {fault}" for fault in faults)
            or "nothing lost, nothing out of order, everything balances"
        )
    )


if __name__ == "__main__":
    sys.exit(main())
