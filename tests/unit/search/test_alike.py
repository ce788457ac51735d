"""What is compared with what, through a searcher over a small catalog; photos are texts, of one pixel row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nitari.errors import FetchError, NotFoundError, UsageError
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from support.catalogs import DIM, photo, put
from support.extraction import text_extractor
from support.galleries import apply, open_catalog, open_gallery


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Three items; ``two`` has two photos."""
    catalog = open_catalog(tmp_path_factory.mktemp("alike"))
    apply(
        catalog,
        put("one", photo("1.jpg", "d1")),
        put("two", photo("2.jpg", "d2"), photo("3.jpg", "d3")),
        put("gone", photo("4.jpg", "d4")),
    )
    with Searcher(gallery=open_gallery(catalog), extractor=text_extractor) as searcher:
        yield searcher


def photo_of(item_id: str, link: str) -> bytes:
    """The text of a photo; that of ``gone`` cannot be had."""
    if item_id == "gone":
        raise FetchError(f"photo {link} is gone")
    return f"d{link[0]}".encode()


def test_a_photo_and_the_hits_photo_that_is_most_like_it(shop: Searcher) -> None:
    """Of an item with two photos the one that matched is told and mapped, and what search says is alike is so here."""
    asked = Query(photo=b"d3", k=1, category="off", why=True)
    (hit,) = shop.search(asked).hits
    found = shop.likeness_maps(asked, "two", photo_of)
    assert hit.why is not None
    assert (found.query.image, found.hit.image) == (None, "3.jpg") == (None, hit.image)
    assert found.query.heat is not None
    assert found.hit.heat is not None
    assert found.query.heat.similarity == pytest.approx(hit.why.similarity, abs=1e-4)
    assert found.hit.heat.similarity == pytest.approx(1, abs=1e-4)
    assert found.timing_ms["total"] == pytest.approx(found.timing_ms["query"] + found.timing_ms["hit"])


def test_items_have_their_own_photos(shop: Searcher) -> None:
    """A query by item shows the item's photo; one that is gone is null, and says why."""
    found = shop.likeness_maps(Query(item_id="gone"), "one", photo_of)
    assert (found.query.heat, found.query.image, found.query.reason) == (None, "4.jpg", "photo 4.jpg is gone")
    assert found.hit.heat is not None
    assert (found.hit.image, found.hit.reason) == ("1.jpg", "")


def test_what_cannot_be_compared(shop: Searcher) -> None:
    """Items that are not there, and queries that show nothing."""
    for query, hit in ((Query(photo=b"d1"), "none"), (Query(item_id="none"), "one")):
        with pytest.raises(NotFoundError, match="'none'"):
            shop.likeness_maps(query, hit, photo_of)
    with pytest.raises(UsageError, match="seen"):
        shop.likeness_maps(Query(vector=np.ones(DIM, np.float32)), "one", photo_of)
