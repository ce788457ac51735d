"""Catalogs whose photos show what their items are: vectors of one category lie around its middle."""

from __future__ import annotations

import numpy as np

from nitari.catalog.base import ImagePut, ItemPut, PhotoFeatures, StoredRegion, StoredView
from nitari.types import AttributeValue, Box, FloatArray
from support.catalogs import put, vector_of

TEES, TANKS, BAGS = "Women > Tops > Tees", "Women > Tops > Tanks", "Gear > Bags"
CATEGORIES = (TEES, TANKS, BAGS)
# A category's middle is this much of a vector, and one photo's own part the rest: neighbors are often of others.
_MIDDLE = 0.8


def looking_like(category: str, name: str) -> FloatArray:
    """The vector of a photo called ``name`` of something of this category: float32 ``[DIM]``, unit length."""
    mixed = _MIDDLE * vector_of(category) + vector_of(name)
    unit: FloatArray = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    return unit


def photo_of(link: str, *vectors: FloatArray) -> ImagePut:
    """A photo to put, with these vectors."""
    region = StoredRegion(Box(0.0, 0.0, 1.0, 1.0), "whole", 1.0)
    features = PhotoFeatures(600, 800, (region,), tuple(StoredView(region, vector) for vector in vectors), None)
    return ImagePut(link, f"digest-{link}", None, None, features)


def shown(item_id: str, *vectors: FloatArray, category: str | None = None, group_id: str = "") -> ItemPut:
    """An item to put, with a photo of each of these vectors."""
    attributes: dict[str, AttributeValue] = {} if category is None else {"product_type": category}
    photos = (photo_of(f"{item_id}-{number}.jpg", vector) for number, vector in enumerate(vectors))
    return put(item_id, *photos, attributes=attributes, group_id=group_id)


def assortment(each: int = 40) -> list[ItemPut]:
    """``each`` items of every category, of which vectors tell the category fairly well."""
    return [
        shown(f"{category[-4:].lower()}{number:03}", looking_like(category, f"{category}{number}"), category=category)
        for category in CATEGORIES
        for number in range(each)
    ]
