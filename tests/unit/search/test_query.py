"""Queries: a bad one cannot exist."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nitari.errors import UsageError
from nitari.search.query import MAX_FACET_VALUES, MAX_FACETS, MAX_K, MAX_WINDOW, Query
from nitari.types import Box

VECTOR = np.ones(3, np.float32)


@pytest.mark.parametrize(
    "given",
    [
        {"photo": b"x", "region": Box(0.0, 0.0, 0.5, 0.5)},
        {"photo": b"x", "region": "largest"},
        {"url": "https://example.com/x.jpg"},
        {"item_id": "a", "filter": {"color": "red"}, "group_by": "group"},
        {"vector": VECTOR, "k": MAX_K, "offset": MAX_WINDOW - MAX_K, "min_score": 1.0},
        {"liked": ("a",), "disliked": ("b", "c")},
        {"vector": VECTOR, "liked": ("a",)},
        {"photo": b"x", "emphasis": 1.0, "worn": 0.5, "category": "restrict", "collapse": False, "why": True},
        {"item_id": "a", "disliked": ("b",), "facets": ("color",) * MAX_FACETS, "facet_limit": MAX_FACET_VALUES},
    ],
)
def test_good(given: dict[str, Any]) -> None:
    """Each kind of query, up to the limits."""
    assert Query(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"photo": b"x", "emphasis": 1.5}, "emphasis is 1.5; it must be 0-1"),
        ({"photo": b"x", "worn": 2.0}, "worn is 2.0; it must be auto, off or a strength"),
        ({"photo": b"x", "worn": "on"}, "worn is 'on'; it must be auto"),
        ({"photo": b"x", "category": "shoes"}, "category is 'shoes'; it must be boost"),
        ({}, "exactly one of photo, url, item_id, vector, or liked; found none"),
        ({"photo": b"x", "item_id": "a"}, "found photo and item_id"),
        ({"vector": VECTOR, "url": "https://example.com/x.jpg", "liked": ("a",)}, "found url and vector"),
        ({"disliked": ("a",)}, "exactly one of"),
        ({"item_id": "a", "facets": ("x",) * (MAX_FACETS + 1)}, "33 facets of 20 values"),
        ({"item_id": "a", "facet_limit": 0}, "0 facets of 0 values"),
        ({"item_id": "a", "facet_limit": MAX_FACET_VALUES + 1}, "at most 32 of 1-1000 values"),
        ({"item_id": "a", "k": 0}, "k is 0"),
        ({"item_id": "a", "k": MAX_K + 1}, "k is 1001; it must be 1-1000"),
        ({"item_id": "a", "offset": -1}, "offset -1"),
        ({"item_id": "a", "k": 10, "offset": MAX_WINDOW - 9}, "outside 0-10000"),
        ({"item_id": "a", "min_score": 1.1}, "min_score is 1.1"),
        ({"item_id": "a", "min_score": float("nan")}, "min_score is nan"),
        ({"photo": b"x", "region": "top"}, "region is 'top'"),
        ({"item_id": "a", "group_by": "color"}, "group_by is 'color'"),
    ],
)
def test_bad(given: dict[str, Any], message: str) -> None:
    """What is wrong is said, with what was expected."""
    with pytest.raises(UsageError, match=message):
        Query(**given)
