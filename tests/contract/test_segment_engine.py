"""The contract of ``nitari.index.segments.engine.SegmentEngine``, for every adapter; brute force is the judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index import kernels
from nitari.index.calibrate import Effort, at_level, calibrate_searcher, effort_for
from nitari.index.segments.engine import BitArray, Built, HalfArray, Near, Searcher, SegmentEngine, SlotArray
from nitari.index.segments.ivf import IvfEngine
from nitari.types import FloatArray
from support.indexes import HAS_NGT
from support.segments import ListEngine
from support.vectors import manifold_units

ENGINES: dict[str, Callable[[], SegmentEngine]] = {
    "ivf": IvfEngine,
    "lists": ListEngine,
}
if HAS_NGT:
    from nitari.index.segments.ngt import NgtEngine

    ENGINES |= {"ngt": NgtEngine, "ngt-half": lambda: NgtEngine(half=True)}
ROWS, DIM = 4000, 32
# So many rows are copies of others: catalogs repeat photos.
COPIES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An engine over a segment: what it was built from, where it lies, and its searcher."""

    engine: SegmentEngine
    rows: HalfArray
    folder: Path
    built: Built
    searcher: Searcher

    def near(self, vector: FloatArray, k: int, *, hard: bool = False, bits: BitArray | None = None) -> Near:
        """Ask with a middling effort, or with the greatest."""
        probes = self.searcher.lists if hard else max(1, self.searcher.lists // 4)
        return self.searcher.nearest(vector, k, probes=probes, candidates=max(k, 300), bits=bits)


def opened(engine: SegmentEngine, rows: HalfArray, folder: Path, *, seed: int = 0) -> Opened:
    """Build and open, with the rows laid down as the engine wants them."""
    folder.mkdir(exist_ok=True)
    built = engine.build(rows, folder, seed=seed)
    # What was built is described by values that survive being written to a file.
    built = replace(built, parameters=json.loads(json.dumps(dict(built.parameters))))
    laid = rows if built.order is None else np.ascontiguousarray(rows[built.order])
    return Opened(engine, laid, folder, built, engine.open(folder, laid, built.parameters))


def units(count: int, *, seed: int = 0) -> HalfArray:
    """Rows on a manifold, some of them equal."""
    rows = manifold_units(count, DIM, seed=seed).astype(np.float16)
    copies = min(COPIES, count // 4)
    rows[count - copies :] = rows[:copies]
    return rows[np.random.default_rng(seed).permutation(count)]


def packed(slots: SlotArray, count: int) -> BitArray:
    """A bitmap of slots."""
    bits = np.zeros(count, np.bool_)
    bits[slots] = True
    return np.packbits(bits, bitorder="little")


def judged(rows: HalfArray, vector: FloatArray, k: int, slots: SlotArray | None = None) -> FloatArray:
    """The distances of the nearest by brute force."""
    mine = np.arange(len(rows)) if slots is None else slots
    return np.sort(kernels.distances(rows, vector, mine))[:k]


def recall(rows: HalfArray, vector: FloatArray, near: Near, k: int, slots: SlotArray | None = None) -> float:
    """Share of the true nearest that were found; one that is as near is as good."""
    wanted = judged(rows, vector, k, slots)
    return float(np.mean(near.distances[: wanted.size] <= wanted[-1])) * near.distances[:k].size / wanted.size


@pytest.fixture(scope="module", params=sorted(ENGINES))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Each engine over the same rows."""
    one = opened(ENGINES[str(request.param)](), units(ROWS), tmp_path_factory.mktemp("segment"))
    yield one
    one.searcher.close()


@pytest.fixture(scope="module")
def queries() -> FloatArray:
    """Of the kind of the rows."""
    return manifold_units(50, DIM, seed=5)


def test_rows_are_laid_down_in_an_order_of_all(made: Opened) -> None:
    """The order is a permutation, and the files have the engine's name."""
    order = made.built.order
    if order is not None:
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(ROWS))
    assert all(path.name.startswith(made.engine.name) for path in made.folder.iterdir())


def test_answers_are_rows_with_their_true_distances(made: Opened, queries: FloatArray) -> None:
    """Nearest first, no row twice, distances as anybody else computes them."""
    for query in queries:
        near = made.near(query, 30)
        assert near.slots.dtype == np.int64
        assert near.distances.dtype == np.float32
        assert near.slots.size == np.unique(near.slots).size == 30
        np.testing.assert_array_equal(near.distances, kernels.distances(made.rows, query, near.slots))
        assert (np.diff(near.distances) >= 0).all()
        assert near.compared >= 30


def test_the_greatest_effort_finds_nearly_all(made: Opened, queries: FloatArray) -> None:
    """Everything is looked at."""
    shares = [recall(made.rows, query, made.near(query, 10, hard=True), 10) for query in queries]
    assert np.mean(shares) >= 0.98


@pytest.fixture(scope="module")
def efforts(made: Opened) -> tuple[Effort, ...]:
    """What calibration says of the engine."""
    return calibrate_searcher(made.searcher, made.rows).efforts


@pytest.mark.parametrize("k", [10, 100])
def test_recall_is_what_calibration_measured(
    made: Opened, efforts: tuple[Effort, ...], queries: FloatArray, k: int
) -> None:
    """The effort for a level of recall reaches about that on queries that it was not measured with."""
    effort = effort_for(at_level(efforts, 0.99), k, lists=made.searcher.lists)
    shares = [
        recall(
            made.rows,
            query,
            made.searcher.nearest(query, k, probes=effort.probes, candidates=max(k, effort.candidates)),
            k,
        )
        for query in queries
    ]
    assert np.mean(shares) >= 0.97


def test_lists_that_are_worth_a_look(made: Opened, queries: FloatArray) -> None:
    """An engine with lists says how far off they are, and how many a gap leaves: more, the larger it is."""
    for query in queries[:5]:
        near = made.near(query, 10)
        cosines = made.searcher.list_cosines(query, near.slots)
        worth = [
            made.searcher.nearest(query, 10, probes=2, candidates=40, gap=gap).worth for gap in (0.0, 0.1, 0.3, 2.0)
        ]
        if cosines is None:
            assert worth == [-1] * 4
            continue
        assert cosines.shape == near.slots.shape
        assert (np.abs(cosines) <= 1.01).all()
        assert worth == sorted(worth)
        assert worth[-1] == made.searcher.lists


def test_more_effort_costs_more(made: Opened) -> None:
    """What the planner compares grows with what is asked for."""
    searcher = made.searcher
    assert 0 < searcher.cost_ns(probes=1, candidates=10) < searcher.cost_ns(probes=searcher.lists, candidates=10)
    assert searcher.cost_ns(probes=searcher.lists, candidates=10) < searcher.cost_ns(
        probes=searcher.lists, candidates=ROWS
    )


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_only_allowed_rows_are_answered(made: Opened, queries: FloatArray, share: float) -> None:
    """With a bitmap: nothing else, as many as were asked for, and the nearest of them."""
    slots = np.flatnonzero(np.random.default_rng(2).random(ROWS) < share)
    bits = packed(slots, ROWS)
    shares = []
    for query in queries:
        near = made.near(query, 10, hard=True, bits=bits)
        assert np.isin(near.slots, slots).all()
        assert near.slots.size == min(10, slots.size)
        shares.append(recall(made.rows, query, near, 10, slots))
    assert np.mean(shares) >= 0.98


def test_a_filter_of_far_rows_is_answered(made: Opened, queries: FloatArray) -> None:
    """What is allowed lies on the other side of the space."""
    query = queries[0]
    slots = np.sort(np.argsort(made.rows.astype(np.float32) @ query)[:100])
    near = made.near(query, 10, hard=True, bits=packed(slots, ROWS))
    assert recall(made.rows, query, near, 10, slots) >= 0.9
    assert np.isin(near.slots, slots).all()


def test_few_or_no_allowed_rows(made: Opened, queries: FloatArray) -> None:
    """More asked for than allowed: all of these; none allowed: none; more than there are rows: all rows."""
    few = np.array([3, 77, ROWS - 1])
    near = made.near(queries[0], 10, hard=True, bits=packed(few, ROWS))
    np.testing.assert_array_equal(np.sort(near.slots), few)
    none = made.near(queries[0], 10, bits=packed(few[:0], ROWS))
    assert none.slots.size == none.distances.size == 0
    assert made.near(queries[0], ROWS, hard=True).slots.size >= 0.98 * ROWS


def test_copies_are_all_found(made: Opened) -> None:
    """Rows that are equal stand side by side in an answer."""
    values, counts = np.unique(made.rows, axis=0, return_counts=True)
    for vector in values[counts > 1][:20].astype(np.float32):
        near = made.near(vector / np.float32(np.linalg.norm(vector)), 10, hard=True)
        assert (made.rows[near.slots[:2]] == vector).all()


def test_threads_get_what_one_gets(made: Opened, queries: FloatArray) -> None:
    """Several readers at once, with and without a filter."""
    bits = packed(np.arange(0, ROWS, 3), ROWS)
    alone = [(made.near(query, 10).slots.tolist(), made.near(query, 10, bits=bits).slots.tolist()) for query in queries]

    def ask(number: int) -> bool:
        query = queries[number % len(queries)]
        found = (made.near(query, 10).slots.tolist(), made.near(query, 10, bits=bits).slots.tolist())
        return found == alone[number % len(queries)]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(200)))


