"""What is particular to the NGT index: the recall that is promised, filters, radii, and edits of its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.base import Step
from nitari.index.exact import ExactIndex
from nitari.index.ngt import NgtIndex
from nitari.index.seal import write_seal
from nitari.types import FloatArray, KeyArray
from support.vectors import KeyFilter, manifold_units, random_units

ROWS, DIM = 8000, 48
Collection = tuple[NgtIndex, ExactIndex, KeyArray, FloatArray]


@pytest.fixture(scope="module")
def collection() -> Collection:
    """A collection with a graph, that never compares all rows to save time; the judge; keys; vectors."""
    vectors = manifold_units(ROWS, DIM)
    keys = np.arange(ROWS, dtype=np.int64) * 3
    index, judge = NgtIndex(DIM, graph_at=1000, scan_numbers=0), ExactIndex(DIM)
    index.add(keys, vectors)
    judge.add(keys, vectors)
    assert index.efforts
    return index, judge, keys, vectors


def recall(index: NgtIndex, judge: ExactIndex, queries: FloatArray, k: int, allowed: KeyFilter | None = None) -> float:
    """Share of the exact answer that is found; every answer has all that it can have."""
    shares = []
    pairs = zip(index.query(queries, k, allowed=allowed), judge.query(queries, k, allowed=allowed), strict=True)
    for one, other in pairs:
        assert len(one) == len(other)
        shares.append(np.isin(other.keys, one.keys).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("k", [10, 100])
def test_recall_is_as_promised(collection: Collection, k: int) -> None:
    """New photos of known kinds of things: at least .98 of what exact search finds."""
    index, judge, _, _ = collection
    assert recall(index, judge, manifold_units(200, DIM, seed=77), k) >= 0.98


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.001])
def test_recall_holds_under_filters(collection: Collection, share: float) -> None:
    """A tag that has nothing to do with looks."""
    index, judge, keys, _ = collection
    allowed = KeyFilter(keys[np.random.default_rng(5).random(ROWS) < share].tolist(), name=f"tag-{share}")
    assert recall(index, judge, manifold_units(100, DIM, seed=78), 10, allowed) >= 0.98


def test_recall_holds_where_the_filter_goes_with_looks(collection: Collection) -> None:
    """What is allowed lies on the other side of the space: the pool is widened, then all allowed rows are compared."""
    index, judge, keys, vectors = collection
    queries = manifold_units(50, DIM, seed=79)
    allowed = KeyFilter(keys[np.argsort(vectors @ queries[0])[:2000]].tolist(), name="far")
    trace: list[Step] = []
    index.query(queries, 10, allowed=allowed, trace=trace)
    assert {step.how for step in trace} >= {"gather"}
    assert recall(index, judge, queries, 10, allowed) >= 0.98


@pytest.mark.parametrize("radius", [0.02, 0.1, 0.25])
def test_a_radius_needs_no_luck(collection: Collection, radius: float) -> None:
    """Everything within a distance is found, from none to hundreds of rows, without comparing all."""
    index, judge, _, _ = collection
    queries = manifold_units(50, DIM, seed=80)
    trace: list[Step] = []
    found = index.query(queries, ROWS, max_distance=radius, trace=trace)
    wanted = judge.query(queries, ROWS, max_distance=radius - 1e-3)
    shared = [np.isin(other.keys, one.keys).sum() for one, other in zip(found, wanted, strict=True)]
    assert sum(shared) >= 0.99 * sum(len(other) for other in wanted)
    assert sum(step.how == "graph" for step in trace) >= 40


def test_edits_keep_the_recall() -> None:
    """Rows come, go and change, and are measured again now and then."""
    vectors = manifold_units(4000, 32)
    keys = np.arange(4000, dtype=np.int64)
    index, judge = NgtIndex(32, graph_at=500, scan_numbers=0), ExactIndex(32)
    rng = np.random.default_rng(0)
    measured = set()
    for start in range(0, 4000, 500):
        for one in (index, judge):
            one.add(keys[start : start + 500], vectors[start : start + 500])
        gone = rng.choice(start + 500, 60, replace=False)
        changed = rng.choice(start + 500, 60, replace=False)
        for one in (index, judge):
            one.remove(keys[gone])
            one.add(keys[changed], vectors[(changed + 1) % 4000])
        measured.add(index._measured_rows)
    assert len(measured) >= 3
    assert recall(index, judge, manifold_units(100, 32, seed=81), 10) >= 0.98


def test_the_same_again_costs_nothing(collection: Collection) -> None:
    """A feed that says what was known does not touch the graph."""
    index, _, keys, vectors = collection
    written = index._written
    index.add(keys[:500], vectors[:500])
    assert index._written == written


def test_copies_of_a_vector_are_all_found() -> None:
    """Five hundred listings with one photo, of which NGT by itself finds forty."""
    vectors = manifold_units(2000, 32)
    index = NgtIndex(32, graph_at=500, scan_numbers=0)
    index.add(np.arange(2000, dtype=np.int64), vectors)
    copies = np.arange(5000, 5500, dtype=np.int64)
    index.add(copies, np.repeat(vectors[7:8], 500, axis=0))
    found = index.query(vectors[7:8], 501)[0]
    assert found.keys.tolist() == [7, *copies.tolist()]
    index.remove(copies[::2])
    assert index.query(vectors[7:8], 251)[0].keys.tolist() == [7, *copies[1::2].tolist()]
    index.remove(np.array([7]))
    assert index.query(vectors[7:8], 250)[0].keys.tolist() == copies[1::2].tolist()


def test_a_saved_collection_answers_alike(collection: Collection, tmp_path: Path) -> None:
    """Graph, efforts and rows survive a round trip, and edits go on from there."""
    index, judge, keys, vectors = collection
    index.save(tmp_path)
    loaded = NgtIndex(DIM, graph_at=1000, scan_numbers=0)
    loaded.load(tmp_path)
    queries = manifold_units(50, DIM, seed=82)
    assert loaded.efforts == index.efforts
    for one, other in zip(index.query(queries, 20), loaded.query(queries, 20), strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_array_equal(one.distances, other.distances)
    loaded.remove(keys[:100])
    loaded.add(keys[:100], vectors[:100])
    assert recall(loaded, judge, queries, 10) >= 0.98


def test_a_graph_of_something_else_is_refused(collection: Collection, tmp_path: Path) -> None:
    """Files that fit their seal, but not each other."""
    index, _, keys, _ = collection
    index.save(tmp_path)
    few = NgtIndex(DIM, graph_at=32)
    few.add(keys[:40], random_units(40, DIM))
    other = tmp_path / "other"
    other.mkdir()
    few.save(other)
    for name in ("grp", "obj", "prf", "robj", "tre"):
        (other / f"ngt-{name}").replace(tmp_path / f"ngt-{name}")
    for path in other.iterdir():
        path.unlink()
    other.rmdir()
    (tmp_path / "index.json").unlink()
    parameters = {"graph": True, "measured_rows": ROWS, "written": 0, "efforts": []}
    write_seal(tmp_path, engine="ngt", version=1, dim=DIM, count=ROWS, parameters=parameters)
    with pytest.raises(StateError, match=f"holds 40 vectors, expected {ROWS}"):
        few.load(tmp_path)
    assert len(few) == 40


def test_shrinking_becomes_exact_again() -> None:
    """With few rows left the graph is dropped, and nothing is lost."""
    vectors = manifold_units(1200, 16)
    index = NgtIndex(16, graph_at=1000, scan_numbers=0)
    index.add(np.arange(1200, dtype=np.int64), vectors)
    assert index.efforts
    index.remove(np.arange(300, 1200, dtype=np.int64))
    assert not index.efforts
    assert [one.keys[0] for one in index.query(vectors[:300], 1)] == list(range(300))
