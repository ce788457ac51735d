"""Where a query and one of its hits are alike: what is compared with what, and the heat maps of both photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import numpy as np

from nitari.embeddings.base import QueryGate
from nitari.errors import DataError, NotFoundError, UsageError
from nitari.extract import unit
from nitari.search.emphasis import weighed
from nitari.search.gallery import Gallery, Holding
from nitari.search.heat import Heat
from nitari.search.photos import PhotoReader
from nitari.search.query import Query
from nitari.search.vectors import ordinal_of
from nitari.types import Block, FloatArray

PhotoOf: TypeAlias = Callable[[str, str], bytes]
"""From an item's id and one of its image links to the photo; ``DataError`` or ``NotFoundError`` where it is gone."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two photos.

    Args:
        heat: Where it is like the other one; ``None`` where its photo cannot be had.
        image: Its link, where it is an item's.
        reason: Why there is no heat, empty where there is.
    """

    heat: Heat | None
    image: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LikenessMaps:
    """Where a query and a hit are alike.

    Args:
        query: The query's photo.
        hit: The hit's photo that is most like it.
        timing_ms: Milliseconds of each of the two (``query hit``), and in ``total``.
    """

    query: Side
    hit: Side
    timing_ms: dict[str, float]


def likeness_maps(
    gallery: Gallery,
    photos: PhotoReader,
    blocks: Sequence[Block],
    gate: QueryGate | None,
    query: Query,
    hit: str,
    photo_of: PhotoOf,
    *,
    ease: float = 1.0,
) -> LikenessMaps:
    """Compare a query with one item, and cover their photos patch by patch. Takes a second or two.

    Args:
        gallery: What is searched.
        photos: Makes vectors.
        blocks: What the vectors' parts speak of.
        gate: Says which of these count for a query; ``None`` where all do.
        query: With a photo, a url or an item; its ``region``, ``worn`` and ``emphasis`` count, likes do not.
        hit: The item to compare with.
        photo_of: Where items' photos come from.
        ease: Of what is taken out of the query, how much is, see ``Extractor.undressed``.

    Raises:
        UsageError: a query that shows nothing.
        NotFoundError: no such item.
        ImageError: a query photo that cannot be used.
        FetchError: a url whose photo cannot be had.
    """
    started = perf_counter()
    if query.photo is None and query.url is None and query.item_id is None:
        raise UsageError("a heat map needs something to be seen", remedy="give one of photo, url, item_id, photo_id")
    data = None
    brought = None
    if query.item_id is None:
        data = photos.read(query.photo, query.url)
        views = photos.extract(data, None, query.region, query.worn, ease=ease).views
        brought = np.stack([view.vector for view in views])
    with gallery.reading() as holding:
        hit_images, hit_vectors = _stored(gallery, holding, hit)
        images: list[str] = []
        if query.item_id is not None:
            images, brought = _stored(gallery, holding, query.item_id)
    if brought is None:
        raise AssertionError("a query brings a photo or names an item")
    asking = weighed(brought, blocks, query.emphasis, gate)
    asked = asking.vectors if asking.scales is None else asking.vectors * asking.scales[:, None]
    row, column = np.unravel_index(int((asked @ hit_vectors.T).argmax()), (len(asked), len(hit_vectors)))
    target = hit_vectors[column]

    def like_hit(vectors: FloatArray) -> float:
        wish = weighed(vectors, blocks, query.emphasis, gate)
        likeness = wish.vectors @ target
        return float((likeness if wish.scales is None else likeness * wish.scales).max())

    if data is not None:
        mine = Side(photos.heat(data, like_hit, query.region, query.worn, ease=ease))
    else:
        mine = _stored_side(photos, photo_of, query.item_id or "", images[int(row)], like_hit)
    between = perf_counter()
    theirs = _stored_side(
        photos, photo_of, hit, hit_images[int(column)], lambda vectors: float((vectors @ asked.T).max())
    )
    now = perf_counter()
    timing = {"query": (between - started) * 1e3, "hit": (now - between) * 1e3, "total": (now - started) * 1e3}
    return LikenessMaps(mine, theirs, timing)


def _stored(gallery: Gallery, holding: Holding, item_id: str) -> tuple[list[str], FloatArray]:
    """The image link of each view of an item, and the vectors: float32 ``[n, dim]``, unit rows."""
    keys = holding.items.keys_of(ordinal_of(gallery, holding, item_id))
    shown = holding.items.hits(holding.items.views(keys), [0.0] * keys.size)
    return [one.image for one in shown], unit(holding.index.vectors(keys))


def _stored_side(
    photos: PhotoReader, photo_of: PhotoOf, item_id: str, image: str, likeness: Callable[[FloatArray], float]
) -> Side:
    """The map of an item's photo, or why there is none."""
    try:
        return Side(photos.heat(photo_of(item_id, image), likeness), image)
    except (DataError, NotFoundError) as exc:
        return Side(None, image, exc.message)
