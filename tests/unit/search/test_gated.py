"""A searcher with a gate: what a query shows weighs its blocks and its scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nitari.search.calibration import Calibration
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.types import Block, FloatArray
from support.categories import TEES, assortment, looking_like
from support.extraction import text_extractor
from support.galleries import apply, open_catalog, open_gallery

QUERY = looking_like(TEES, "query")
HALF = QUERY.size // 2
BLOCKS = (Block("shape", 0, HALF, 0.5), Block("shape", HALF, QUERY.size, 0.5))
CALIBRATION = Calibration(12.0, -6.0, 0.5, unfamiliar=3.0)


class Gate:
    """Takes every query for as familiar as it is told; the unfamiliar go by their second half."""

    watched = (HALF, QUERY.size)
    known = 1.0

    def familiarity(self, vectors: FloatArray) -> FloatArray:
        """As told."""
        return np.full(len(vectors), self.known, np.float32)

    def gains(self, vectors: FloatArray) -> FloatArray:
        """Both halves, or the second alone."""
        return np.tile(np.array([self.known, 1.0], np.float32), (len(vectors), 1))


@pytest.fixture
def gate() -> Gate:
    """The gate of the shop."""
    return Gate()


@pytest.fixture
def shop(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A shop of three categories."""
    catalog = open_catalog(tmp_path_factory.mktemp("gated"))
    apply(catalog, *assortment())
    with Searcher(
        gallery=open_gallery(catalog),
        extractor=text_extractor,
        blocks=BLOCKS,
        gate=gate,
        calibration=CALIBRATION,
    ) as searcher:
        yield searcher


def test_the_unfamiliar_go_by_their_own_block(shop: Searcher, gate: Gate) -> None:
    """The order is that of the block which counts, and scores are lower than likeness alone would make them."""
    gate.known = 0.0
    hits = shop.search(Query(vector=QUERY, k=20, category="off", collapse=False, why=True)).hits
    half = QUERY.copy()
    half[:HALF] = 0
    plain = Searcher.search(shop, Query(vector=half, k=20, category="off", collapse=False)).hits
    assert [hit.item_id for hit in hits] == [hit.item_id for hit in plain]
    for hit in hits:
        assert hit.why is not None
        (alone,) = CALIBRATION.scores(np.array([hit.why.similarity]))
        assert hit.score < alone


def test_the_familiar_are_as_without_a_gate(shop: Searcher, gate: Gate) -> None:
    """Nothing is weighed and nothing is taken off."""
    hits = shop.search(Query(vector=QUERY, k=20, category="off", why=True)).hits
    for hit in hits:
        assert hit.why is not None
        (alone,) = CALIBRATION.scores(np.array([hit.why.similarity]))
        assert hit.score == pytest.approx(alone, abs=2e-3)


def test_a_threshold_holds(shop: Searcher, gate: Gate) -> None:
    """What is answered at a least score has it, however familiar the query is."""
    for gate.known in (0.0, 0.5, 1.0):
        every = shop.search(Query(vector=QUERY, k=100, category="off")).hits
        good = shop.search(Query(vector=QUERY, k=100, category="off", min_score=0.5)).hits
        assert [hit.item_id for hit in good] == [hit.item_id for hit in every if hit.score >= 0.5]
