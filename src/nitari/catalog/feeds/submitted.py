"""What a client submits of an item, read by the same rules as a feed's columns."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nitari.catalog.feeds.columns import GROUP, ID, IMAGE, MORE_IMAGES, TITLE, column_name, to_item
from nitari.catalog.feeds.records import Record, safe, shown
from nitari.errors import UsageError
from nitari.types import Attributes

# Columns that are no attributes. The first two need a value, or the row would be no item.
_FIXED = {ID: "-", IMAGE: "-", MORE_IMAGES: None, GROUP: None}
_RESERVED = frozenset((*_FIXED, TITLE, "item_id", "image_links"))


def read_submitted(title: str, attributes: Mapping[str, object]) -> tuple[str, Attributes]:
    """Title and attributes as a feed with these columns would have given them: names, prices, lists, limits alike.

    Where a feed's bad value is left out and reported, a client's is refused. Empty values are left out.

    Args:
        title: The title.
        attributes: Texts, numbers, booleans and lists of texts by name.

    Raises:
        UsageError: a name that no attribute can have, two names that are one, or a value that its column cannot hold;
            the message names it.
    """
    names: dict[str, str] = {}
    for name, value in attributes.items():
        column = column_name(name)
        if not column or column in _RESERVED:
            raise UsageError(
                f"attributes.{safe(name[:80])} is {'no name' if not column else 'not an attribute'}, expected a name "
                "of letters, digits and underscores that no other field of an item has",
                remedy="rename it, or give it in the item's own field",
                code="attribute",
            )
        if column in names:
            raise UsageError(
                f"attributes {shown(names[column])} and {shown(name)} are both read as {column!r}",
                remedy="leave one of them",
                code="attribute",
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"attributes.{safe(name[:80])} is {value}, expected a finite number", code="attribute")
        names[column] = name
    record = Record(0, (*_FIXED, TITLE, *attributes), (*_FIXED.values(), title, *attributes.values()), typed=True)
    item, problems = to_item(record, "")
    if problems or item is None:
        raise UsageError(problems[0].reason, remedy=problems[0].remedy, code=problems[0].code)
    return item.title, item.attributes
