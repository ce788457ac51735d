"""The contract of ``nitari.index.base.VectorIndex``, for every adapter: a dictionary and brute force are the judges.

Random sequences of operations are in ``test_index_model.py``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from nitari.errors import NotFoundError, StateError, UsageError
from nitari.index.base import How, Step, VectorIndex
from nitari.types import FloatArray, KeyArray
from support.indexes import ADAPTERS, DIM, FP16, ROWS, Make
from support.vectors import KeyFilter, brute_force, clustered_units, random_units


@pytest.fixture(params=sorted(ADAPTERS))
def make(request: pytest.FixtureRequest) -> Make:
    """One adapter's constructor."""
    return ADAPTERS[str(request.param)]


@pytest.fixture
def filled(make: Make) -> tuple[VectorIndex, KeyArray, FloatArray]:
    """An index with ``ROWS`` clustered vectors under large, unordered keys; the keys; the vectors."""
    vectors, _ = clustered_units(ROWS, DIM, clusters=20)
    keys = np.random.default_rng(1).permutation(ROWS).astype(np.int64) * 7 + 2**40
    index = make(DIM)
    index.add(keys, vectors)
    return index, keys, vectors


def test_an_empty_index_answers_every_query_with_nothing(make: Make, tmp_path: Path) -> None:
    """No rows: no matches, one answer a query, nothing to remove; saved and loaded alike."""
    index = make(DIM)
    index.save(tmp_path)
    loaded = make(DIM)
    loaded.load(tmp_path)
    for empty in (index, loaded):
        answers = empty.query(random_units(3, DIM), 5, allowed=KeyFilter([1]), max_distance=1.0)
        assert [len(found) for found in answers] == [0, 0, 0]
        assert len(empty.query(random_units(1, DIM), 5)[0]) == 0
        assert empty.query(np.empty((0, DIM), np.float32), 5) == []
        assert empty.remove(np.array([1], np.int64)) == 0
        assert len(empty) == 0
        empty.add(np.empty(0, np.int64), np.empty((0, DIM), np.float32))
        assert len(empty) == 0


def test_one_row_is_found_at_distance_zero(make: Make) -> None:
    """A single vector finds itself, and ``k`` may be larger than the index."""
    index = make(DIM)
    vectors = random_units(1, DIM)
    index.add(np.array([-3], np.int64), vectors)
    found = index.query(vectors, 1000)[0]
    assert found.keys.tolist() == [-3]
    assert found.distances[0] == pytest.approx(0.0, abs=1e-6)


def test_k_larger_than_the_index_returns_everything_in_order(
    filled: tuple[VectorIndex, KeyArray, FloatArray],
) -> None:
    """Nothing is left out where more is asked for than there is."""
    index, keys, vectors = filled
    found = index.query(vectors[:1], 10 * ROWS)[0]
    assert sorted(found.keys.tolist()) == sorted(keys.tolist())
    assert (np.diff(found.distances) >= 0).all()


