"""What an approximate index is calibrated with: queries of its own kind, and their true answers."""

from __future__ import annotations

import numpy as np

from nitari.index.calibrate import DEPTHS, Effort, Search, calibrate
from nitari.index.rows import RowStore
from nitari.index.scan import scan

_QUERIES = 240


def calibrate_store(
    store: RowStore, search: Search, *, lists: int, probe_cost: float, row_cost: float
) -> tuple[Effort, ...]:
    """Measure how hard ``search`` must look: for rows of the store, and for mixtures of two, far from all.

    Args:
        store: The rows that are searched, at least 4.
        search: The approximate search.
        lists: The largest useful number of probes.
        probe_cost: Cost of one probe, in any unit.
        row_cost: Cost of one true distance, in the same unit.
    """
    count = len(store)
    half = _QUERIES // 2
    picked = np.random.default_rng(1).permutation(count)[: 3 * half]
    single, first, second = (store.rows(part) for part in np.array_split(picked, 3))
    mixed = first[: len(second)] + second
    norms = np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)
    mixed = (mixed / norms)[norms[:, 0] > 0.1]  # opposites cancel out: no direction is left
    queries = np.ascontiguousarray(np.concatenate([single, mixed]), np.float32)
    own = np.concatenate([picked[: len(single)], np.full(len(mixed), -1)])
    depth = min(DEPTHS[-1] + 1, count // 4)
    truth = np.stack([store.find(matches.keys) for matches in scan(store, queries, depth)])
    return calibrate(queries, own, truth, search, rows=count, lists=lists, probe_cost=probe_cost, row_cost=row_cost)
