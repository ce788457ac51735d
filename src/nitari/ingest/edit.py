"""Edits of single items, outside any feed."""

from __future__ import annotations

from collections.abc import Sequence

from nitari.catalog.base import Catalog, ItemDelete


def delete_items(catalog: Catalog, item_ids: Sequence[str], *, collection: str) -> tuple[str, ...]:
    """Delete items, whichever feed they came from; needs no model. Returns the ids that were there.

    An item that is still in its feed comes back with that feed's next import.
    """
    there = tuple(item_id for item_id in dict.fromkeys(item_ids) if catalog.get(item_id) is not None)
    if there:
        catalog.apply([ItemDelete(item_id) for item_id in there], collection=collection)
    return there
