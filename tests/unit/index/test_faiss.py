"""What is particular to Faiss: the recall that is promised, growth, and the thread setting it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest

from nitari.index.exact import ExactIndex
from nitari.index.faiss import FaissIndex
from nitari.types import FloatArray, KeyArray
from support.vectors import KeyFilter, clustered_units

ROWS, DIM, CLUSTERS = 36_000, 128, 300
Collection = tuple[FaissIndex, ExactIndex, KeyArray, KeyArray]


@pytest.fixture(scope="module")
def collection() -> Collection:
    """A collection large enough that default parameters search by codes; the judge; keys and their clusters."""
    vectors, labels = clustered_units(ROWS, DIM, clusters=CLUSTERS)
    keys = np.arange(ROWS, dtype=np.int64) * 3
    index, judge = FaissIndex(DIM), ExactIndex(DIM)
    index.add(keys, vectors)
    judge.add(keys, vectors)
    assert index.efforts
    return index, judge, keys, labels


def recall(collection: Collection, queries: FloatArray, k: int, allowed: KeyFilter | None = None) -> float:
    """Share of the exact answer that is found; every answer has all that it can have."""
    index, judge, _, _ = collection
    shares = []
    found = index.query(queries, k, allowed=allowed)
    for one, other in zip(found, judge.query(queries, k, allowed=allowed), strict=True):
        assert len(one) == len(other)
        shares.append(np.isin(other.keys, one.keys).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("k", [10, 100])
def test_recall_is_as_promised(collection: Collection, k: int) -> None:
    """New photos of known kinds of things: at least .98 of what exact search finds."""
    queries, _ = clustered_units(200, DIM, clusters=CLUSTERS, seed=77)
    assert recall(collection, queries, k) >= 0.98


@pytest.mark.parametrize("share", [0.95, 0.5, 0.2, 0.02, 0.0002])
def test_recall_holds_under_filters(collection: Collection, share: float) -> None:
    """A tag that has nothing to do with looks."""
    _, _, keys, _ = collection
    rng = np.random.default_rng(5)
    queries, _ = clustered_units(100, DIM, clusters=CLUSTERS, seed=78)
    allowed = KeyFilter(keys[rng.random(ROWS) < share].tolist(), name=f"tag-{share}")
    assert recall(collection, queries, 10, allowed) >= 0.98


@pytest.mark.parametrize("clusters", [3, 270])
def test_recall_holds_where_the_filter_goes_with_looks(collection: Collection, clusters: int) -> None:
    """A tag of some kinds of things only, asked with photos of other kinds, too; scanning is switched off."""
    index, judge, keys, labels = collection
    queries, _ = clustered_units(100, DIM, clusters=CLUSTERS, seed=79)
    allowed = KeyFilter(keys[labels < clusters].tolist(), name=f"kind-{clusters}")
    assert recall(collection, queries, 10, allowed) >= 0.98
    index._scan_numbers = 0
    try:
        found = index.query(queries, 10, allowed=allowed)
    finally:
        index._scan_numbers = 2**22
    assert [len(one) for one in found] == [10] * 100
    wanted = judge.query(queries, 10, allowed=allowed)
    shares = [np.isin(b.keys, a.keys).mean() for a, b in zip(found, wanted, strict=True)]
    assert np.mean(shares) >= 0.98


def test_the_callers_thread_setting_is_left_alone(collection: Collection) -> None:
    """Faiss runs one thread inside a query; what was set before is set after."""
    index, _, keys, _ = collection
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        index.query(index.vectors(keys[:2]), 5)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_a_saved_collection_answers_alike(collection: Collection, tmp_path: Path) -> None:
    """Codes, efforts and rows survive a round trip: the same answers, bit by bit."""
    index, _, _, _ = collection
    index.save(tmp_path)
    loaded = FaissIndex(DIM)
    loaded.load(tmp_path)
    queries, _ = clustered_units(50, DIM, clusters=CLUSTERS, seed=80)
    assert loaded.efforts == index.efforts
    for one, other in zip(index.query(queries, 20), loaded.query(queries, 20), strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_array_equal(one.distances, other.distances)


def test_growth_builds_anew_and_keeps_recall() -> None:
    """Rows of kinds that the first build never saw: after the collection has doubled they are found as well."""
    index, judge = FaissIndex(32, train_at=1000, scan_numbers=0), ExactIndex(32)
    first, labels = clustered_units(6000, 32, clusters=40)
    order = np.argsort(labels, kind="stable").astype(np.int64)
    builds = set()
    for start in range(0, 6000, 500):
        part = order[start : start + 500]
        index.add(part, first[part])
        judge.add(part, first[part])
        builds.add(index._trained_rows)
    assert len(builds) == 4  # not trained, 1000, 2000, 4000
    queries, _ = clustered_units(100, 32, clusters=40, seed=9)
    pairs = zip(index.query(queries, 10), judge.query(queries, 10), strict=True)
    assert np.mean([np.isin(b.keys, a.keys).mean() for a, b in pairs]) >= 0.97


def test_what_is_added_after_a_removal_is_found() -> None:
    """Codes are written into places where removed ones stood: nothing of these remains."""
    vectors, _ = clustered_units(4000, 32, clusters=40)
    keys = np.arange(4000, dtype=np.int64)
    index = FaissIndex(32, train_at=1000, scan_numbers=0)
    index.add(keys, vectors)
    for _ in range(3):
        index.remove(keys[:300])
        index.add(keys[:300], vectors[:300])
    index.add(keys[300:400], vectors[300:400])  # replaced, by the same
    found = index.query(vectors[:400], 1)
    assert np.mean([one.keys[0] == key for one, key in zip(found, keys, strict=False)]) >= 0.99


def test_shrinking_becomes_exact_again() -> None:
    """With few rows left the codes are dropped, and nothing is lost."""
    vectors, _ = clustered_units(2000, 16, clusters=20)
    index = FaissIndex(16, train_at=1000, scan_numbers=0)
    index.add(np.arange(2000, dtype=np.int64), vectors)
    assert index.efforts
    index.remove(np.arange(300, 2000, dtype=np.int64))
    assert not index.efforts
    assert [one.keys[0] for one in index.query(vectors[:300], 1)] == list(range(300))


def test_without_faiss_the_extra_is_named() -> None:
    """Importing the adapter without the library says what to install."""
    code = (
        "import sys; sys.modules['faiss'] = None\n"
        "from nitari.errors import MissingExtraError\n"
        "try:\n    import nitari.index.faiss\n"
        "except MissingExtraError as exc:\n    print(exc.remedy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install 'nitari[faiss]'"
