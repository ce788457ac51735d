"""What is particular to exact search: many blocks, many queries, no trace of how it got there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.index import rows, scan
from nitari.index.exact import ExactIndex
from support.vectors import KeyFilter, brute_force, lattice_units, random_units

DIM = 8


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 rows and groups of a few queries, so that a small test crosses many borders."""
    monkeypatch.setattr(rows, "_BLOCK_BYTES", 600)
    monkeypatch.setattr(scan, "_SCORES_BYTES", 4000)


@pytest.mark.usefixtures("small_blocks")
def test_many_blocks_agree_with_brute_force(tmp_path: Path) -> None:
    """Random edits over many blocks: answers, vectors and saved files are those of one dictionary."""
    rng = np.random.default_rng(0)
    index, content = ExactIndex(DIM), dict[int, np.ndarray[tuple[int], np.dtype[np.float32]]]()
    for step in range(60):
        keys = rng.choice(300, 80, replace=False).astype(np.int64)
        if rng.random() < 0.65:
            vectors = lattice_units(80, DIM, seed=step)
            index.add(keys, vectors)
            content.update(zip(keys.tolist(), vectors, strict=True))
        else:
            index.remove(keys)
            for key in keys.tolist():
                content.pop(key, None)
        if step % 20 == 10:
            (tmp_path / str(step)).mkdir()
            index.save(tmp_path / str(step))
            index = ExactIndex(DIM)
            index.load(tmp_path / str(step))
        for share in (1.0, 0.6, 0.1):
            there = np.array([key for key in sorted(content) if rng.random() < share], np.int64)
            if not there.size:
                continue
            stored = np.stack([content[key] for key in there.tolist()])
            np.testing.assert_array_equal(index.vectors(there), stored)
            queries = lattice_units(11, DIM, seed=1000 + step)
            for query, found in zip(queries, index.query(queries, 7, allowed=KeyFilter(there.tolist())), strict=True):
                wanted, distances = brute_force(there, stored, query, 7)
                np.testing.assert_array_equal(found.keys, wanted)
                np.testing.assert_array_equal(found.distances, distances)


def test_the_order_of_insertion_does_not_show() -> None:
    """The same rows in another order give the same bits."""
    vectors, keys = random_units(500, DIM), np.arange(500, dtype=np.int64)
    order = np.random.default_rng(0).permutation(500)
    one, other = ExactIndex(DIM), ExactIndex(DIM)
    one.add(keys, vectors)
    other.add(keys[order], vectors[order])
    for first, second in zip(one.query(vectors[:20], 30), other.query(vectors[:20], 30), strict=True):
        np.testing.assert_array_equal(first.keys, second.keys)
        np.testing.assert_array_equal(first.distances, second.distances)


@pytest.mark.usefixtures("small_blocks")
def test_removed_rows_give_their_memory_back() -> None:
    """Blocks that are empty are let go, and what is left is dense."""
    index = ExactIndex(DIM)
    index.add(np.arange(200, dtype=np.int64), random_units(200, DIM))
    index.remove(np.arange(0, 200, 2, dtype=np.int64))
    index.remove(np.arange(1, 181, 2, dtype=np.int64))
    assert len(index) == 10
    assert len(index._store._blocks) == 1
