"""The history: what items were before each change, how far back it reaches, and how it is forgotten.

There is one row for each change of the log since the history began, without a gap, so that the catalog can be taken
back to any state since then (``rollback``). It begins with the catalog, or where an older version was migrated, or
where it was pruned to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from nitari.catalog import schema
from nitari.catalog.database import damaged
from nitari.catalog.recovery import HistoryRange
from nitari.catalog.states import ItemState, read_states
from nitari.catalog.undo import Undo, UndoError, decode_undo, encode_undo
from nitari.errors import StateError, UsageError

PRUNED_AT_ONCE = 1000
"""Changes forgotten in one transaction: a few megabytes of vectors, so that other writers hardly wait."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_history, _changes = schema.history.c, schema.changes.c
_LAST = select(schema.counters.c.value).where(schema.counters.c.name == "seq")
_FIRST = select(func.min(_history.seq))
_AT = select(_changes.at_us).where(_changes.seq == bindparam("of_seq"))
_OLDEST = (
    select(_history.seq, _changes.at_us)
    .join_from(schema.history, schema.changes, _changes.seq == _history.seq)
    .order_by(_history.seq)
    .limit(bindparam("at_most"))
)
_RECORDS = select(_history.seq, _history.item_id, _history.row).where(_history.row.is_not(None)).order_by(_history.seq)
_ROWS = 100
_FORGET = delete(schema.history).where(_history.seq <= bindparam("up_to"))


@dataclass(frozen=True, slots=True)
class Before:
    """A change that is about to be made to an item.

    Args:
        seq: The change's number.
        item_id: The item.
        number: Of the item as it is stored now; ``None`` where there is none yet.
        collections: Numbers of the collections in which the change may touch the features of photos that are there:
            none for a change of attributes, one for features of one more collection; ``None`` for all, as where photos
            come, go or are replaced. What is left out here is taken to be the same before and after the change.
    """

    seq: int
    item_id: str
    number: int | None
    collections: frozenset[int] | None = None


def record_before(connection: Connection, changes: Sequence[Before]) -> None:
    """Keep what items are now, for each change that is about to be logged.

    Everything that adds rows to ``changes`` must call this, once for each change, in the same transaction and BEFORE
    it writes anything else of the change (no item twice in one call): rows are read back from the tables here. A
    history with a gap cannot be rolled back.
    """
    wanted: dict[frozenset[int] | None, list[int]] = defaultdict(list)
    for change in changes:
        if change.number is not None:
            wanted[change.collections].append(change.number)
    states = {
        collections: read_states(connection, numbers, collections=collections)
        for collections, numbers in wanted.items()
    }
    rows = [
        {
            "seq": change.seq,
            "item_id": change.item_id,
            "row": None
            if change.number is None
            else encode_undo(Undo(states[change.collections][change.number], change.collections)),
        }
        for change in changes
    ]
    if rows:
        connection.execute(insert(schema.history), rows)


def find_range(connection: Connection) -> HistoryRange:
    """From where to where the catalog can be taken back."""
    newest = connection.scalar(_LAST) or 0
    first = connection.scalar(_FIRST)
    oldest = newest if first is None else first - 1
    return HistoryRange(oldest, newest, _time_of(connection, oldest), _time_of(connection, newest))


def find_point(connection: Connection, to: int | datetime, *, where: str) -> int:
    """The change that the catalog is to be taken back to: the last one at ``to``, where that is a time.

    Raises:
        UsageError: a point in the future, a time without its zone.
        StateError: code ``history-gone``: a point before the history begins.
    """
    span = find_range(connection)
    if isinstance(to, datetime):
        check_zone(to)
        _check_past(to)
        at_us = (to - _EPOCH) // timedelta(microseconds=1)

        def time_of(seq: int) -> int:
            return connection.scalar(_AT, {"of_seq": seq}) or 0

        # Of the reachable states, the last that was there at that time; the log's times ascend as its numbers do.
        reachable = range(max(span.oldest, 1), span.newest + 1)
        point = reachable.start - 1 + bisect_right(reachable, at_us, key=time_of)
        gone = point < span.oldest
    else:
        point, gone = to, 0 <= to < span.oldest
    if not 0 <= point <= span.newest:
        raise UsageError(
            f"there is no change {point} to go back to, expected 0 to {span.newest}, the last one",
            remedy="see `nitari catalog history`",
        )
    if gone:
        raise StateError(
            f"the history of {where} begins after change {span.oldest}{_when(span.oldest_at)}; "
            f"it does not reach back to {to if isinstance(to, int) else to.isoformat()}",
            remedy=f"go back to change {span.oldest} at most, or restore a snapshot from that time",
            code="history-gone",
        )
    return point


def forget_before(connection: Connection, older_than: datetime) -> int:
    """Forget the oldest ``PRUNED_AT_ONCE`` changes as far as they were made before a time. Returns how many."""
    at_us = (older_than - _EPOCH) // timedelta(microseconds=1)
    old = []
    for seq, changed_us in connection.execute(_OLDEST, {"at_most": PRUNED_AT_ONCE}).all():
        if changed_us >= at_us:
            break
        old.append(seq)
    if old:
        connection.execute(_FORGET, {"up_to": old[-1]})
    return len(old)


def past_states(connection: Connection, *, where: str) -> Iterator[ItemState]:
    """What items were before each change of the history, oldest first; features as far as a change touched them.

    Raises:
        StateError: a record that is damaged.
    """
    result = connection.execution_options(stream_results=True).execute(_RECORDS)
    for rows in result.partitions(_ROWS):
        for seq, item_id, row in rows:
            yield decoded(row, seq=seq, item_id=item_id, where=where).state


def decoded(row: bytes, *, seq: int, item_id: str, where: str) -> Undo:
    """A record of the history.

    Raises:
        StateError: it is damaged.
    """
    try:
        return decode_undo(row)
    except UndoError as exc:
        raise damaged(where, f"what item {item_id!r} was before change {seq} cannot be read: {exc}") from exc


def check_zone(at: datetime) -> None:
    """Refuse a time of which nobody knows where it is meant.

    Raises:
        UsageError: a time without its zone.
    """
    if at.tzinfo is None:
        raise UsageError(f"the time {at.isoformat()} has no zone", remedy="give it one, such as +00:00 for UTC")


def _check_past(to: datetime) -> None:
    if to > datetime.now(UTC):
        raise UsageError(f"the time {to.isoformat()} has not come yet", remedy="give a time in the past")


def _time_of(connection: Connection, seq: int) -> datetime | None:
    at_us = connection.scalar(_AT, {"of_seq": seq})
    return None if at_us is None else _EPOCH + timedelta(microseconds=at_us)


def _when(at: datetime | None) -> str:
    return "" if at is None else f" ({at.isoformat(timespec='seconds')})"
