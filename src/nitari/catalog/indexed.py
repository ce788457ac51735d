"""Reading what indexes are made of: items with their keys, vectors, and keys alone, all of them or what changed.

Each reads within the transaction of the connection it is given, row by row or in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, select

from nitari.catalog import schema
from nitari.catalog.base import IndexedItem
from nitari.catalog.codec import decode_attributes, decode_vectors
from nitari.catalog.database import damaged
from nitari.catalog.rows import chunks
from nitari.catalog.undo import UndoError, decode_undo
from nitari.catalog.writer import Collection
from nitari.types import Box, FloatArray, KeyArray

ROWS = 1000
"""Rows of items read at a time."""
VECTOR_BYTES = 4 * 2**20
"""About how large a batch of vectors is, in memory."""
_KEYS = 65_536

_items, _images = schema.items.c, schema.images.c
_views, _vectors, _history = schema.views.c, schema.vectors.c, schema.history.c

# Row by row from the indexes, without sorting: the order names all that makes a row unique, and outer joins keep the
# planner from starting with the views and sorting afterwards. Rows without a key are photos of other collections.
_INDEXED = (
    select(
        _items.number,
        _items.item_id,
        _items.group_id,
        _items.title,
        _items.attributes,
        _views.key,
        _images.link,
        _views.x1,
        _views.y1,
        _views.x2,
        _views.y2,
    )
    .outerjoin_from(schema.items, schema.images, _images.item == _items.number)
    .outerjoin(schema.views, (_views.image == _images.number) & (_views.collection == bindparam("collection")))
    .order_by(_items.number, _images.position, _images.number, _views.key)
)
_INDEXED_SOME = _INDEXED.where(_items.number.in_(bindparam("items", expanding=True)))
_VECTORS = (
    select(_vectors.key, _vectors.vector).where(_vectors.collection == bindparam("collection")).order_by(_vectors.key)
)
_VECTORS_SOME = _VECTORS.where(_vectors.key.in_(bindparam("keys", expanding=True)))
_LAST = select(schema.counters.c.value).where(schema.counters.c.name == "seq")
_CHANGED = (
    select(_history.seq, _history.item_id, _history.row).where(_history.seq > bindparam("after")).order_by(_history.seq)
)
_KEYS_OF_ITEMS = (
    select(_views.key)
    .join_from(schema.items, schema.images, _images.item == _items.number)
    .join(schema.views, (_views.image == _images.number) & (_views.collection == bindparam("collection")))
    .where(_items.item_id.in_(bindparam("item_ids", expanding=True)))
)


def read_items(connection: Connection, collection: int, item_ids: Sequence[str] | None) -> Iterator[IndexedItem]:
    """What a searcher holds of all items (or these), ordered by item number."""
    if item_ids is None:
        result = connection.execution_options(stream_results=True).execute(_INDEXED, {"collection": collection})
        yield from _indexed(row for rows in result.partitions(ROWS) for row in rows)
        return
    numbers: set[int] = set()
    for some in chunks(item_ids):
        numbers.update(connection.scalars(select(_items.number).where(_items.item_id.in_(some))))
    for part in chunks(sorted(numbers)):
        yield from _indexed(connection.execute(_INDEXED_SOME, {"collection": collection, "items": part}))


def read_vectors(
    connection: Connection, of: Collection, keys: KeyArray | None, *, where: str
) -> Iterator[tuple[KeyArray, FloatArray]]:
    """Vectors by key, in batches: int64 ``[n]``, float32 ``[n, dim]``, ascending keys; all if ``None``.

    Raises:
        StateError: a vector of another width, in the database that is called ``where``.
    """
    if keys is None:
        result = connection.execution_options(stream_results=True).execute(_VECTORS, {"collection": of.number})
        for rows in result.partitions(max(1, VECTOR_BYTES // (4 * of.dim))):
            yield _unpack(rows, of.dim, where)
        return
    for some in chunks(np.unique(keys).tolist()):
        found = connection.execute(_VECTORS_SOME, {"collection": of.number, "keys": some}).all()
        if found:
            yield _unpack(found, of.dim, where)


def read_keys(connection: Connection, collection: int) -> KeyArray:
    """Every key: int64 ``[n]``, ascending."""
    # Without an order: the database then answers from an index, and sorting is quicker here.
    wanted = select(_views.key).where(_views.collection == collection)
    result = connection.execution_options(stream_results=True).execute(wanted)
    parts = [np.fromiter(keys, np.int64) for keys in result.scalars().partitions(_KEYS)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))


def read_key_changes(
    connection: Connection, collection: int, after: int, *, at_most: int
) -> tuple[int, KeyArray, KeyArray] | None:
    """What became of the keys of all items that changed after a change, see ``Catalog.key_changes``.

    What items have now is in the tables; what they had is in the history, whose record of a change that took keys away
    names them.
    """
    newest = int(connection.scalar(_LAST) or 0)
    if not 0 <= newest - after <= at_most:
        return None
    item_ids: set[str] = set()
    had: set[int] = set()
    expected = after
    result = connection.execution_options(stream_results=True).execute(_CHANGED, {"after": after})
    for seq, item_id, row in (record for records in result.partitions(ROWS) for record in records):
        expected += 1
        if seq != expected:
            return None
        item_ids.add(item_id)
        if row is not None:
            try:
                features = decode_undo(row).state.features
            except UndoError:
                return None
            had.update(view.key for (_, of), found in features.items() if of == collection for view in found.views)
    if expected != newest:
        return None
    have: set[int] = set()
    for some in chunks(sorted(item_ids)):
        have.update(connection.scalars(_KEYS_OF_ITEMS, {"collection": collection, "item_ids": some}))
    return newest, _ordered(have), _ordered(had - have)


def _ordered(keys: set[int]) -> KeyArray:
    return np.sort(np.fromiter(keys, np.int64, len(keys)))


def _unpack(rows: Sequence[Any], dim: int, where: str) -> tuple[KeyArray, FloatArray]:
    keys, blobs = zip(*rows, strict=True)
    try:
        return np.array(keys, dtype=np.int64), decode_vectors(blobs, dim)
    except ValueError as exc:
        raise damaged(where, f"vectors {keys[0]} to {keys[-1]} are not {dim} numbers each") from exc


def _indexed(rows: Iterable[Sequence[Any]]) -> Iterator[IndexedItem]:
    """One value an item from rows of views, which come by item."""
    for _, group in groupby(rows, key=itemgetter(0)):
        views = [row for row in group if row[5] is not None]
        if not views:
            continue
        _, item_id, group_id, title, attributes, *_ = views[0]
        yield IndexedItem(
            item_id=item_id,
            group_id=group_id,
            title=title,
            attributes=decode_attributes(attributes),
            keys=np.array([row[5] for row in views], dtype=np.int64),
            images=tuple(row[6] for row in views),
            boxes=tuple(Box(*row[7:11]) for row in views),
        )
