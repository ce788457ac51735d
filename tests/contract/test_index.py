"""The contract of ``nitari.index.base.VectorIndex``, for every adapter: a dictionary and brute force are the judges."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nitari.errors import NotFoundError, StateError, UsageError
from nitari.index.base import VectorIndex
from nitari.index.exact import ExactIndex
from nitari.index.faiss import FaissIndex
from nitari.index.segments.costs import Costs
from nitari.index.segments.segmented import SegmentedIndex
from nitari.types import FloatArray, KeyArray, Matches
from support.segments import ListEngine, SealingIndex
from support.vectors import KeyFilter, brute_force, clustered_units, lattice_units, random_units

Make = Callable[[int], VectorIndex]


def trained(dim: int) -> VectorIndex:
    """Faiss that turns to its codes as early as it can and never falls back on a scan to save time."""
    return FaissIndex(dim, train_at=640, scan_numbers=0)


def with_lists(dim: int) -> VectorIndex:
    """Segments with an engine, which is asked wherever it can be."""
    dear = Costs(1e6, 1e6, 1e6, 1e6, 1e6, 1e3, 1.0, 1.0)
    return SealingIndex(dim, seal_at=600, engine=ListEngine(), costs=dear)


ADAPTERS: dict[str, Make] = {
    "exact": ExactIndex,
    "faiss": FaissIndex,
    "faiss-trained": trained,
    "segments": SegmentedIndex,
    "segments-sealed": SealingIndex,
    "segments-lists": with_lists,
}
# Enough rows that every adapter is in the state its name says.
ROWS = 700
DIM = 16
# fp16 has 11 bits: a dot product of unit rows is off by at most 2**-11, and the rows' lengths as much again.
FP16 = 1e-3


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


def is_approximate(index: VectorIndex) -> bool:
    """Whether the index may miss some of the nearest, as it is now."""
    if isinstance(index, SegmentedIndex):
        return any(segment.searcher is not None for segment in index.segments)
    return isinstance(index, FaissIndex) and bool(index.efforts)


def check_answer(
    index: VectorIndex, found: Matches, content: dict[int, FloatArray], query: FloatArray, k: int, radius: float | None
) -> None:
    """``found`` is right by the contract: equal to brute force where the adapter is exact, sound where it is not.

    Brute force looks at the stored rows, which may be rounded; that they are those of ``content`` is checked elsewhere.
    """
    keys = np.array(sorted(content), np.int64)
    rows = index.vectors(keys)
    assert found.keys.dtype == np.int64
    assert found.distances.dtype == np.float32
    if not is_approximate(index):
        wanted, distances = brute_force(keys, rows, query, k, radius)
        np.testing.assert_array_equal(found.keys, wanted)
        np.testing.assert_array_equal(found.distances, distances)
        return
    assert np.unique(found.keys).size == found.keys.size
    assert set(found.keys.tolist()) <= content.keys()
    order = np.lexsort((found.keys, found.distances))
    np.testing.assert_array_equal(order, np.arange(order.size))
    own = np.array([1.0 - float(np.dot(content[key], query)) for key in found.keys.tolist()])
    np.testing.assert_allclose(found.distances, own, atol=FP16)
    if radius is None:
        assert len(found) == min(k, len(content))
    else:
        assert (found.distances <= radius).all()


class Machine(RuleBasedStateMachine):
    """Random operations on an index and on a dictionary, which must agree."""

    make: Make
    start = 0
    dim = 5
    universe = 60

    @initialize()
    def begin(self) -> None:
        """Start with an index of ``start`` rows."""
        self.index = type(self).make(self.dim)
        self.content: dict[int, FloatArray] = {}
        if self.start:
            self.put(range(self.start), 99)

    def put(self, keys: Any, seed: int) -> None:
        """Add to both."""
        array = np.array(list(keys), np.int64)
        vectors = lattice_units(array.size, self.dim, seed=seed)
        self.index.add(array, vectors)
        self.content.update(zip(array.tolist(), vectors, strict=True))

    @rule(keys=st.sets(st.integers(0, universe), max_size=12), seed=st.integers(0, 2**16))
    def add(self, keys: set[int], seed: int) -> None:
        """Insert some, replace others, add removed ones again."""
        self.put(keys, seed)

    @rule(seed=st.integers(0, 2**16), count=st.integers(1, 300))
    def add_many(self, seed: int, count: int) -> None:
        """Grow."""
        self.put(range(100, 100 + count), seed)

    @rule(keys=st.lists(st.integers(-1, universe + 2), max_size=12))
    def remove(self, keys: list[int]) -> None:
        """Remove known and unknown keys, some of them twice."""
        there = {key for key in keys if self.content.pop(key, None) is not None}
        assert self.index.remove(np.array(keys, np.int64)) == len(there)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 2**16))
    def remove_many(self, share: float, seed: int) -> None:
        """Shrink."""
        rng = np.random.default_rng(seed)
        keys = [key for key in self.content if rng.random() < share]
        assert self.index.remove(np.array(keys, np.int64)) == len(keys)
        for key in keys:
            del self.content[key]

    @rule(
        k=st.integers(1, 80),
        seed=st.integers(0, 2**16),
        share=st.none() | st.floats(0, 1),
        radius=st.none() | st.floats(0, 2),
        queries=st.integers(1, 9),
    )
    def query(self, k: int, seed: int, share: float | None, radius: float | None, queries: int) -> None:
        """Ask with and without filter and radius."""
        rng = np.random.default_rng(seed)
        allowed = None if share is None else [key for key in self.content if rng.random() < share]
        content = self.content if allowed is None else {key: self.content[key] for key in allowed}
        vectors = lattice_units(queries, self.dim, seed=seed)
        answers = self.index.query(
            vectors, k, allowed=None if allowed is None else KeyFilter(allowed), max_distance=radius
        )
        assert len(answers) == queries
        for found, vector in zip(answers, vectors, strict=True):
            check_answer(self.index, found, content, vector, k, radius)

    @rule()
    def save_and_load(self) -> None:
        """Go on with a fresh object that loaded what this one saved."""
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index.close()
            self.index = type(self).make(self.dim)
            self.index.load(Path(folder))

    @invariant()
    def same_content(self) -> None:
        """Both hold the same keys with the same vectors."""
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.content)
        keys = np.array(sorted(self.content), np.int64)
        np.testing.assert_array_equal(np.sort(self.index.keys()), keys)
        if keys.size:
            rows = np.stack([self.content[key] for key in keys.tolist()])
            np.testing.assert_allclose(self.index.vectors(keys), rows, atol=FP16)


class ExactMachine(Machine):
    """Exact search."""

    make = ExactIndex


class FaissMachine(Machine):
    """Faiss below the number of rows it trains at."""

    make = FaissIndex


class TrainedMachine(Machine):
    """Faiss that starts with codes, and drops or rebuilds them as rows come and go."""

    make = staticmethod(trained)
    start = ROWS


class SegmentsMachine(Machine):
    """Segments that nobody seals."""

    make = SegmentedIndex


class SealingMachine(Machine):
    """Small segments that are sealed, merged and scanned."""

    make = SealingIndex


class ListsMachine(Machine):
    """Segments with an engine."""

    make = staticmethod(with_lists)
    start = ROWS


_SETTINGS = settings(max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
TestExactMachine = ExactMachine.TestCase
TestExactMachine.settings = _SETTINGS
TestFaissMachine = FaissMachine.TestCase
TestFaissMachine.settings = settings(_SETTINGS, max_examples=10)
TestSegmentsMachine = SegmentsMachine.TestCase
TestSegmentsMachine.settings = settings(_SETTINGS, max_examples=10)
TestSealingMachine = SealingMachine.TestCase
TestSealingMachine.settings = _SETTINGS
TestListsMachine = ListsMachine.TestCase
TestListsMachine.settings = settings(_SETTINGS, max_examples=6, stateful_step_count=15, phases=[Phase.generate])
TestTrainedMachine = TrainedMachine.TestCase
TestTrainedMachine.settings = settings(_SETTINGS, max_examples=6, stateful_step_count=15, phases=[Phase.generate])


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
