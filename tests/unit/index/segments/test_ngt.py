"""What is particular to NGT in sealed segments: nodes of equal rows, widening under filters, and its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.segments.engine import HalfArray
from nitari.index.segments.ngt import POOL_STEP, NgtEngine, NgtSearcher
from support.vectors import manifold_units

ROWS, DIM = 3000, 24


def built(rows: HalfArray, folder: Path) -> tuple[NgtSearcher, HalfArray, dict[str, object]]:
    """A searcher over a new segment, its rows as laid down, and what describes it."""
    made = NgtEngine().build(rows, folder)
    laid = rows if made.order is None else rows[made.order]
    return NgtEngine().open(folder, laid, made.parameters), laid, dict(made.parameters)


@pytest.fixture(scope="module")
def rows() -> HalfArray:
    """Distinct rows."""
    return manifold_units(ROWS, DIM).astype(np.float16)


@pytest.fixture(scope="module")
def searcher(rows: HalfArray, tmp_path_factory: pytest.TempPathFactory) -> NgtSearcher:
    """Over these rows."""
    return built(rows, tmp_path_factory.mktemp("segment"))[0]


def test_distinct_rows_stay_where_they_are(rows: HalfArray, tmp_path: Path) -> None:
    """No order is asked for, and no table of nodes is written."""
    made = NgtEngine().build(rows[:200], tmp_path)
    assert made.order is None
    assert not (tmp_path / "ngt-starts.npy").exists()


def test_equal_rows_are_one_node(rows: HalfArray, tmp_path: Path) -> None:
    """A photo that a thousand listings share costs one node, and all of them are found by it."""
    copied = np.concatenate([rows[:500], np.repeat(rows[3:4], 1000, axis=0), rows[500:]])
    searcher, laid, parameters = built(copied, tmp_path)
    assert parameters["nodes"] == ROWS
    vector = rows[3].astype(np.float32) / np.float32(np.linalg.norm(rows[3].astype(np.float32)))
    near = searcher.nearest(vector, 1001, probes=4, candidates=1001)
    assert near.slots.size == 1001
    assert (laid[near.slots] == rows[3]).all()


def test_a_pool_has_as_many_places_as_are_probed(searcher: NgtSearcher, rows: HalfArray) -> None:
    """``probes`` alone says how far a walk goes, so that effort can be measured; ``k`` is always answered."""
    vector = manifold_units(1, DIM, seed=3)[0]
    assert searcher.lists == -(-ROWS // POOL_STEP)
    assert searcher.nearest(vector, 5, probes=4, candidates=1000).looked == 4 * POOL_STEP
    assert searcher.nearest(vector, 5, probes=4, candidates=7).compared == 7
    assert searcher.nearest(vector, 100, probes=1, candidates=100).slots.size == 100
    assert searcher.nearest(vector, 5 * ROWS, probes=1, candidates=5 * ROWS).slots.size == ROWS


def test_under_a_filter_the_pool_is_widened(searcher: NgtSearcher, rows: HalfArray) -> None:
    """Until what is wanted stands in its first half; where hardly anything is allowed, that is compared instead."""
    vector = manifold_units(1, DIM, seed=4)[0]
    order = np.argsort(-(rows.astype(np.float32) @ vector))
    third = np.zeros(ROWS, np.bool_)
    third[order[20::3]] = True
    near = searcher.nearest(vector, 10, probes=2, candidates=10, bits=np.packbits(third, bitorder="little"))
    assert 50 * 2 < near.looked < ROWS
    assert near.late == 0
    np.testing.assert_array_equal(np.sort(near.slots), np.sort(order[20:50:3]))
    few = np.zeros(ROWS, np.bool_)
    few[order[-30:]] = True
    near = searcher.nearest(vector, 10, probes=2, candidates=10, bits=np.packbits(few, bitorder="little"))
    assert near.compared == 30
    np.testing.assert_array_equal(np.sort(near.slots), np.sort(order[-30:-20]))


def test_a_flipped_bit_is_seen(rows: HalfArray, tmp_path: Path) -> None:
    """NGT would believe it, or fall over it."""
    _, laid, parameters = built(np.concatenate([rows[:300], rows[:10]]), tmp_path)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.iterdir()):
        good = path.read_bytes()
        for at in rng.integers(0, len(good), 5).tolist():
            bad = bytearray(good)
            bad[at] ^= 1 << int(rng.integers(0, 8))
            path.write_bytes(bytes(bad))
            with pytest.raises(StateError):
                NgtEngine().open(tmp_path, laid, parameters)
        path.write_bytes(good)
    NgtEngine().open(tmp_path, laid, parameters)


def test_another_format_is_refused(rows: HalfArray, tmp_path: Path) -> None:
    """What a later version writes is not guessed at."""
    _, laid, parameters = built(rows[:100], tmp_path)
    with pytest.raises(StateError, match="format"):
        NgtEngine().open(tmp_path, laid, {**parameters, "format": 2})
