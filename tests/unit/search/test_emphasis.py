"""The emphasis: what it promises of any query vector, whatever its blocks hold, and of searches."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.base import StoredRegion, StoredView
from nitari.extract import unit
from nitari.search.emphasis import Weighed, can_emphasize, contributions, most_color, weighed
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.types import Block, Box, FloatArray
from support.catalogs import DIM, photo, put
from support.searching import OpenShop, no_model, numbered

BLOCKS = (Block("shape", 0, 6), Block("color", 6, 10), Block("texture", 10, 13), Block("aspect", 13, 14))
SHAPE = (Block("shape", 0, 14),)
EMPHASES = st.floats(0, 1)


@st.composite
def queries(draw: st.DrawFn) -> FloatArray:
    """One to three unit rows, whose blocks are of any lengths, some perhaps zero."""
    rows = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, 14))
    for block in BLOCKS:
        lengths = draw(st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0]), min_size=rows, max_size=rows))
        part = vectors[:, block.start : block.stop]
        vectors[:, block.start : block.stop] = unit(part) * np.array(lengths)[:, None]
    vectors[:, 0] += 1e-3  # never all zero
    return unit(vectors)


def share(vectors: FloatArray, emphasis: float, *names: str) -> FloatArray:
    """What blocks of these names add to each query's likeness to itself."""
    asking = weighed(vectors, BLOCKS, emphasis)
    scales = np.ones(len(vectors)) if asking.scales is None else asking.scales
    return np.array(
        [
            sum(contributions(row * scale, own, BLOCKS)[name] for name in names)
            for row, scale, own in zip(asking.vectors, scales, vectors, strict=True)
        ]
    )


@given(queries())
def test_the_middle_changes_nothing(vectors: FloatArray) -> None:
    """At .5 the very same array is searched with."""
    asking = weighed(vectors, BLOCKS, 0.5)
    assert asking.vectors is vectors
    assert asking.scales is None


@given(queries(), EMPHASES)
def test_a_model_without_color_takes_no_emphasis(vectors: FloatArray, emphasis: float) -> None:
    """Nor does one whose blocks nobody knows, or that knows nothing but looks."""
    for blocks in (SHAPE, (), (Block("color", 0, 10), Block("texture", 10, 14))):
        assert not can_emphasize(blocks)
        assert weighed(vectors, blocks, emphasis).vectors is vectors
    assert can_emphasize(BLOCKS)


@given(queries(), EMPHASES)
def test_a_query_is_always_like_itself(vectors: FloatArray, emphasis: float) -> None:
    """Rows stay unit, scales are 1 or more, and the likeness of a query to itself is 1 at any emphasis."""
    asking = weighed(vectors, BLOCKS, emphasis)
    np.testing.assert_allclose(np.linalg.norm(asking.vectors, axis=1), 1, atol=1e-5)
    for row, own in enumerate(vectors):
        distance = np.array([1 - float(asking.vectors[row] @ own)], np.float32)
        scale = 1.0 if asking.scales is None else float(asking.scales[row])
        assert scale >= 1 - 1e-6
        assert asking.distances(row, distance) == pytest.approx(0, abs=1e-6 * max(10.0, 2 * scale))


@given(queries(), st.lists(EMPHASES, min_size=2, max_size=6))
def test_color_only_grows(vectors: FloatArray, emphases: list[float]) -> None:
    """The larger the emphasis, the larger color's share, of every query."""
    shares = np.stack([share(vectors, emphasis, "color") for emphasis in sorted(emphases)])
    assert (np.diff(shares, axis=0) >= -1e-5).all()


@given(queries())
def test_the_ends(vectors: FloatArray) -> None:
    """At 0 nothing but shape counts, at 1 color has its share, wherever the query has both to begin with."""
    own = np.square(vectors.astype(np.float64))
    color, looks = own[:, 6:10].sum(axis=1), own[:, 6:13].sum(axis=1)
    both = (looks > 1e-5) & (looks < 1 - 1e-5)
    np.testing.assert_allclose(share(vectors, 0, "color", "texture")[both], 0, atol=1e-6)
    both = (color > 1e-5) & (color < 1 - 1e-5)
    most = np.array([most_color(own) for own in color])
    np.testing.assert_allclose(share(vectors, 1, "color")[both], most[both], atol=1e-4)


@given(queries(), EMPHASES, st.integers(0, 2**32 - 1))
def test_contributions_add_up(vectors: FloatArray, emphasis: float, seed: int) -> None:
    """What the kinds of blocks add is the likeness, whatever the item."""
    item = unit(np.random.default_rng(seed).normal(size=14))
    asking = weighed(vectors, BLOCKS, emphasis)
    scale = 1.0 if asking.scales is None else float(asking.scales[0])
    found = contributions(asking.vectors[0] * scale, item, BLOCKS)
    assert list(found) == ["shape", "color", "texture", "aspect"]
    assert sum(found.values()) == pytest.approx(scale * float(asking.vectors[0] @ item), abs=1e-5 * scale)


def test_blocks_of_one_name_are_told_together() -> None:
    """Two networks are both shape."""
    one = np.full(4, 0.5, np.float32)
    blocks = (Block("shape", 0, 1), Block("color", 1, 2), Block("shape", 2, 4))
    assert contributions(one, one, blocks) == {"shape": 0.75, "color": 0.25}


