"""Inverted lists: built the same twice, opened by map, refused when damaged, and good at finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.segments.engine import Built, HalfArray
from nitari.index.segments.ivf import IvfEngine, IvfSearcher, number_of_lists


@pytest.fixture(scope="module")
def rows() -> HalfArray:
    """Unit rows around a few hundred directions."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(300, 24))
    found = centers[random.integers(0, 300, 4000)] + random.normal(size=(4000, 24)) * 0.3
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def build(rows: HalfArray, folder: Path) -> tuple[Built, HalfArray]:
    """Build into a new folder; returns the rows as they are laid down, too."""
    folder.mkdir()
    built = IvfEngine().build(rows, folder)
    assert built.order is not None
    assert sorted(built.order.tolist()) == list(range(len(rows)))
    return built, np.ascontiguousarray(rows[built.order])


def opened(rows: HalfArray, folder: Path) -> IvfSearcher:
    """Build and open."""
    built, laid = build(rows, folder)
    return IvfEngine().open(folder, laid, built.parameters)


def test_same_files_twice(rows: HalfArray, tmp_path: Path) -> None:
    """The same rows and seed give the same bytes, and nothing else is left in the folder."""
    build(rows, tmp_path / "a")
    build(rows, tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"ivf-{name}.npy" for name in ("centroids", "codebooks", "codes", "offsets", "rotation")]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_finds_neighbors(rows: HalfArray, tmp_path: Path) -> None:
    """A quarter of the lists and a few candidates find nearly all of the true ten; more of both find more."""
    searcher = opened(rows, tmp_path / "a")
    laid = searcher._lists.rows.astype(np.float32)
    recalls = []
    for probes, candidates in ((max(1, searcher.lists // 4), 40), (searcher.lists, 400)):
        hits = 0
        for vector in laid[::200]:
            truth = np.argsort(-(laid @ vector), kind="stable")[:10]
            near = searcher.nearest(vector, 10, probes=probes, candidates=candidates)
            assert (np.diff(near.distances) >= 0).all()
            hits += len(set(near.slots.tolist()) & set(truth.tolist()))
        recalls.append(hits / (10 * len(laid[::200])))
    assert recalls[0] > 0.9
    assert recalls[1] > 0.99


def test_only_some_rows(rows: HalfArray, tmp_path: Path) -> None:
    """A searcher over some of the rows finds what one with a filter finds, in fewer lists; it is not divided again."""
    searcher = opened(rows, tmp_path / "a")
    chosen = np.arange(int(searcher._lists.offsets[3]), len(rows), 7)
    some = searcher.only(chosen)
    assert some is not None
    assert some.lists < searcher.lists
    assert some.only(np.arange(3)) is None
    allowed = np.zeros(len(rows), np.bool_)
    allowed[chosen] = True
    bits = np.packbits(allowed, bitorder="little")
    for vector in searcher._lists.rows[::400].astype(np.float32):
        near = some.nearest(vector, 10, probes=some.lists, candidates=200)
        same = searcher.nearest(vector, 10, probes=searcher.lists, candidates=200, bits=bits)
        assert chosen[near.slots].tolist() == same.slots.tolist()
        assert near.distances.tolist() == same.distances.tolist()
    assert some.cost_ns(probes=2, candidates=50) < searcher.cost_ns(probes=2, candidates=50)


def test_whether_rows_lie_as_a_draw_would(rows: HalfArray, tmp_path: Path) -> None:
    """A draw, of however many, does, and all rows do; rows that lie together do not."""
    searcher = opened(rows, tmp_path / "a")
    laid, random = searcher._lists.rows.astype(np.float32), np.random.default_rng(1)
    for count in (40, len(rows) // 2, len(rows) - 1):
        assert searcher.even(np.sort(random.choice(len(rows), count, replace=False)))
    assert searcher.even(np.arange(len(rows)))
    assert not searcher.even(np.flatnonzero(laid @ laid[0] > np.median(laid @ laid[0])))


def test_a_look_goes_on(rows: HalfArray, tmp_path: Path) -> None:
    """After some lists, those behind them: what is found and what is counted is of both."""
    searcher = opened(rows, tmp_path / "a")
    vector = searcher._lists.rows[5].astype(np.float32)
    first = searcher.nearest(vector, 10, probes=3, candidates=4000)
    both = searcher.nearest(vector, 10, probes=9, candidates=4000, before=first)
    whole = searcher.nearest(vector, 10, probes=9, candidates=4000)
    assert both.slots.tolist() == whole.slots.tolist()
    assert (both.compared, both.looked, both.seen, both.late, both.probes) == (
        whole.compared, whole.looked, whole.seen, whole.late, 9,
    )  # fmt: skip


def test_more_work_costs_more(rows: HalfArray, tmp_path: Path) -> None:
    """The cost that a planner is told grows with probes and with candidates."""
    searcher = opened(rows, tmp_path / "a")
    assert searcher.cost_ns(probes=2, candidates=50) > searcher.cost_ns(probes=1, candidates=50)
    assert searcher.cost_ns(probes=2, candidates=60) > searcher.cost_ns(probes=2, candidates=50)
    rare = searcher.cost_ns(probes=20, candidates=50, share=0.01)
    assert searcher.cost_ns(probes=20, candidates=50, share=0.01, together=True) < rare
    assert rare < searcher.cost_ns(probes=20, candidates=50)


@pytest.mark.parametrize("name", ["rotation", "centroids", "offsets", "codebooks", "codes"])
@pytest.mark.parametrize("harm", ["missing", "empty", "short", "other"])
def test_damaged(rows: HalfArray, tmp_path: Path, name: str, harm: str) -> None:
    """A file that is missing, cut or of another shape is refused before a kernel reads it."""
    built, laid = build(rows, tmp_path / "a")
    path = tmp_path / "a" / f"ivf-{name}.npy"
    match harm:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "short":
            path.write_bytes(path.read_bytes()[:-8])
        case _:
            np.save(path, np.load(path)[:-1])
    with pytest.raises(StateError, match="inverted lists"):
        IvfEngine().open(tmp_path / "a", laid, built.parameters)


def test_lists_must_cover_the_rows(rows: HalfArray, tmp_path: Path) -> None:
    """Offsets that lead beyond the rows, or backward, are refused: compiled code would follow them."""
    built, laid = build(rows, tmp_path / "a")
    path = tmp_path / "a" / "ivf-offsets.npy"
    good = np.load(path)
    for place, value in ((-1, good[-1] + 1), (0, 5), (1, len(rows) * 10)):
        bad = good.copy()
        bad[place] = value
        np.save(path, bad)
        with pytest.raises(StateError, match="cover"):
            IvfEngine().open(tmp_path / "a", laid, built.parameters)


def test_other_format(rows: HalfArray, tmp_path: Path) -> None:
    """A format of another version, and parameters that lack something, are refused."""
    built, laid = build(rows, tmp_path / "a")
    for parameters in ({**built.parameters, "format": 2}, {"format": 1}):
        with pytest.raises(StateError):
            IvfEngine().open(tmp_path / "a", laid, parameters)


def test_number_of_lists() -> None:
    """Lists grow with the square root, and are never so many that few rows are left to learn each from."""
    assert number_of_lists(1_000_000) == 4000
    assert number_of_lists(640) == 16
    assert number_of_lists(1) == 1
