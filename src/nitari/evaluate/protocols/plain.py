"""The protocols of one catalog: back views of ``luma``, sellers' photos of ``flat``, and queries of your own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nitari.errors import DataError
from nitari.evaluate.protocols.base import (
    CATEGORY,
    ITEM_ID,
    EvalProtocol,
    EvalQuery,
    Materials,
    backs,
    category_of,
    gallery_of,
    items,
    main_photos,
    query_of,
    styles,
    unfit,
)
from nitari.evaluate.qrels import read_qrels
from nitari.evaluate.queries import read_queries
from nitari.folds import SELLER, fold_key
from nitari.types import Rejection

FLAT_QUERIES = 1500


def luma(folder: Path, materials: Materials) -> EvalProtocol:
    """Back view to front view: does the photo of a garment's back find its style?

    Queries: each item's first further photo with ``_back`` in its file name. Gallery: the main photo of every item.
    Relevant: every item of the query's ``item_group_id``, itself included (its main photo is another photo).
    """
    feed = materials.open_feed(folder)
    found = items(feed.read())
    queries = backs(found)
    if not queries:
        raise unfit("luma", folder, "no item has a photo named *_back* in additional_image_link")
    of_style = styles(found)
    judgments = {query.query_id: of_style[query.query_id] for query in queries}
    return EvalProtocol("luma", main_photos(feed), queries, judgments)


def flat(folder: Path, materials: Materials, *, count: int = FLAT_QUERIES) -> EvalProtocol:
    """Private seller's photo to the same kind of garment from other sellers.

    Queries: the main photos of the first ``count`` items by SHA-256 (hex) of the id. Gallery: the other items.
    Relevant: the same ``product_type``. The query seller's items are filtered out: one seller photographs many garments
    on one carpet, and finding the carpet is no merit.
    """
    feed = materials.open_feed(folder)
    entries = list(feed.read())
    found = items(entries)
    order = sorted(found, key=lambda item: hashlib.sha256(item.item_id.encode()).hexdigest())
    asking, answering = order[:count], order[count:]
    if not answering:
        raise unfit("flat", folder, f"it has {len(found)} items; {count} ask, and some more must be there to answer")
    sellers = {item.item_id: item.attributes.get(SELLER) for item in found}
    unlabeled = [item.item_id for item in found if sellers[item.item_id] is None or not category_of(item)]
    if unlabeled:
        raise unfit("flat", folder, f"item {unlabeled[0]!r} has no {SELLER} or no {CATEGORY}")
    by_type: dict[str, list[str]] = {}
    for item in answering:
        by_type.setdefault(category_of(item), []).append(item.item_id)
    queries = []
    judgments = {}
    for item in asking:
        seller = sellers[item.item_id]
        queries.append(query_of(item, item.image_links[0], filter={"not": {SELLER: seller}}))
        same = by_type.get(category_of(item), [])
        judgments[item.item_id] = {item_id: 1 for item_id in same if sellers[item_id] != seller}
    ids = {item.item_id for item in answering}
    kept = [entry for entry in entries if isinstance(entry, Rejection) or entry.item.item_id in ids]
    return EvalProtocol("flat", gallery_of("flat", feed, kept), tuple(queries), judgments)


def qrels(folder: Path, materials: Materials) -> EvalProtocol:
    """Your own queries: ``queries.csv`` and, if there, ``qrels.txt`` beside the feed.

    Gallery: every item with all its photos. A query's ``exclude`` column takes items out of the ranking and out of
    the judgments. The table by category follows the column ``category`` of ``queries.csv`` or, without it, the
    ``product_type`` of the query's most relevant item.
    """
    feed = materials.open_feed(folder)
    entries = list(feed.read())
    rows = read_queries(folder / "queries.csv")
    path = folder / "qrels.txt"
    judged = read_qrels(path) if path.is_file() else None
    if judged is not None:
        unknown = sorted(judged.keys() - {row.query_id for row in rows})
        if unknown:
            raise DataError(
                f"{path} judges query {unknown[0]!r}, which is not in queries.csv ({len(unknown)} such)",
                remedy="give both files the same query ids",
                code="qrels",
            )
        excluded = {row.query_id: set(row.exclude) for row in rows}
        judged = {
            query_id: {item_id: grade for item_id, grade in grades.items() if item_id not in excluded[query_id]}
            for query_id, grades in judged.items()
        }
    found = {item.item_id: item for item in items(entries)}
    queries = []
    for row in rows:
        grades = (judged or {}).get(row.query_id, {})
        best = found.get(max(grades, key=lambda item_id: grades[item_id], default=""))
        exclude = {"not": {ITEM_ID: list(row.exclude)}} if row.exclude else None
        category = row.category or ("" if best is None else category_of(best))
        key = "" if best is None else fold_key(best)
        queries.append(EvalQuery(row.query_id, row.image_link, row.box, exclude, category, fold_key=key))
    return EvalProtocol("qrels", gallery_of("qrels", feed, entries), tuple(queries), judged)
