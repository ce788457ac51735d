"""The compiled kernels, at every level of instructions that this processor has, against numpy's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nitari.index import kernels
from nitari.index.kernels import Lists, Lookup, portable
from nitari.index.ranking import true_distances
from nitari.index.segments.ivf import IvfEngine

DIMS = (1, 7, 16, 31, 33, 64, 100, 128, 300, 1580)


def unit(count: int, dim: int, seed: int) -> NDArray[np.float32]:
    """Random unit rows."""
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def levels() -> list[int]:
    """The levels of instructions that this processor has; just one to be skipped where nothing is compiled."""
    if not kernels.NATIVE:
        return [0]
    from nitari.index.kernels import compiled

    best = compiled.use_level(max(compiled.LEVELS))
    found = [number for number, name in compiled.LEVELS.items() if compiled.use_level(number) == name]
    compiled.use_level(next(number for number, name in compiled.LEVELS.items() if name == best))
    return found


@pytest.fixture(params=levels())
def compiled(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The compiled kernels, told to use one level of instructions."""
    if not kernels.NATIVE:
        reason = "the kernels are not compiled here: python hatch_build.py needs a C compiler"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from nitari.index.kernels import compiled

    compiled.use_level(request.param)
    yield compiled
    compiled.use_level(levels()[-1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("dim", DIMS)
def test_dots_and_distances(compiled: ModuleType, dim: int, dtype: type) -> None:
    """Products agree within float32's rounding, and distances with ``true_distances``, for all widths and tails."""
    rows = unit(65, dim, 1).astype(dtype)
    vector = unit(1, dim, 2)[0]
    slots = np.random.default_rng(3).integers(0, 65, 40)
    for some in (None, slots):
        expected = portable.dots(rows, vector, some)
        assert np.allclose(compiled.dots(rows, vector, some), expected, atol=(dim + 8) * 2.0**-24)
    found = compiled.distances(rows, vector, slots)
    exact = true_distances(vector, rows[slots].astype(np.float32))
    assert np.abs(found - exact).max() <= 2.0**-23, "at most one step of the grid apart"


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_extremes(compiled: ModuleType, dtype: type) -> None:
    """Zeros, subnormals and the largest halves are read as numpy reads them."""
    values = np.array([0.0, -0.0, 6e-8, -6e-8, 6.1e-5, 1.0, -1.0, 65504.0, -65504.0], np.float16).astype(dtype)
    rows = np.diag(values).astype(dtype)
    ones = np.ones(values.size, np.float32)
    assert compiled.dots(rows, ones).tolist() == values.astype(np.float32).tolist()


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 300),
    dim=st.sampled_from([3, 16, 40]),
    k=st.integers(1, 320),
    share=st.sampled_from([None, 0.0, 0.1, 1.0]),
    few=st.booleans(),
    copies=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_nearest(count: int, dim: int, k: int, share: float | None, few: bool, copies: int, seed: int) -> None:
    """The k nearest are those of a full sort, ties by slot, with bitmaps, chosen slots and many equal rows."""
    random = np.random.default_rng(seed)
    rows = np.repeat(unit(count, dim, seed), copies, axis=0)[random.permutation(count * copies)][:count]
    rows = rows.astype(np.float16)
    vector = unit(1, dim, seed + 1)[0]
    allowed = np.ones(count, np.bool_) if share is None else random.random(count) < share
    bits = None if share is None else np.packbits(allowed, bitorder="little")
    slots = np.flatnonzero(random.random(count) < 0.5) if few else None
    wanted = np.arange(count) if slots is None else slots
    wanted = wanted[allowed[wanted]]
    far = kernels.distances(rows, vector, wanted)
    order = np.lexsort((wanted, far))[:k]
    found, distances = kernels.nearest(rows, vector, k, slots=slots, bits=bits)
    assert distances.tolist() == far[order].tolist()
    # Which of several rows at the k-th distance come is not said: rows below it must all be there.
    below = far[order] < (far[order][-1] if order.size else 0)
    assert found[below].tolist() == wanted[order][below].tolist()
    assert set(found.tolist()) <= set(wanted.tolist())
    assert len(set(found.tolist())) == found.size


@pytest.mark.parametrize("dim", [16, 30, 128])
def test_search_lists(compiled: ModuleType, dim: int, tmp_path: Path) -> None:
    """With all lists and enough candidates, codes lead to the true neighbors; with few, to what numpy finds."""
    rows = unit(1501, dim, 4).astype(np.float16)
    engine = IvfEngine()
    built = engine.build(rows, tmp_path)
    assert built.order is not None
    laid = np.ascontiguousarray(rows[built.order])
    lists = engine.open(tmp_path, laid, built.parameters)._lists
    bits = np.packbits(np.random.default_rng(5).random(1501) < 0.3, bitorder="little")
    for vector in unit(5, dim, 6):
        for some in (None, bits):
            exact = portable.nearest(laid, vector, 10, None, some)
            every = compiled.search_lists(lists, vector, 10, lists.lists, 1501, some)
            assert every[0].tolist() == exact[0].tolist()
            assert np.abs(every[1] - exact[1]).max() <= 2.0**-23
            assert every[2] == (1501 if some is None else np.unpackbits(bits)[:1501].sum() or every[2])
            few = compiled.search_lists(lists, vector, 10, 4, 60, some)
            same = portable.search_lists(lists, vector, 10, 4, 60, some)
            assert few[2:5] == same[2:5], "as many were compared, were there, and were allowed"
            assert abs(few[5] - same[5]) <= 1
            assert every[3:5] == (1501, 1501 if some is None else int(np.unpackbits(bits)[:1501].sum()))
            assert len(set(few[0].tolist()) & set(same[0].tolist())) >= 9, "bytes in tables cost a margin only"
        none = compiled.search_lists(lists, vector, 10, 4, 60, np.zeros_like(bits))
        assert none[0].size == 0


def lists_of(folder: Path, count: int, dim: int) -> Lists:
    """Inverted lists over random rows."""
    rows = unit(count, dim, 4).astype(np.float16)
    built = IvfEngine().build(rows, folder)
    return IvfEngine().open(folder, np.ascontiguousarray(rows[built.order]), built.parameters)._lists


def test_rows_are_looked_up_as_they_are_met(compiled: ModuleType, tmp_path: Path) -> None:
    """A search that looks up what it meets finds what one with a bitmap does; what is allowed it counts about."""
    lists, rng = lists_of(tmp_path, 1501, 30), np.random.default_rng(5)
    places = rng.integers(-1, 900, 1501).astype(np.int32)
    alive = np.packbits(rng.random(1501) < 0.8, bitorder="little")
    for share in (0.0, 0.02, 0.5, 1.0):
        lookup = Lookup.of(places, rng.random(900) < share)
        for one in (lookup, replace(lookup, bits=alive)):
            bits, count = compiled.look_up(one)
            assert bits.tolist() == portable.look_up(one)[0].tolist()
            assert count == portable.look_up(one)[1] == int(np.bitwise_count(bits).sum())
            for vector in unit(3, 30, 6):
                for probes in (1, 5, lists.lists):
                    found = compiled.search_lists(lists, vector, 10, probes, 60, None, one)
                    same = compiled.search_lists(lists, vector, 10, probes, 60, bits)
                    assert found[0].tolist() == same[0].tolist()
                    plainly = portable.search_lists(lists, vector, 10, probes, 60, None, one)
                    assert same[2:5] == plainly[2:5]
                    assert (found[2], found[3], found[5]) == (same[2], same[3], same[5])
                    # Of most lists only some rows were asked about.
                    assert abs(found[4] - same[4]) <= (0.3 * same[4] + 20) * (share > 0)


def test_a_search_goes_on(compiled: ModuleType, tmp_path: Path) -> None:
    """With what was found in the nearest lists, those that come after are enough; counts are of these."""
    lists = lists_of(tmp_path, 1501, 30)
    bits = np.packbits(np.random.default_rng(5).random(1501) < 0.4, bitorder="little")
    for vector in unit(5, 30, 6):
        for some in (None, bits):
            whole = compiled.search_lists(lists, vector, 10, 8, 1501, some)
            first = compiled.search_lists(lists, vector, 10, 3, 1501, some)
            found = compiled.search_lists(lists, vector, 10, 8, 1501, some, None, 3, first[0])
            same = portable.search_lists(lists, vector, 10, 8, 1501, some, None, 3, first[0])
            assert found[0].tolist() == whole[0].tolist() == same[0].tolist()
            assert found[1].tolist() == whole[1].tolist()
            assert found[2:] == same[2:]
            assert (first[3] + found[3], first[4] + found[4], found[5]) == whole[3:6]
    with pytest.raises(ValueError, match="at most 5"):
        kernels.search_lists(lists, vector, 3, probes=4, candidates=5, skipped=2, seeds=np.arange(6))


def test_how_many_lists_are_worth_a_look(compiled: ModuleType, tmp_path: Path) -> None:
    """Those whose center is not farther behind the last row that was found; all where rows are missing."""
    lists = lists_of(tmp_path, 1501, 30)
    bits = np.packbits(np.random.default_rng(5).random(1501) < 0.4, bitorder="little")
    for vector in unit(5, 30, 6):
        for gap in (0.0, 0.2, 0.5, 2.0):
            for probes in (2, 8):
                found = compiled.search_lists(lists, vector, 10, probes, 60, bits, gap=gap)
                plainly = portable.search_lists(lists, vector, 10, probes, 60, bits, gap=gap)
                cosines = np.einsum("grc,r->gc", lists.centroids, lists.rotation @ vector).ravel()[: lists.lists]
                wanted = np.count_nonzero(cosines >= 1 - found[1][-1] - gap) if found[0].size == 10 else lists.lists
                assert abs(found[6] - wanted) <= 1, "half precision costs a margin"
                assert abs(plainly[6] - found[6]) <= 2
        assert compiled.search_lists(lists, vector, 10, 2, 60, np.zeros_like(bits), gap=0.1)[6] == lists.lists
        assert compiled.search_lists(lists, vector, 10, 2, 60, bits)[6] == -1


def test_lists_of_some_rows(compiled: ModuleType, tmp_path: Path) -> None:
    """Codes that are picked out say of each row what they said, and rows are found where they were left."""
    lists, rng = lists_of(tmp_path, 1501, 30), np.random.default_rng(3)
    for share in (0.01, 0.3, 1.0):
        slots = np.flatnonzero(rng.random(1501) < share)
        codes = compiled.pick(lists.codes, slots)
        assert codes.tolist() == portable.pick(lists.codes, slots).tolist()
        begins = np.searchsorted(slots, lists.offsets)
        some = replace(lists, codes=codes, offsets=begins, at=slots.astype(np.int32))
        bits = np.zeros(1501, np.bool_)
        bits[slots] = True
        packed = np.packbits(bits, bitorder="little")
        for vector in unit(3, 30, 6):
            found = compiled.search_lists(some, vector, 10, 6, 60)
            same = compiled.search_lists(lists, vector, 10, 6, 60, packed)
            assert slots[found[0]].tolist() == same[0].tolist()
            assert found[1].tolist() == same[1].tolist()
            assert found[2] == same[2]
            assert portable.search_lists(some, vector, 10, 6, 60)[2:5] == found[2:5]
    assert compiled.pick(lists.codes, np.empty(0, np.int64)).size == 0


@pytest.mark.parametrize("parts", [4, 64, 100])
def test_codes_are_picked_in_any_order(compiled: ModuleType, parts: int) -> None:
    """Whichever rows, in whatever order and however often, and however many parts they have."""
    rng = np.random.default_rng(parts)
    codes = rng.integers(0, 256, (20, parts, 16)).astype(np.uint8)
    some = [np.sort(rng.choice(640, count, replace=False)) for count in (0, 1, 31, 32, 33, 300, 640)]
    for slots in (*some, rng.integers(0, 640, 333), np.repeat(7, 40)):
        found = compiled.pick(codes, slots)
        assert found.shape == ((slots.size + 31) // 32, parts, 16)
        assert found.tolist() == portable.pick(codes, slots).tolist()


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 200), top=st.integers(1, 90), seed=st.integers(0, 99))
def test_places_and_slots(count: int, top: int, seed: int) -> None:
    """The slots at places are those whose places these are, in whichever form they are asked for."""
    rng = np.random.default_rng(seed)
    places = rng.integers(-1, top, count).astype(np.int32)
    heads, slots = kernels.invert(places, top)
    theirs = portable.invert(places, top)
    assert (heads.tolist(), slots.tolist()) == (theirs[0].tolist(), theirs[1].tolist())
    few = np.flatnonzero(rng.random(top) < 0.3).astype(np.int32)
    wanted = np.flatnonzero(np.isin(places, few))
    for some in (kernels, portable):
        found = some.slots_at(heads, slots, few)
        assert places[found].tolist() == np.sort(places[wanted]).tolist()
        assert np.sort(found).tolist() == wanted.tolist()
        bits = np.zeros((count + 7) // 8, np.uint8)
        some.mark(heads, slots, few, bits)
        assert some.slots_of(bits, count, wanted.size).tolist() == wanted.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38])
