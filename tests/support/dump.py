"""A catalog's content as plain values, to compare two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nitari.catalog.base import Catalog


def dump_catalog(catalog: Catalog, *, collection: str) -> dict[str, Any]:
    """Items with attributes, photos with digests, and the vectors themselves; without keys, which depend on history."""
    vectors: dict[int, bytes] = {}
    for keys, rows in catalog.vectors(collection=collection):
        assert rows.dtype == np.float32
        vectors.update((int(key), row.tobytes()) for key, row in zip(keys, rows, strict=True))
    content: dict[str, Any] = {}
    for indexed in catalog.indexed_items(collection=collection):
        stored = catalog.get(indexed.item_id)
        assert stored is not None
        content[indexed.item_id] = {
            "group": stored.item.group_id,
            "title": stored.item.title,
            "attributes": dict(stored.item.attributes),
            "links": stored.item.image_links,
            "images": [(image.link, image.digest, image.width, image.height) for image in stored.images],
            "views": [
                (link, box, vectors.pop(int(key)))
                for key, link, box in zip(indexed.keys, indexed.images, indexed.boxes, strict=True)
            ],
        }
    assert not vectors, "vectors without an item"
    return content
