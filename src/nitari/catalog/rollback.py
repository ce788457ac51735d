"""Taking the catalog back: what each item was is put together from the history, and written where it is not so now.

The state of an item after change ``n`` is what the oldest record after ``n`` says; what that one leaves out, features
of collections that its change did not touch, is as the next record says, and at last as it is now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from nitari.catalog import schema
from nitari.catalog.base import ChangeKind
from nitari.catalog.collections import DROPPED
from nitari.catalog.database import damaged
from nitari.catalog.edits import item_scope
from nitari.catalog.history import Before, decoded, record_before
from nitari.catalog.states import IMAGE_COLUMNS, ITEM_COLUMNS, ItemState, delete_states, insert_states, read_states
from nitari.catalog.writer import Numbers

ITEMS_AT_ONCE = 200
"""Items whose rows are in memory at a time."""
_ROWS = 50

# Which changes are to be undone, by item: the history itself is by change, as an index by item would slow imports down.
_undone = Table(
    "undone",
    MetaData(),
    Column("item_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("item_id", "seq"),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)
_NEXT = (
    select(_undone.c.item_id)
    .where(_undone.c.item_id > bindparam("after"))
    .distinct()
    .order_by(_undone.c.item_id)
    .limit(ITEMS_AT_ONCE)
)
_RECORDS = (
    select(_undone.c.item_id, schema.history.c.seq, schema.history.c.row)
    .join_from(_undone, schema.history, schema.history.c.seq == _undone.c.seq)
    .where(_undone.c.item_id.in_(bindparam("item_ids", expanding=True)))
    .order_by(_undone.c.item_id, _undone.c.seq)
)
_NUMBERS = select(schema.items.c.item_id, schema.items.c.number).where(
    schema.items.c.item_id.in_(bindparam("item_ids", expanding=True))
)
_UPDATE_ITEM = update(schema.items).where(schema.items.c.number == bindparam("of_number"))
_UPDATE_IMAGE = update(schema.images).where(schema.images.c.number == bindparam("of_number"))


def roll_back(connection: Connection, to: int, *, where: str) -> int:
    """Make every item what it was after change ``to``, which the history reaches. Returns the last change.

    Args:
        connection: In a write transaction.
        to: A change from the history's range.
        where: The database's name for people.

    Raises:
        StateError: a record of the history that is damaged.
    """
    work = _Rollback(connection, where)
    for item_ids in _undone_items(connection, to):
        work.take_back(item_ids)
    return work.finish()


def _undone_items(connection: Connection, to: int) -> Iterator[Sequence[str]]:
    """The ids of all items with a change after ``to``, some at a time."""
    _undone.drop(connection, checkfirst=True)
    _undone.create(connection)
    history = schema.history.c
    later = select(history.item_id, history.seq).where(history.seq > to)
    connection.execute(insert(_undone).from_select(["item_id", "seq"], later))
    after = ""
    while item_ids := connection.scalars(_NEXT, {"after": after}).all():
        yield item_ids
        after = item_ids[-1]
    _undone.drop(connection)


class _Rollback:
    """One rollback; lives as long as its transaction."""

    def __init__(self, connection: Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._numbers = Numbers(connection)
        self._at_us = time.time_ns() // 1000
        columns = schema.collections.c
        # Vectors of a collection that was dropped since, and its row perhaps with it, are nobody's.
        self._collections = frozenset(
            connection.scalars(select(columns.number).where(~columns.name.startswith(DROPPED)))
        )

    def take_back(self, item_ids: Sequence[str]) -> None:
        """Make these items what they were, and log it."""
        numbers: dict[str, int] = dict(self._connection.execute(_NUMBERS, {"item_ids": item_ids}).all())
        stored = read_states(self._connection, list(numbers.values()), collections=self._collections)
        now = {item_id: stored[number] for item_id, number in numbers.items()}
        steps = [
            (item_id, now.get(item_id), then, kind)
            for item_id, then in self._states_then(item_ids, now)
            if (kind := _change(now.get(item_id), then)) is not None
        ]
        self._write(steps)

    def finish(self) -> int:
        """Store the counters. Returns the last change."""
        self._numbers.store()
        return self._numbers.last("seq")

    def _states_then(
        self, item_ids: Sequence[str], now: dict[str, ItemState]
    ) -> Iterator[tuple[str, ItemState | None]]:
        """What each item was; ``None`` where there was none."""
        result = self._connection.execution_options(stream_results=True).execute(_RECORDS, {"item_ids": item_ids})
        rows = (row for some in result.partitions(_ROWS) for row in some)
        for item_id, records in groupby(rows, key=itemgetter(0)):
            yield item_id, self._state_then(item_id, records, now.get(item_id))

    def _state_then(self, item_id: str, records: Iterable[Sequence[Any]], now: ItemState | None) -> ItemState | None:
        """What an item was before the oldest of its records, which come by age."""
        then: ItemState | None = None
        open_collections = self._collections
        for _, seq, row in records:
            if row is None:
                if then is not None:  # only a change that touches all collections can have come before it
                    raise damaged(
                        self._where, f"a change to item {item_id!r} before change {seq} is not in its history"
                    )
                return None
            undo = decoded(row, seq=seq, item_id=item_id, where=self._where)
            known = open_collections if undo.collections is None else open_collections & undo.collections
            base = undo.state if then is None else then
            found = {} if then is None else dict(then.features)
            found.update((at, state) for at, state in undo.state.features.items() if at[1] in known)
            then = replace(base, features=found)
            open_collections -= known
            if not open_collections:
                break
        if then is None:
            raise damaged(self._where, f"the history of item {item_id!r} is gone while it was read")
        if open_collections and now is not None:
            later = {at: state for at, state in now.features.items() if at[1] in open_collections}
            then = replace(then, features={**then.features, **later})
        photos = {image[0] for image in then.images}
        return replace(then, features={at: state for at, state in then.features.items() if at[0] in photos})

    def _write(self, steps: Sequence[tuple[str, ItemState | None, ItemState | None, ChangeKind]]) -> None:
        """Log the changes and write the rows: those that go before those that come."""
        changes, before = [], []
        gone: list[ItemState] = []
        back: list[ItemState] = []
        edited: list[ItemState] = []
        forgotten: list[str] = []
        for item_id, now, then, kind in steps:
            seq = self._numbers.take("seq")
            changes.append({"seq": seq, "kind": kind.value, "item_id": item_id, "at_us": self._at_us})
            edit = kind is ChangeKind.ATTRIBUTES
            before.append(Before(seq, item_id, now.number if now else None, frozenset() if edit else None))
            if then is None:
                forgotten.append(item_scope(item_id))
            else:
                (edited if edit else back).append(then.with_seq(seq))
            if now is not None and not edit:
                gone.append(now)
        record_before(self._connection, before)
        delete_states(self._connection, gone)
        insert_states(self._connection, back)
        self._update(edited)
        if forgotten:
            scope = schema.rejections.c.scope
            self._connection.execute(delete(schema.rejections).where(scope.in_(forgotten)))
        if changes:
            self._connection.execute(insert(schema.changes), changes)

    def _update(self, states: Sequence[ItemState]) -> None:
        """Write the columns of items and photos that stay."""
        items = [{"of_number": state.number, **dict(zip(ITEM_COLUMNS, state.columns, strict=True))} for state in states]
        images = [
            {"of_number": number, **dict(zip(IMAGE_COLUMNS, columns, strict=True))}
            for state in states
            for number, *columns in state.images
        ]
        if items:
            self._connection.execute(_UPDATE_ITEM, items)
            self._connection.execute(_UPDATE_IMAGE, images)


def _change(now: ItemState | None, then: ItemState | None) -> ChangeKind | None:
    """What taking an item back does to it; ``None`` where it is again what it was."""
    if then is None:
        return None if now is None else ChangeKind.DELETE
    if now is None or now.number != then.number or now.features != then.features:
        return ChangeKind.PUT
    if _photos(now) != _photos(then):
        return ChangeKind.PUT
    if now.columns[:-1] != then.columns[:-1] or now.images != then.images:
        return ChangeKind.ATTRIBUTES
    return None


def _photos(state: ItemState) -> list[int]:
    return [image[0] for image in state.images]
