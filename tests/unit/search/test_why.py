"""Why a hit is a hit, through searchers over a real catalog."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nitari.search.calibration import Calibration, scored
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.search.why import UNKNOWN
from nitari.types import Block
from support.categories import TEES, assortment, looking_like
from support.extraction import text_extractor
from support.galleries import apply, open_catalog, open_gallery

CALIBRATION = Calibration(12.0, -6.0, 0.5)
QUERY = looking_like(TEES, "query")
HALF = QUERY.size // 2
BLOCKS = (Block("shape", 0, HALF), Block("color", HALF, QUERY.size))


@pytest.fixture(scope="module", params=["calibrated", "plain"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A shop of three categories whose vectors have two blocks."""
    catalog = open_catalog(tmp_path_factory.mktemp("why"))
    apply(catalog, *assortment())
    calibration = CALIBRATION if request.param == "calibrated" else None
    gallery = open_gallery(catalog)
    with Searcher(gallery=gallery, extractor=text_extractor, blocks=BLOCKS, calibration=calibration) as searcher:
        yield searcher


@pytest.mark.parametrize("emphasis", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("category", ["off", "boost"])
def test_parts_sum_up(shop: Searcher, emphasis: float, category: str) -> None:
    """Contributions sum up to the likeness, and likeness, category and second pass to the score, on every page."""
    asked = {"vector": QUERY, "emphasis": emphasis, "category": category, "k": 30, "why": True}
    for offset in (0, 30, 90):
        answer = shop.search(Query(**asked, offset=offset))
        assert answer.hits
        for hit in answer.hits:
            assert hit.why is not None
            assert set(hit.why.contributions) == {"shape", "color"}
            assert sum(hit.why.contributions.values()) == pytest.approx(hit.why.similarity, abs=1e-6)
            (alone,) = scored(np.asarray([hit.why.similarity]), shop._calibration)
            if offset < 90:  # behind the window scores are held below those in it
                assert alone + hit.why.category == pytest.approx(hit.score, abs=2e-3)


def test_the_category_is_told(shop: Searcher) -> None:
    """Some hit owes something to its category where categories count, and none does where they do not."""
    boosted = shop.search(Query(vector=QUERY, k=30, why=True)).hits
    plain = shop.search(Query(vector=QUERY, k=30, why=True, category="off")).hits
    assert any(hit.why is not None and hit.why.category > 0 for hit in boosted)
    assert all(hit.why is not None and hit.why.category == 0 for hit in plain)


def test_by_item(shop: Searcher) -> None:
    """A query by item says why as well, also when its answer was remembered."""
    (first, *_) = shop.search(Query(vector=QUERY, k=1)).hits
    shop.search(Query(item_id=first.item_id))
    assert all(hit.why is not None for hit in shop.search(Query(item_id=first.item_id, why=True)).hits)


def test_nobody_asked(shop: Searcher) -> None:
    """Nothing is said unless it was asked for."""
    assert all(hit.why is None for hit in shop.search(Query(vector=QUERY)).hits)


def test_blocks_are_not_known(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A model that says nothing about its vectors' parts has one contribution."""
    catalog = open_catalog(tmp_path_factory.mktemp("plain"))
    apply(catalog, *assortment())
    with Searcher(gallery=open_gallery(catalog), extractor=text_extractor) as searcher:
        (hit,) = searcher.search(Query(vector=QUERY, k=1, why=True)).hits
    assert hit.why is not None
    assert hit.why.contributions == {UNKNOWN: pytest.approx(hit.why.similarity)}
