"""The catalog's tables, their version, and how an older version becomes this one.

::

    feeds ──< items ──< images ──< features >── collections
      └──< rejections               ├──< regions
                                    └──< views ── vectors
    images ──< lacks >── collections ──< aliases
    changes ── history    counters   meta

Features belong to one photo of one item and to one collection; a photo that two items share is stored twice, because
each of its vectors answers to its own key. Deletes cascade downward, so that nothing is left without its owner.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)

from nitari.errors import StateError

VERSION = 2

# INTEGER PRIMARY KEY is SQLite's row number: rows then lie in the order of their numbers, without a second index.
_Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _number() -> Column[int]:
    # Numbers come from `counters`, see there; the database must not invent any.
    return Column("number", _Number, primary_key=True, autoincrement=False)


meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

# The last number given out of each kind. A number is never used twice, deleted rows included. A writer locks these rows
# (SQLite: the whole file, by BEGIN IMMEDIATE; PostgreSQL: SELECT .. FOR UPDATE) before it takes a number and holds
# them until its commit, so `seq` follows the order of commits: no reader can see change 7 before change 6.
counters = Table(
    "counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)
COUNTERS = ("collection", "feed", "item", "image", "key", "rejection", "seq")

collections = Table(
    "collections",
    metadata,
    _number(),
    Column("name", Text, nullable=False, unique=True),
    Column("dim", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # JSON: the settings that its extractor is built from, whatever the settings say today; NULL before version 2.
    Column("recipe", Text),
    # Whether new photos get features in it though no alias names it: true while it is being built.
    Column("maintained", Boolean),
)

# The names that clients use. `previous` is what one step back leads to.
aliases = Table(
    "aliases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("collection", ForeignKey("collections.number"), nullable=False),
    Column("previous", ForeignKey("collections.number")),
    Column("at_us", BigInteger, nullable=False),
)

feeds = Table(
    "feeds", metadata, _number(), Column("feed_id", Text, nullable=False, unique=True), Column("image_base", Text)
)

items = Table(
    "items",
    metadata,
    _number(),
    Column("item_id", Text, nullable=False, unique=True),
    Column("group_id", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("image_links", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("feed", ForeignKey("feeds.number"), index=True),
    Column("row_digest", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

images = Table(
    "images",
    metadata,
    _number(),
    Column("item", ForeignKey("items.number", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("link", Text, nullable=False),
    Column("digest", Text, nullable=False, index=True),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Index("ix_images_item_position", "item", "position"),
)

features = Table(
    "features",
    metadata,
    Column("image", ForeignKey("images.number", ondelete="CASCADE"), nullable=False),
    Column("collection", ForeignKey("collections.number"), nullable=False),
    Column("lowlevel", LargeBinary),
    PrimaryKeyConstraint("image", "collection"),
)


# Why a photo could not be given features in a collection that was built beside others. Good for as long as it has none.
lacks = Table(
    "lacks",
    metadata,
    Column("image", ForeignKey("images.number", ondelete="CASCADE"), nullable=False),
    Column("collection", ForeignKey("collections.number"), nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    PrimaryKeyConstraint("image", "collection"),
)


def _of_features() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["image", "collection"], ["features.image", "features.collection"], ondelete="CASCADE")


def _box() -> tuple[Column[float], Column[float], Column[float], Column[float], Column[str], Column[float]]:
    return (
        Column("x1", Float, nullable=False),
        Column("y1", Float, nullable=False),
        Column("x2", Float, nullable=False),
        Column("y2", Float, nullable=False),
        Column("label", Text, nullable=False),
        Column("score", Float, nullable=False),
    )


regions = Table(
    "regions",
    metadata,
    Column("image", _Number, nullable=False),
    Column("collection", _Number, nullable=False),
    Column("position", Integer, nullable=False),
    *_box(),
    PrimaryKeyConstraint("image", "collection", "position"),
    _of_features(),
)

views = Table(
    "views",
    metadata,
    Column("key", _Number, primary_key=True, autoincrement=False),
    Column("image", _Number, nullable=False),
    Column("collection", _Number, nullable=False),
    *_box(),
    _of_features(),
    Index("ix_views_image_collection", "image", "collection"),
)

# Apart from `views`, so that reading boxes and links does not page through kilobytes of numbers. The collection stands
# before the vector so that a row of another one is passed over without reading it.
vectors = Table(
    "vectors",
    metadata,
    Column("key", ForeignKey("views.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("collection", _Number, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)

# `scope` is what an edit replaces: "item:ID", else "location:LOCATION".
rejections = Table(
    "rejections",
    metadata,
    _number(),
    Column("feed", ForeignKey("feeds.number"), nullable=False, index=True),
    Column("scope", Text, nullable=False, index=True),
    Column("run_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("item_id", Text),
    Column("image_link", Text),
    Column("location", Text),
    Column("kept", Boolean, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # microseconds since 1970, UTC: no dialect's idea of time zones
)

# What an item was before a change, so that the catalog can be taken back to any change that is still here: an undo log.
# Before-images, as an import of new items then writes none. `row` is NULL where there was no such item.
history = Table(
    "history",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("item_id", Text, nullable=False),
    Column("row", LargeBinary),
)


def _to_version_2(connection: Connection) -> None:
    """Aliases, recipes, lacks and history, empty: a catalog cannot be taken back to before it had a history."""
    aliases.create(connection)
    lacks.create(connection)
    history.create(connection)
    connection.execute(text("ALTER TABLE collections ADD COLUMN recipe TEXT"))
    connection.execute(text("ALTER TABLE collections ADD COLUMN maintained BOOLEAN"))


MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {1: _to_version_2}
"""From each older version, what turns it into the next one."""


def is_current(connection: Connection) -> bool:
    """Whether the tables are there, in this version."""
    return inspect(connection).has_table("meta") and _version(connection) == VERSION


def prepare(connection: Connection, *, where: str) -> None:
    """Create the tables in an empty database, or check their version and migrate an older one.

    Args:
        connection: Inside a write transaction, so that two processes cannot do this at once.
        where: The database's name for people.

    Raises:
        StateError: a database that is not ours, or one that a newer Nitari wrote.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        metadata.create_all(connection)
        named = {"schema": str(VERSION), "identity": uuid.uuid4().hex}
        connection.execute(insert(meta), [{"name": name, "value": value} for name, value in named.items()])
        connection.execute(insert(counters), [{"name": name, "value": 0} for name in COUNTERS])
        return
    found = _version(connection) if {"meta", "counters"} <= tables else None
    if found is None:
        raise StateError(
            f"{where} is a database, but not a Nitari catalog (its tables: {', '.join(sorted(tables)[:5])})",
            remedy="choose another home folder, or move that file away",
            code="catalog-foreign",
        )
    if found > VERSION:
        raise StateError(
            f"{where} has schema version {found}; this Nitari knows versions up to {VERSION}",
            remedy="pip install --upgrade nitari, or choose another home folder",
            code="catalog-newer",
        )
    for version in range(found, VERSION):
        MIGRATIONS[version](connection)
    if found < VERSION:
        connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(VERSION)))


def _version(connection: Connection) -> int | None:
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema"))
    return int(found) if found is not None and found.isdecimal() else None
