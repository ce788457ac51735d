"""Folds: which part of a catalog an item falls into when a model is trained on some parts and judged on the others.

Training and evaluation must agree on it to the letter, or a model is judged on what it has seen: so it stands here,
once, and both use it.
"""

from __future__ import annotations

import hashlib

from nitari.errors import UsageError
from nitari.types import Item

SELLER = "seller_id"
"""The attribute that says who took an item's photos."""


def fold_key(item: Item) -> str:
    """What must never stand on both sides: the item's seller, else its style, else the item itself.

    One seller photographs many garments on one carpet, and the colors of a style are one cut worn by one model.
    """
    seller = item.attributes.get(SELLER)
    if isinstance(seller, float) and seller.is_integer():
        seller = int(seller)  # a feed may say "204" as a number; it is the same seller
    return str(seller) if seller not in (None, "", ()) else item.group_id


def fold_of(key: str, folds: int) -> int:
    """The fold of a seller, style or item: the SHA-256 of its name (UTF-8), as a number, modulo ``folds``.

    A hash and no draw, so that it needs no seed, no list, and stays as it is while a catalog grows.

    Raises:
        UsageError: fewer than two folds, for which nothing would be left to train on.
    """
    if folds < 2:
        raise UsageError(f"there are {folds} folds; cross-validation takes 2 or more")
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % folds
