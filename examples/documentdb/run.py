"""A change stream without an account: a server that speaks MongoDB's protocol, orders that change, Headrace, and the books.

SecantusDB is installed into the cache at the first run (145 MB) and runs as a process of its own. Headrace is killed once, in the
middle, and started again. Exits with 0 if every change came to the function, in the order of the stream.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pymongo import MongoClient

from pollers.emulators import EmulatorUnavailable, SecantusDB, started

HERE = Path(__file__).parent
ORDERS = 60
SECONDS = 120


def main():
    with tempfile.TemporaryDirectory(prefix="headrace-documentdb-") as folder:
        print("starting SecantusDB (its first start here installs it)")
        with started(SecantusDB()) as server:
            return run(f"mongodb://127.0.0.1:{server.port}/", Path(folder))


def run(uri, folder):
    journal = folder / "journal"
    environment = {"MONGO_URI": uri, "JOURNAL": str(journal), "HEADRACE_CHECKPOINTS": str(folder / "checkpoints.db")}
    with MongoClient(uri) as client:
        written = change_orders(client["shop"]["orders"])
    print(f"wrote {sum(written.values())} changes: {told(written)}")

    first = headrace(environment, folder / "log")
    wait_for(lambda: len(lines(journal)) >= 20, first)
    first.kill()
    first.wait()
    print(f"killed Headrace (SIGKILL) after {len(lines(journal))} of them")
    second = headrace(environment, folder / "log", "--until-idle", "1")
    if second.wait(SECONDS) != 0:
        print((folder / "log").read_text()[-2_000:])
        return 1
    return show(written, lines(journal))


def change_orders(orders):
    """Every order is placed and paid; some are changed as a whole, some cancelled."""
    for number in range(ORDERS):
        orders.insert_one({"_id": f"order-{number}", "amount": number, "state": "placed"})
        orders.update_one({"_id": f"order-{number}"}, {"$set": {"state": "paid"}})
        if number % 3 == 0:
            orders.replace_one({"_id": f"order-{number}"}, {"amount": number, "state": "sent"})
        if number % 5 == 0:
            orders.delete_one({"_id": f"order-{number}"})
    thirds, fifths = len(range(0, ORDERS, 3)), len(range(0, ORDERS, 5))
    return Counter(insert=ORDERS, update=ORDERS, replace=thirds, delete=fifths)


def headrace(environment, log, *arguments):
    """Headrace on the configuration beside this file."""
    command = [sys.executable, "-m", "pollers", "run", str(HERE / "headrace.yaml"), *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - this example's own command
            command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        )


def lines(journal):
    """What the function has noted: whole lines only."""
    text = journal.read_text() if journal.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def wait_for(condition, process):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("Headrace has not come so far")
        time.sleep(0.002)


def show(written, noted):
    """The books: what was written, what came, and how often."""
    once = {line["token"]: line for line in noted}
    came = Counter(line["operation"] for line in once.values())
    states = {
        order: [line["operation"] for line in once.values() if line["order"] == order] for order in orders_of(once)
    }
    ranks = ["insert", "update", "replace", "delete"]
    in_order = all(kinds == sorted(kinds, key=ranks.index) for kinds in states.values())
    print(f"{'operation':<12}{'written':>9}{'came':>9}")
    for operation in ranks:
        print(f"{operation:<12}{written[operation]:>9}{came[operation]:>9}")
    print(
        f"delivered again after the kill: {len(noted) - len(once)}; each order's changes in order: {'yes' if in_order else 'NO'}"
    )
    balanced = came == written and in_order
    print("the books balance" if balanced else "THE BOOKS DO NOT BALANCE")
    return 0 if balanced else 1


def orders_of(once):
    return {line["order"] for line in once.values()}


def told(counts):
    return ", ".join(f"{count} {operation}" for operation, count in counts.items())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmulatorUnavailable as unavailable:
        sys.exit(str(unavailable))