@pytest.mark.parametrize("name", ["ivf", "lists"])  # NGT's graphs differ now and then, which its docstring says
def test_the_same_rows_and_seed_give_the_same_files(name: str, tmp_path: Path) -> None:
    """So that what is rebuilt is what was there."""
    rows = units(1000, seed=3)
    ones, others = (opened(ENGINES[name](), rows, tmp_path / part, seed=7) for part in ("one", "other"))
    files = {path.name: path.read_bytes() for path in ones.folder.iterdir()}
    assert files == {path.name: path.read_bytes() for path in others.folder.iterdir()}
    assert ones.built.parameters == others.built.parameters


@pytest.mark.parametrize("name", sorted(set(ENGINES) - {"lists"}))
def test_damaged_files_are_refused(name: str, tmp_path: Path) -> None:
    """Files that are short, or missing, or another segment's."""
    one = opened(ENGINES[name](), units(1000, seed=4), tmp_path / "one")
    one.searcher.close()
    for path in sorted(one.folder.iterdir()):
        good = path.read_bytes()
        path.write_bytes(good[:-1])
        with pytest.raises(StateError):
            one.engine.open(one.folder, one.rows, one.built.parameters)
        path.unlink()
        with pytest.raises(StateError):
            one.engine.open(one.folder, one.rows, one.built.parameters)
        path.write_bytes(good)
    with pytest.raises(StateError):
        one.engine.open(one.folder, one.rows[:-1], one.built.parameters)
    one.engine.open(one.folder, one.rows, one.built.parameters).close()


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("count", [20, 300])
def test_few_rows_are_no_trouble(name: str, count: int, tmp_path: Path) -> None:
    """A segment may be much smaller than engines like it."""
    one = opened(ENGINES[name](), units(count, seed=6), tmp_path)
    vector = one.rows[0].astype(np.float32)
    near = one.near(vector / np.float32(np.linalg.norm(vector)), 5, hard=True)
    assert near.slots.size == 5
    assert near.distances[0] <= 1e-3
    one.searcher.close()
