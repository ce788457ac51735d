"""The protocol of thresholds: photos that a catalog has nothing for should be answered with nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nitari.errors import DataError
from nitari.evaluate.protocols.base import (
    EvalProtocol,
    EvalQuery,
    Lens,
    Materials,
    Sweep,
    backs,
    folder_of,
    items,
    main_photos,
    styles,
    subfolder,
)

CATALOG_FOLDER = "luma"
PHOTO_FOLDER = "unrelated"
MIN_SCORE = 0.5
"""What calibrated models recommend."""
DEPTH = "Success@1000"


def unrelated(folder: Path, materials: Materials) -> EvalProtocol:
    """Unrelated photos against a shop's garments: how many get a hit at the recommended score, and what does it cost?

    Queries: every photo below ``unrelated/``, and the back views of the catalog in ``luma/``, each at the recommended
    ``min_score`` and once more without any, which tells what every other threshold would do. Gallery: the main photo of
    every item.
    """
    feed = materials.open_feed(subfolder("unrelated", folder, CATALOG_FOLDER))
    photos = materials.open_feed(subfolder("unrelated", folder, PHOTO_FOLDER))
    found, strangers = items(feed.read()), items(photos.read())
    views = backs(found)
    if not strangers or not views:
        lacks = f"{PHOTO_FOLDER}/ holds no photo" if not strangers else f"{CATALOG_FOLDER}/ has no photo named *_back*"
        raise DataError(
            f"{folder} does not fit the protocol unrelated: {lacks}",
            remedy="get photos with scripts/unrelated-photos DIR/unrelated, and the catalog with: nitari sample luma",
            code="protocol",
        )
    asked = [replace(view, query_id=f"back:{view.query_id}", subject="", category="back views") for view in views]
    style_of = styles(found)
    kept = {f"back:{view.query_id}": style_of[view.query_id] for view in views}
    stranger_queries = [
        EvalQuery(
            f"photo:{one.item_id}",
            one.image_links[0],
            image_base=photos.image_base,
            category=folder_of(one).partition("/")[0],
        )
        for one in strangers
    ]
    anything = dict.fromkeys(style_of, 1)
    unwanted = {query.query_id: anything for query in stranger_queries}
    queries = []
    for query in (*stranger_queries, *asked):
        query = replace(query, subject=query.query_id)
        queries.append(replace(query, options={"min_score": MIN_SCORE}))
        queries.append(replace(query, query_id=_bare(query.query_id), pinned=("min_score",)))
    lenses = (
        Lens("photos answered", "Success@1", unwanted, less_is_better=True, meaning="unrelated photos with any hit"),
        Lens("styles kept", DEPTH, kept, meaning="back views with their style among the hits"),
    )
    sweep = Sweep(tuple(map(_bare, unwanted)), {_bare(query_id): style for query_id, style in kept.items()})
    return EvalProtocol("unrelated", main_photos(feed), tuple(queries), None, lenses=lenses, sweep=sweep)


def _bare(query_id: str) -> str:
    """The id of the same question without a threshold."""
    return f"{query_id}@all"