def test_duplicates_come_in_the_order_of_their_keys(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """Equal vectors have equal distances, so the smaller keys come first, also where ``k`` cuts through them."""
    index, _, _ = filled
    vector = random_units(1, DIM, seed=5)
    twins = np.arange(50, dtype=np.int64)[::-1].copy()
    index.add(twins, np.repeat(vector, 50, axis=0))
    for k in (7, 50):
        found = index.query(vector, k)[0]
        assert np.unique(found.distances).size == 1
        assert found.keys.tolist() == list(range(k))


def test_many_queries_get_what_each_gets_alone(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """The number of queries in a call does not show in the answers."""
    index, _, vectors = filled
    together = index.query(vectors[:40], 12)
    for vector, found in zip(vectors[:40], together, strict=True):
        alone = index.query(vector[np.newaxis], 12)[0]
        np.testing.assert_array_equal(alone.keys, found.keys)
        np.testing.assert_array_equal(alone.distances, found.distances)


def test_a_removed_key_never_comes_back(filled: tuple[VectorIndex, KeyArray, FloatArray], tmp_path: Path) -> None:
    """Not by query, not by key, not after a round trip; added again, it is what it was added as."""
    index, keys, vectors = filled
    assert index.remove(keys[:50]) == 50
    assert index.remove(keys[:50]) == 0
    index.save(tmp_path)
    index.load(tmp_path)
    found = index.query(vectors[:50], ROWS)
    gone = set(keys[:50].tolist())
    assert all(len(one) == ROWS - 50 and not gone & set(one.keys.tolist()) for one in found)
    with pytest.raises(NotFoundError, match=str(int(keys[7]))):
        index.vectors(keys[7:8])
    index.add(keys[:1], vectors[60:61])
    np.testing.assert_allclose(index.vectors(keys[:1]), vectors[60:61], atol=FP16)


def test_a_replaced_vector_is_only_found_where_it_is_now(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """Upserts move a key; its old place is empty."""
    index, keys, vectors = filled
    index.add(keys[:1], -vectors[:1])
    assert len(index) == ROWS
    assert index.query(-vectors[:1], 1)[0].keys.tolist() == [int(keys[0])]
    found = index.query(vectors[:1], ROWS)[0]
    assert found.keys[-1] == keys[0]
    assert found.distances[-1] == pytest.approx(2.0, abs=FP16)


def test_a_filter_that_allows_k_rows_gives_k_matches(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """Also where the allowed rows are the farthest ones of all; unknown keys in a filter do no harm."""
    index, keys, vectors = filled
    far = index.query(vectors[:1], ROWS)[0].keys[-15:]
    found = index.query(vectors[:1], 10, allowed=KeyFilter([*far.tolist(), 5, 6]))[0]
    assert len(found) == 10
    assert set(found.keys.tolist()) <= set(far.tolist())
    assert len(index.query(vectors[:1], 10, allowed=KeyFilter([]))[0]) == 0
    everything = index.query(vectors[:1], 10, allowed=KeyFilter(keys.tolist()))[0]
    np.testing.assert_array_equal(everything.keys, index.query(vectors[:1], 10)[0].keys)


def test_a_filter_is_asked_again_once_rows_have_changed(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """Masks are remembered by token, but never over an insertion or a removal."""
    index, keys, vectors = filled
    allowed = KeyFilter([int(keys[0]), 3], name="same")
    for _ in range(3):
        assert index.query(vectors[:1], 5, allowed=allowed)[0].keys.tolist() == [int(keys[0])]
    assert allowed.asked == 1
    index.add(np.array([3], np.int64), vectors[:1])
    assert index.query(vectors[:1], 5, allowed=allowed)[0].keys.tolist() == [3, int(keys[0])]
    index.remove(keys[:1])
    assert index.query(vectors[:1], 5, allowed=allowed)[0].keys.tolist() == [3]


def test_a_filter_with_a_wrong_mask_is_refused(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """A mask of another length or type would allow what must not be seen."""
    index, _, vectors = filled

    class Wrong(KeyFilter):
        def mask(self, keys: KeyArray) -> Any:
            return np.ones(keys.size, np.int8)

    with pytest.raises(UsageError, match="int8"):
        index.query(vectors[:1], 5, allowed=Wrong([1]))


def test_a_radius_includes_its_edge(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """A match at exactly ``max_distance`` is inside; the next one is not."""
    index, _, vectors = filled
    reference = index.query(vectors[:1], 20)[0]
    radius = float(reference.distances[9])
    found = index.query(vectors[:1], 20, max_distance=radius)[0]
    np.testing.assert_array_equal(found.keys, reference.keys[reference.distances <= reference.distances[9]])
    assert len(index.query(-vectors[:1], 5, max_distance=0.0)[0]) == 0


@pytest.mark.parametrize("count", [1, 20, 300])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_a_radius_holds_all_that_is_within(
    filled: tuple[VectorIndex, KeyArray, FloatArray], count: int, share: float
) -> None:
    """Asked for everything within a distance, an index leaves next to nothing out, with a filter or without."""
    index, keys, vectors = filled
    mine = keys[np.random.default_rng(3).random(ROWS) < share]
    rows = index.vectors(mine)
    wanted = found = 0
    for query in vectors[:20]:
        near = brute_force(mine, rows, query, count)[1]
        radius = float(near[-1])
        allowed = None if share == 1.0 else KeyFilter(mine.tolist(), name="mine")
        matches = index.query(query[np.newaxis], ROWS, allowed=allowed, max_distance=radius)[0]
        assert (matches.distances <= radius).all()
        wanted, found = wanted + near.size, found + len(matches)
    assert found >= 0.98 * wanted


def test_distances_are_cosine_distances(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """``1 - cos`` of the stored rows, to the last bit, whatever found them."""
    index, _, vectors = filled
    queries = random_units(5, DIM, seed=11)
    for query, found in zip(queries, index.query(queries, 30), strict=True):
        _, distances = brute_force(found.keys, index.vectors(found.keys), query, 30)
        np.testing.assert_array_equal(found.distances, distances)
    opposite = index.query(-vectors[:1], ROWS)[0]
    assert opposite.distances[-1] == pytest.approx(2.0, abs=FP16)


@pytest.mark.parametrize("share", [None, 0.5, 0.01, 0.0])
@pytest.mark.parametrize("radius", [None, 0.2])
def test_a_trace_says_what_was_done(
    filled: tuple[VectorIndex, KeyArray, FloatArray], share: float | None, radius: float | None
) -> None:
    """Each part tells of each query how many rows it has, how many are allowed, what it did and why; answers stay."""
    index, keys, vectors = filled
    mine = keys[: int(ROWS * (1.0 if share is None else share))]
    allowed = None if share is None else KeyFilter(mine.tolist(), name=f"first {share}")
    trace: list[Step] = []
    told = index.query(vectors[:3], 5, allowed=allowed, max_distance=radius, trace=trace)
    plain = index.query(vectors[:3], 5, allowed=allowed, max_distance=radius)
    assert [one.keys.tolist() for one in told] == [one.keys.tolist() for one in plain]
    assert sum(step.rows for step in trace) == 3 * ROWS
    assert sum(step.allowed for step in trace) == 3 * mine.size
    for step in trace:
        assert step.part
        assert step.reason
        assert step.how in get_args(How)
        assert (step.how == "empty") == (step.allowed == 0)
        assert min(step.probes, step.candidates, step.ms) >= 0


@pytest.mark.parametrize(
    ("keys", "vectors", "message"),
    [
        (np.array([1, 1]), random_units(2, DIM), "twice"),
        (np.array([1], np.int32), random_units(1, DIM), "int32"),
        (np.array([[1]]), random_units(1, DIM), r"\[1, 1\]"),
        ([1], random_units(1, DIM), "list"),
        (np.array([1, 2]), random_units(1, DIM), "2 keys and 1 vectors"),
        (np.array([1]), random_units(1, DIM + 1), "17 wide"),
        (np.array([1]), random_units(1, DIM)[0], "float32 .16.,"),
        (np.array([1]), random_units(1, DIM).astype(np.float64), "float64"),
        (np.array([1, 2]), random_units(2, DIM) * np.float32(1.01), "vector 0 has length 1.01"),
        (np.array([1]), np.zeros((1, DIM), np.float32), "length 0"),
        (np.array([1]), np.full((1, DIM), np.nan, np.float32), "length nan"),
        (np.array([1]), np.full((1, DIM), np.inf, np.float32), "length inf"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(make: Make, keys: Any, vectors: Any, message: str) -> None:
    """Shapes, types, lengths, NaN, infinity, repeats: an error that names what was found."""
    index = make(DIM)
    index.add(np.array([1], np.int64), random_units(1, DIM, seed=9))
    with pytest.raises(UsageError, match=message):
        index.add(keys, vectors)
    assert len(index) == 1
    np.testing.assert_allclose(index.vectors(np.array([1], np.int64)), random_units(1, DIM, seed=9), atol=FP16)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_a_bad_k_is_refused(make: Make, k: Any) -> None:
    """``k`` is a whole number of at least 1."""
    with pytest.raises(UsageError, match="k is"):
        make(DIM).query(random_units(1, DIM), k)


@pytest.mark.parametrize("radius", [-0.1, float("nan"), float("inf")])
def test_a_bad_radius_is_refused(make: Make, radius: float) -> None:
    """A radius is a number not below 0."""
    with pytest.raises(UsageError, match="max_distance"):
        make(DIM).query(random_units(1, DIM), 1, max_distance=radius)


def test_bad_queries_are_refused(make: Make) -> None:
    """Queries are checked as vectors are."""
    for vectors in (random_units(1, DIM + 1), np.full((1, DIM), np.nan, np.float32)):
        with pytest.raises(UsageError):
            make(DIM).query(vectors, 1)


def test_a_width_below_one_is_refused(make: Make) -> None:
    """An index holds vectors of at least one number."""
    with pytest.raises(UsageError, match="0 wide"):
        make(0)


def test_load_refuses_what_is_not_its_own(
    make: Make, filled: tuple[VectorIndex, KeyArray, FloatArray], tmp_path: Path
) -> None:
    """Another width, a missing file, no files: a ``StateError``, and the content stays."""
    index, keys, vectors = filled
    saved = tmp_path / "saved"
    saved.mkdir()
    index.save(saved)
    with pytest.raises(StateError, match="width 16"):
        make(DIM + 1).load(saved)
    (saved / "keys.npy").unlink()
    for folder in (saved, tmp_path / "none"):
        with pytest.raises(StateError):
            index.load(folder)
    assert len(index) == ROWS
    np.testing.assert_allclose(index.vectors(keys), vectors, atol=FP16)


def test_every_flipped_bit_in_a_saved_index_is_seen(
    filled: tuple[VectorIndex, KeyArray, FloatArray], tmp_path: Path
) -> None:
    """A changed bit anywhere, or a byte too few, is found before anything is used."""
    index, _, _ = filled
    index.save(tmp_path)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.iterdir()):
        good = path.read_bytes()
        for at in rng.integers(0, len(good), 25).tolist():
            bad = bytearray(good)
            bad[at] ^= 1 << int(rng.integers(0, 8))
            path.write_bytes(bytes(bad))
            with pytest.raises(StateError):
                index.load(tmp_path)
        path.write_bytes(good[:-1])
        with pytest.raises(StateError):
            index.load(tmp_path)
        path.write_bytes(good)
    index.load(tmp_path)
    assert len(index) == ROWS


def test_readers_may_run_side_by_side(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """Threads that only read get the same answers as one thread."""
    index, keys, vectors = filled
    filters = [None, KeyFilter(keys[: ROWS // 2].tolist()), KeyFilter(keys[:30].tolist())]
    expected = [[found.keys.tolist() for found in index.query(vectors[:9], 10, allowed=one)] for one in filters]

    def ask(number: int) -> bool:
        which = number % len(filters)
        found = index.query(vectors[:9], 10, allowed=filters[which])
        return [one.keys.tolist() for one in found] == expected[which]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))


def test_close_lets_go_of_everything(filled: tuple[VectorIndex, KeyArray, FloatArray]) -> None:
    """A closed index is empty."""
    index, _, _ = filled
    index.close()
    assert len(index) == 0
