"""What a SQL catalog does about yesterday: the ``Recoverable`` part of the port, for ``sql`` to build on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from nitari.catalog import schema
from nitari.catalog.database import Database
from nitari.catalog.history import check_zone, find_point, find_range, forget_before, past_states
from nitari.catalog.recovery import HistoryRange
from nitari.catalog.rollback import roll_back
from nitari.catalog.states import ItemState

_IDENTITY = select(schema.meta.c.value).where(schema.meta.c.name == "identity")
_SEQ = select(schema.counters.c.value).where(schema.counters.c.name == "seq")


class SqlRecovery:
    """The ``Recoverable`` port over SQL.

    Args:
        database: With the catalog's tables in it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def identity(self) -> str:
        """Of this catalog and its timeline: files derived from another one must not be taken for its own."""
        with self._database.read() as connection:
            return str(connection.scalar(_IDENTITY))

    def reidentify(self) -> str:
        """Give the catalog a new identity, and return it: for a copy that goes on by itself from here."""
        identity = uuid.uuid4().hex
        named = update(schema.meta).where(schema.meta.c.name == "identity").values(value=identity)
        self._database.write(lambda connection: connection.execute(named))
        return identity

    def history_range(self) -> HistoryRange:
        """From where to where the catalog can be taken back."""
        with self._database.read() as connection:
            return find_range(connection)

    def rollback(self, to: int | datetime) -> int:
        """Make every item what it was after change ``to``, or at that time; see ``Recoverable.rollback``.

        The write-ahead log grows by all that is written; it needs as much free disk as the items that differ take.
        """
        where = self._database.name

        def work(connection: Connection) -> int:
            return roll_back(connection, find_point(connection, to, where=where), where=where)

        return self._database.write(work)

    def prune_history(self, older_than: datetime) -> int:
        """Forget what items were before the changes made earlier than ``older_than``. Returns how many changes.

        The file does not shrink: new rows take the place that comes free.
        """
        check_zone(older_than)
        forgotten = 0
        while some := self._database.write(lambda connection: forget_before(connection, older_than)):
            forgotten += some
        return forgotten

    def past_digests(self) -> Iterator[str]:
        """The digest of every photo that an item of the history had; the same one again where several had it."""
        for state in self._past_states():
            yield from state.digests

    def past_image_links(self, prefix: str) -> Iterator[str]:
        """Every image link of an item of the history that starts with ``prefix``."""
        for state in self._past_states():
            yield from (link for link in state.image_links if link.startswith(prefix))

    def _past_states(self) -> Iterator[ItemState]:
        with self._database.read() as connection:
            yield from past_states(connection, where=self._database.name)

    def backup(self, path: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
        """Write a copy of one state to a new file while others write; see ``Recoverable.backup``.

        Writers are not held up; but the write-ahead log cannot shrink until the copy is done.
        """
        with self._database.read() as connection:
            seq: int = connection.scalar(_SEQ) or 0  # the first read: from here on this connection sees one state
            self._database.copy(connection, path, progress)
            return seq
