"""What was acknowledged survives the end of the process at any moment, and nothing is ever there by half."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nitari.catalog.base import ChangeKind
from support.catalogs import ADAPTERS, COLLECTION, indexed, photo, put, ready, vectors_by_key

CARD = COLLECTION.name
ITEMS = 6
TESTS = Path(__file__).parents[1]

# Applies batches for ever, each of ITEMS items, and prints the number of every batch once it is acknowledged. Item 0
# of a batch replaces one of the batch before it, so that there is always something to delete as well.
WRITER = f"""
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from nitari.catalog.base import ItemDelete
from support.catalogs import ADAPTERS, photo, put, ready

name, folder, batch = sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
catalog = ready(ADAPTERS[name](folder))
print("ready", flush=True)
while True:
    edits = [put(f"{{batch}}/{{n}}", photo("1", f"{{batch}}/{{n}}", views=2)) for n in range({ITEMS})]
    catalog.apply([ItemDelete(f"{{batch - 1}}/0"), *edits], collection="{CARD}")
    print(batch, flush=True)
    batch += 1
"""


def write_until_killed(adapter: str, folder: Path, batch: int, seconds: float) -> int:
    """Run the writer from ``batch`` on, kill it, and return the last batch that it acknowledged."""
    command = [sys.executable, "-c", WRITER, str(TESTS), adapter, str(folder), str(batch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.kill()
        lines = process.stdout.read().split()
    return int(lines[-1]) if lines else batch - 1


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_kill_at_any_moment(adapter: str, tmp_path: Path) -> None:
    """Killed again and again while it writes, a catalog holds every acknowledged batch, and each batch whole or not."""
    dice = random.Random(5)
    batch = 0
    for _ in range(5):
        acknowledged = write_until_killed(adapter, tmp_path, batch, dice.uniform(0.0, 0.15))
        catalog = ADAPTERS[adapter](tmp_path)
        held, vectors = indexed(catalog), vectors_by_key(catalog)
        changes = catalog.changes(0, limit=10**6)
        catalog.close()
        batches: dict[int, set[int]] = {}
        for item_id in held:
            of, n = item_id.split("/")
            batches.setdefault(int(of), set()).add(int(n))
        last = max(batches, default=-1)
        assert last in (acknowledged, acknowledged + 1)
        everything = set(range(ITEMS))
        assert batches == {b: everything if b == last else everything - {0} for b in range(last + 1)}
        keys = [int(key) for item in held.values() for key in item.keys]
        assert len(keys) == 2 * len(held)
        assert sorted(keys) == sorted(vectors)
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
        assert sum(change.kind is ChangeKind.DELETE for change in changes) == max(0, last)
        batch = last + 1
    assert batch > 0


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_processes_at_once(adapter: str, tmp_path: Path) -> None:
    """Two processes write while a third reads: the reader never waits, never sees a gap, and nothing is lost."""
    catalog = ready(ADAPTERS[adapter](tmp_path))
    command = [sys.executable, "-c", WRITER, str(TESTS), adapter, str(tmp_path)]
    writers = [subprocess.Popen([*command, start], stdout=subprocess.PIPE, text=True) for start in ("0", "100000")]
    try:
        seen = 0
        while len(catalog.known(["3/1", "100003/1"], collection=CARD)) < 2:
            changes = catalog.changes(seen)
            assert [change.seq for change in changes] == list(range(seen + 1, seen + 1 + len(changes)))
            seen += len(changes)
            catalog.apply([put("mine", photo("1", "d"), title=str(seen))], collection=CARD)
    finally:
        acknowledged = []
        for writer in writers:
            writer.kill()
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.read().split()[1:])
            writer.stdout.close()
            writer.wait()
    held = indexed(catalog)
    for batches in acknowledged:
        assert all(f"{batch}/1" in held for batch in batches)
    assert all(acknowledged)
    keys = [int(key) for item in held.values() for key in item.keys]
    assert sorted(keys) == sorted(vectors_by_key(catalog))
    catalog.close()