@pytest.mark.parametrize("name", ["rotation", "centroids", "codebooks", "rows"])
def test_what_is_no_number_does_no_harm(compiled: ModuleType, name: str, value: float, tmp_path: Path) -> None:
    """Where a file was damaged and nobody noticed yet, answers are wrong at worst: every search ends, within bounds."""
    rows = unit(1501, 30, 4).astype(np.float16)
    engine = IvfEngine()
    built = engine.build(rows, tmp_path)
    lists = engine.open(tmp_path, np.ascontiguousarray(rows[built.order]), built.parameters)._lists
    for share in (0.1, 1.0):
        hurt = np.array(getattr(lists, name))
        with np.errstate(over="ignore"):
            hurt[np.random.default_rng(7).random(hurt.shape) < share] = value
        damaged = replace(lists, **{name: hurt})
        for vector in unit(3, 30, 6):
            for probes in (1, 4, lists.lists):
                slots, distances, *_ = compiled.search_lists(damaged, vector, 10, probes, 60)
                assert slots.size == distances.size <= 10
                assert ((slots >= 0) & (slots < 1501)).all()
                assert ((distances >= 0) & (distances <= 2)).all()
            slots, distances = compiled.nearest(damaged.rows, vector, 10)
            assert ((slots >= 0) & (slots < 1501)).all()
            assert (compiled.distances(damaged.rows, vector, slots) == distances).all()


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 50), parts=st.integers(1, 6), width=st.integers(1, 3), seed=st.integers(0, 99))
def test_encode(count: int, parts: int, width: int, seed: int) -> None:
    """Each code is the nearest centroid's."""
    random = np.random.default_rng(seed)
    residuals = random.normal(size=(count, parts * width)).astype(np.float32)
    books = random.normal(size=(parts, width, 16)).astype(np.float32)
    codes = kernels.encode(residuals, books)
    off = np.square(residuals.reshape(count, parts, width, 1) - books).sum(axis=2)
    assert codes.shape == (count, parts)
    chosen = np.take_along_axis(off, codes[..., np.newaxis].astype(np.int64), axis=2)[..., 0]
    assert np.allclose(chosen, off.min(axis=2), rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not kernels.NATIVE, reason="numpy takes any array")
def test_refuses_what_c_would_misread() -> None:
    """Arrays of another type or stride, and bitmaps that are too short, raise: C would read them as something else."""
    rows = unit(40, 16, 1).astype(np.float16)
    vector = unit(1, 16, 2)[0]
    wide = np.repeat(vector, 2)
    for bad in (wide[::2], vector.astype(np.float64)):
        with pytest.raises(ValueError, match="contiguous float32"):
            kernels.dots(rows, bad)
    with pytest.raises(ValueError, match="contiguous int64"):
        kernels.dots(rows, vector, np.arange(3, dtype=np.int32))
    with pytest.raises(ValueError, match="contiguous"):
        kernels.dots(rows[::2], vector)
    with pytest.raises(ValueError, match="bitmap has 4 bytes, expected 5"):
        kernels.nearest(rows, vector, 3, bits=np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="rows 3 to 64 of 64"):
        kernels.pick(np.zeros((2, 4, 16), np.uint8), np.array([3, 64]))
