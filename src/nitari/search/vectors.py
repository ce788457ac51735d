"""The vectors that a query searches with: of items that it names, bent by likes and dislikes, or a caller's own."""

from __future__ import annotations

import numpy as np

from nitari.errors import UsageError
from nitari.extract import unit
from nitari.search.feedback import bent
from nitari.search.gallery import Gallery, Holding
from nitari.search.query import Query
from nitari.types import FloatArray


def query_vectors(
    gallery: Gallery, holding: Holding, query: Query, brought: FloatArray | None
) -> tuple[FloatArray, frozenset[int]]:
    """What to search with (float32 ``[q, dim]``, unit rows), and the items that are not to be answered.

    Args:
        gallery: Says why an item is not there.
        holding: Where items are looked up.
        query: What is asked.
        brought: The vectors that the query brings, if any.
    """
    liked = [ordinal_of(gallery, holding, item_id) for item_id in query.liked]
    disliked = [ordinal_of(gallery, holding, item_id) for item_id in query.disliked]
    excluded = set(disliked)
    if query.item_id is not None:
        item = ordinal_of(gallery, holding, query.item_id)
        excluded.add(item)
        brought = _vectors_of(holding, item)
    elif brought is None:
        excluded.update(liked)
    if brought is not None and not liked and not disliked:
        return brought, frozenset(excluded)
    examples = ([_vectors_of(holding, ordinal) for ordinal in those] for those in (liked, disliked))
    return bent(brought, *examples), frozenset(excluded)


def ordinal_of(gallery: Gallery, holding: Holding, item_id: str) -> int:
    """An item's ordinal.

    Raises:
        NotFoundError: it is not there, or has no vector.
    """
    ordinal = holding.items.ordinal(item_id)
    if ordinal is None:
        raise gallery.explain_missing(item_id)
    return ordinal


def direction(vector: FloatArray, dim: int) -> FloatArray:
    """A caller's vector as a unit vector: float32 ``[dim]``.

    Raises:
        UsageError: it has another width, or no direction.
    """
    try:
        given = np.asarray(vector, np.float64)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"vector is not an array of {dim} numbers: {exc}") from exc
    if given.shape != (dim,):
        raise UsageError(
            f"vector has shape {list(given.shape)}; this collection's vectors have [{dim}]",
            remedy="send a vector of the collection's own model",
        )
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(given))
    if not (np.isfinite(length) and length > 0.0):
        raise UsageError(
            f"vector has length {length}; expected one that is above 0 and finite",
            remedy="look for NaN, infinity or all zeros in it",
        )
    return (given / length).astype(np.float32)


def _vectors_of(holding: Holding, ordinal: int) -> FloatArray:
    """All stored vectors of an item: float32 ``[n, dim]``, unit rows."""
    return unit(holding.index.vectors(holding.items.keys_of(ordinal)))
