"""What queries search with: items, callers' vectors, likes and dislikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nitari.catalog.base import CollectionSpec
from nitari.errors import NotFoundError, UsageError
from nitari.extract import unit
from nitari.search.feedback import DISLIKED_WEIGHT, LIKED_WEIGHT
from nitari.search.query import Query
from support.catalogs import DIM, photo, put, vector_of
from support.searching import OpenShop, no_model, numbered


def test_unknown_items(shop: OpenShop) -> None:
    """An item that is not in the catalog, or has no vector in this collection, is reported as what it is."""
    searcher = shop(*numbered(2))
    catalog = searcher._gallery._catalog
    catalog.register_collection(CollectionSpec("other", DIM, "f"))
    catalog.apply([put("b", photo("2.jpg", "y"))], collection="other")
    searcher.refresh()
    with pytest.raises(NotFoundError, match="item 'nobody' is not in the catalog"):
        searcher.search(Query(item_id="nobody"))
    with pytest.raises(NotFoundError, match="item 'b' has no searchable photo") as caught:
        searcher.search(Query(liked=("i000",), disliked=("b",)))
    assert "nitari rejects" in caught.value.remedy


def test_vector(shop: OpenShop) -> None:
    """A vector of any length is a direction; no model is loaded."""
    searcher = shop(*numbered(5), extractor=no_model)
    answer = searcher.search(Query(vector=vector_of("p1") * 1e30))
    assert answer.hits[0].item_id == "i001"
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    opposite = searcher.search(Query(vector=-vector_of("p1")))
    assert opposite.hits[-1].score == 0.0


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(3, np.float32), r"shape \[3\]; this collection's vectors have \[16\]"),
        (np.ones((1, DIM), np.float32), r"shape \[1, 16\]"),
        (np.zeros(DIM, np.float32), "length 0.0"),
        (np.full(DIM, np.nan, np.float32), "length nan"),
        (np.full(DIM, np.inf, np.float32), "length inf"),
        (["x"] * DIM, "not an array of 16 numbers"),
    ],
)
def test_bad_vectors(shop: OpenShop, vector: Any, message: str) -> None:
    """A vector without direction or of another width is the caller's mistake."""
    with pytest.raises(UsageError, match=message):
        shop(*numbered(1)).search(Query(vector=vector))


def test_recommend(shop: OpenShop) -> None:
    """Liked items pull, disliked ones push; all are left out, and each weighs the same however many photos it has."""
    edits = [
        put("liked 1", photo("1.jpg", "l1"), photo("2.jpg", "l2"), photo("3.jpg", "l3")),
        put("liked 2", photo("4.jpg", "l4")),
        put("disliked", photo("5.jpg", "d1")),
        *numbered(30),
    ]
    searcher = shop(*edits, extractor=no_model)
    pulled = (np.mean([vector_of("l1"), vector_of("l2"), vector_of("l3")], axis=0) + vector_of("l4")) / 2
    wanted = unit((pulled - DISLIKED_WEIGHT * vector_of("d1")).astype(np.float32))
    hits = searcher.search(Query(liked=("liked 1", "liked 2"), disliked=("disliked",), k=30)).hits
    expected = searcher.search(Query(vector=wanted, k=40)).hits
    assert [hit.item_id for hit in hits] == [hit.item_id for hit in expected if hit.item_id.startswith("i")]
    assert [h.score for h in hits[:5]] == pytest.approx(
        [h.score for h in expected if h.item_id.startswith("i")][:5], abs=1e-3
    )


def test_recommend_without_direction(shop: OpenShop) -> None:
    """Likes that cancel each other out are reported."""
    searcher = shop(*numbered(3))
    index = searcher._gallery._index
    (key,) = index.keys()[:1]
    index.add(np.asarray([key]), -index.vectors(index.keys()[1:2]))
    with pytest.raises(UsageError, match="cancel each other out"):
        searcher.search(Query(liked=("i000", "i001")))


@pytest.mark.parametrize("asked", [{"photo": b"p7"}, {"vector": vector_of("p7")}, {"item_id": "i007"}])
def test_likes_bend_a_question(shop: OpenShop, asked: dict[str, Any]) -> None:
    """Beside a question, likes and dislikes bend it; liked items may be answered, disliked ones are not."""
    searcher = shop(*numbered(40))
    wanted = vector_of("p7") + LIKED_WEIGHT * vector_of("p1") - DISLIKED_WEIGHT * vector_of("p2")
    left_out = {"i002", asked.get("item_id")}
    hits = searcher.search(Query(**asked, liked=("i001",), disliked=("i002",), k=50)).hits
    expected = [hit for hit in searcher.search(Query(vector=wanted, k=50)).hits if hit.item_id not in left_out]
    assert [hit.item_id for hit in hits if hit.score] == [hit.item_id for hit in expected if hit.score]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-3)
    assert "i001" in [hit.item_id for hit in hits]
