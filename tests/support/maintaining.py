"""A process that maintains an index without end, over a catalog that changes without end: to be killed."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.store import IndexStore
from support.truths import ORIGIN, Truth

SMALL = Policy(seal_rows=64, fanout=3, table_changes=50)


def changed(truth: Truth, chance: random.Random) -> None:
    """Put and delete some keys."""
    first = max(truth.rows, default=0) + 1
    truth.put(*range(first, first + chance.randrange(200)))
    some = sorted(truth.rows)
    truth.delete(*chance.sample(some, chance.randrange(len(some) // 3 + 1)))


def main(folder: str, seed: int) -> None:
    """Maintain the index in ``folder`` until killed."""
    truth, chance = Truth(), random.Random(seed)
    truth.at = seed * 1_000_000
    store = IndexStore(Path(folder), origin=ORIGIN, engines={})
    maintainer = Maintainer(store=store, truth=truth, policy=SMALL, tables=truth)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        changed(truth, chance)
        maintainer.run_once(settle=chance.random() < 0.3)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