@given(queries(), EMPHASES, st.floats(0, 1))
def test_a_radius_leaves_nothing_out(vectors: FloatArray, emphasis: float, wanted: float) -> None:
    """What is near enough by likeness is near enough by the cosine distance that the index is asked for."""
    asking = weighed(vectors, BLOCKS, emphasis)
    radius = asking.radius(wanted)
    assert radius is not None
    cosines = np.linspace(0, 2, 101, dtype=np.float32)
    for row in range(len(vectors)):
        near = asking.distances(row, cosines) <= wanted
        assert (cosines[near] <= radius + 1e-6).all()
    assert asking.radius(None) is None
    assert Weighed(vectors).radius(wanted) == wanted


class Doubling:
    """A gate that doubles color."""

    watched = (0, 6)

    def familiarity(self, vectors: FloatArray) -> FloatArray:
        """Of no interest here."""
        return np.ones(len(vectors), np.float32)

    def gains(self, vectors: FloatArray) -> FloatArray:
        """Twice for color."""
        return np.tile(np.array([1, 2, 1, 1], np.float32), (len(vectors), 1))


@given(queries(), EMPHASES)
def test_a_gate_comes_first(vectors: FloatArray, emphasis: float) -> None:
    """Its gains are as if the query itself had said more of a block; likeness to itself stays 1."""
    asking = weighed(vectors, BLOCKS, emphasis, Doubling())
    assert asking.scales is not None
    likeness = asking.scales * (asking.vectors * vectors).sum(axis=1)
    np.testing.assert_allclose(likeness, 1, atol=1e-4)
    own = np.stack([np.square(vectors[:, b.start : b.stop]).sum(axis=1) for b in BLOCKS], axis=1)
    if emphasis == 0.5:
        doubled = own * [1, 2, 1, 1]
        told = asking.scales[:, None] * np.stack(
            [(asking.vectors * vectors)[:, b.start : b.stop].sum(axis=1) for b in BLOCKS], axis=1
        )
        np.testing.assert_allclose(told, doubled / doubled.sum(axis=1, keepdims=True), atol=1e-4)


HALVES = (Block("shape", 0, DIM // 2), Block("color", DIM // 2, DIM))


def _colored(shape: int, color: int) -> FloatArray:
    """A vector of one of 8 shapes and of one of 8 colors; color weighs a tenth."""
    vector = np.zeros(DIM, np.float32)
    vector[shape], vector[DIM // 2 + color] = 0.9**0.5, 0.1**0.5
    return vector


@pytest.fixture
def colored(shop: OpenShop) -> Searcher:
    """Three shapes in three colors; item ``shirt-red`` is a shirt and red."""
    edits = []
    for (s, shape), (c, color) in product(enumerate(("shirt", "pants", "shoe")), enumerate(("red", "blue", "green"))):
        view = StoredView(StoredRegion(Box(0, 0, 1, 1), "whole", 1.0), _colored(s, c))
        shown = photo(f"{shape}{color}.jpg", f"{shape}{color}")
        assert shown.features is not None
        edits.append(put(f"{shape}-{color}", replace(shown, features=replace(shown.features, views=(view,)))))
    return shop(*edits, extractor=no_model, blocks=HALVES)


@pytest.mark.parametrize("asked", [{"item_id": "shirt-red"}, {"vector": _colored(0, 0)}, {"liked": ("shirt-red",)}])
def test_emphasis(colored: Searcher, asked: dict[str, Any]) -> None:
    """At 0 all shirts are the same, at 1 red things come first, in between the card decides; without a network."""
    assert colored.takes_emphasis

    def others(emphasis: float) -> dict[str, float]:
        hits = colored.search(Query(**asked, emphasis=emphasis)).hits
        return {hit.item_id: hit.score for hit in hits if hit.item_id != "shirt-red"}

    for emphasis, likeness in ((0.0, 1.0), (0.5, 0.9), (1.0, 1 - most_color(0.1))):
        scores = others(emphasis)
        assert scores["shirt-blue"] == scores["shirt-green"] == pytest.approx(likeness, abs=1e-3)
        assert scores["pants-red"] == scores["shoe-red"] == pytest.approx(1 - likeness, abs=1e-3)
        assert scores["pants-blue"] == pytest.approx(0, abs=1e-3)


def test_emphasis_scores_and_thresholds(colored: Searcher) -> None:
    """The same is 1 at any emphasis, and a threshold leaves out what scores below it, and nothing else."""
    vector = _colored(0, 0)
    for emphasis in (0.0, 0.2, 0.5, 0.8, 1.0):
        every = colored.search(Query(vector=vector, emphasis=emphasis)).hits
        assert every[0].score == pytest.approx(1.0, abs=2e-3)
        assert "shirt-red" in [hit.item_id for hit in every if hit.score > 1 - 2e-3]
        for least in (0.1, 0.3, 0.5, 0.9):
            hits = colored.search(Query(vector=vector, emphasis=emphasis, min_score=least)).hits
            assert hits == tuple(hit for hit in every if hit.score >= least)
            pages = [colored.search(Query(vector=vector, emphasis=emphasis, k=2, offset=at)).hits for at in (0, 2, 4)]
            assert sum(pages, ()) == every[:6]


def test_emphasis_of_a_model_of_shape_alone(shop: OpenShop) -> None:
    """Where color is not told apart, an emphasis changes nothing, and the searcher says so."""
    searcher = shop(*numbered(5))
    assert not searcher.takes_emphasis
    assert searcher.search(Query(photo=b"p3", emphasis=1.0)).hits == searcher.search(Query(photo=b"p3")).hits
