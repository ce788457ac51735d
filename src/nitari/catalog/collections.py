"""Collections and the aliases that name them: registered, kept up, switched, filled beside others, dropped.

Each function is one step inside a transaction that ``sql`` opens. A collection that is dropped is first given a name
that nobody can ask for, so that it is gone at once; its rows go afterwards, some at a time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, update

from nitari.catalog import schema
from nitari.catalog.base import (
    Alias,
    CollectionInfo,
    CollectionSpec,
    Lack,
    LackingPhoto,
    check_name,
)
from nitari.catalog.rows import chunks
from nitari.catalog.writer import Collection, Numbers, find_collection
from nitari.errors import ConfigurationError, NotFoundError, UsageError

DROPPED_AT_ONCE = 500
"""Photos whose features go in one transaction: other writers wait no longer than that takes."""
PAGE = 1000
"""Photos without features read at once."""

DROPPED = "dropped:"
"""What the name of a collection starts with whose rows are going; a colon is in no name that can be registered."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_collections, _aliases, _lacks = schema.collections.c, schema.aliases.c, schema.lacks.c
_items, _images, _features, _views = schema.items.c, schema.images.c, schema.features.c, schema.views.c

_SPECS = (
    select(
        _collections.number,
        _collections.name,
        _collections.dim,
        _collections.fingerprint,
        _collections.recipe,
        or_(
            func.coalesce(_collections.maintained, False),
            _collections.number.in_(select(_aliases.collection)),
            _collections.number.in_(select(_aliases.previous).where(_aliases.previous.is_not(None))),
        ).label("kept_up"),
    )
    .where(~_collections.name.startswith(DROPPED))
    .order_by(_collections.number)
)
_now_named = schema.collections.alias("now_named")
_named_before = schema.collections.alias("named_before")
_ALIASES = (
    select(_aliases.name, _now_named.c.name, _named_before.c.name, _aliases.at_us)
    .join_from(schema.aliases, _now_named, _now_named.c.number == _aliases.collection)
    .outerjoin(_named_before, _named_before.c.number == _aliases.previous)
    .order_by(_aliases.name)
)
_RESOLVE = (
    select(_collections.name)
    .join_from(schema.aliases, schema.collections, _collections.number == _aliases.collection)
    .where(_aliases.name == bindparam("alias"))
)
_HAS_FEATURES = exists().where(_features.image == _images.number, _features.collection == bindparam("collection"))
_LACKING = (
    select(_images.number, _items.item_id, _images.link, _images.digest, schema.feeds.c.image_base)
    .join_from(schema.images, schema.items, _items.number == _images.item)
    .outerjoin(schema.feeds, schema.feeds.c.number == _items.feed)
    .where(_images.number > bindparam("after"), ~_HAS_FEATURES)
    .order_by(_images.number)
    .limit(PAGE)
)
_LACKS = (
    select(_items.item_id, _images.link, _images.digest, _lacks.code, _lacks.reason, _lacks.remedy)
    .join_from(schema.lacks, schema.images, _images.number == _lacks.image)
    .join(schema.items, _items.number == _images.item)
    .where(_lacks.collection == bindparam("collection"), ~_HAS_FEATURES)
    .order_by(_images.number)
)
_PHOTOS_OF = (
    select(_images.number, _items.item_id, _images.link, _images.digest)
    .join_from(schema.items, schema.images, _images.item == _items.number)
    .where(_items.item_id.in_(bindparam("item_ids", expanding=True)))
)
_FORGET_LACK = delete(schema.lacks).where(
    _lacks.image == bindparam("of_image"), _lacks.collection == bindparam("of_collection")
)


def require(connection: Connection, name: str, *, where: str) -> Collection:
    """A collection by name.

    Raises:
        NotFoundError: there is none.
    """
    found = find_collection(connection, name)
    if found is None:
        raise NotFoundError(
            f"collection {name!r} is not in {where}",
            remedy="`nitari collection list` shows what is; the first import makes one",
        )
    return found


def registered(connection: Connection, spec: CollectionSpec) -> Sequence[Any] | None:
    """``(dim, fingerprint, recipe)`` of the collection with this name, if there is one."""
    columns = (_collections.dim, _collections.fingerprint, _collections.recipe)
    return connection.execute(select(*columns).where(_collections.name == spec.name)).one_or_none()


def register(connection: Connection, spec: CollectionSpec) -> Sequence[Any]:
    """Create the collection, or fill in what is not known of it. Returns as ``registered``."""
    row = registered(connection, spec)
    recipe = encode_recipe(spec)
    if row is None:
        numbers = Numbers(connection)
        values = {"name": spec.name, "dim": spec.dim, "fingerprint": spec.fingerprint, "recipe": recipe}
        connection.execute(insert(schema.collections), {"number": numbers.take("collection"), **values})
        numbers.store()
    elif row[2] is None and recipe is not None and tuple(row[:2]) == (spec.dim, spec.fingerprint):
        connection.execute(update(schema.collections).where(_collections.name == spec.name).values(recipe=recipe))
    else:
        return row
    return spec.dim, spec.fingerprint, recipe


def check_same(spec: CollectionSpec, row: Sequence[Any], *, where: str) -> None:
    """Refuse to use a collection whose vectors are of another kind.

    Raises:
        ConfigurationError: another width or fingerprint.
    """
    dim, fingerprint = row[:2]
    if (dim, fingerprint) != (spec.dim, spec.fingerprint):
        raise ConfigurationError(
            f"collection {spec.name!r} in {where} was made with width {dim} and fingerprint "
            f"{fingerprint}; the settings now say width {spec.dim} and fingerprint {spec.fingerprint}",
            remedy="set the model and extract settings back, embed the catalog anew beside it (`nitari reembed`), or "
            "import into another home folder (--home)",
            code="collection-mismatch",
        )


def encode_recipe(spec: CollectionSpec) -> str | None:
    """A recipe as JSON text, the same for equal ones."""
    return None if spec.recipe is None else json.dumps(dict(spec.recipe), sort_keys=True, ensure_ascii=False)


def specs(connection: Connection) -> tuple[tuple[int, CollectionSpec, bool], ...]:
    """Every collection: its number, what it is, whether it is maintained."""
    return tuple(
        (row.number, _spec(row.name, row.dim, row.fingerprint, row.recipe), bool(row.kept_up))
        for row in connection.execute(_SPECS)
    )


def infos(connection: Connection) -> tuple[CollectionInfo, ...]:
    """Every collection with its counts; read from indexes."""
    images = connection.scalar(select(func.count()).select_from(schema.images)) or 0
    found = []
    for number, spec, kept_up in specs(connection):
        vectors = connection.scalar(select(func.count()).where(_views.collection == number)) or 0
        photos = connection.scalar(select(func.count()).where(_features.collection == number)) or 0
        found.append(CollectionInfo(spec, kept_up, vectors, photos, images - photos))
    return tuple(found)


def maintain(connection: Connection, of: Collection, *, maintained: bool) -> None:
    """Mark a collection as one that is kept up, or take that back; then no alias leads back to it either."""
    chosen = update(schema.collections).where(_collections.number == of.number)
    connection.execute(chosen.values(maintained=maintained))
    if not maintained:
        connection.execute(update(schema.aliases).where(_aliases.previous == of.number).values(previous=None))


def aliases(connection: Connection) -> tuple[Alias, ...]:
    """Every alias, by name."""
    return tuple(
        Alias(name, collection, previous, _EPOCH + timedelta(microseconds=at_us))
        for name, collection, previous, at_us in connection.execute(_ALIASES)
    )


def resolve(connection: Connection, alias: str) -> str | None:
    """The collection that an alias names."""
    return connection.scalar(_RESOLVE, {"alias": alias})


def point(connection: Connection, alias: str, to: Collection) -> Alias:
    """Let an alias name a collection; one that does already keeps its way back."""
    check_name("alias", alias)
    now = connection.scalar(select(_aliases.collection).where(_aliases.name == alias))
    changed = {"collection": to.number, "previous": now, "at_us": time.time_ns() // 1000}
    if now is None:
        connection.execute(insert(schema.aliases), {"name": alias, **changed})
    elif now != to.number:
        connection.execute(update(schema.aliases).where(_aliases.name == alias).values(**changed))
    # From here on the alias is why it is kept up, and it no longer is once aliases have moved on.
    connection.execute(update(schema.collections).where(_collections.number == to.number).values(maintained=False))
    return _alias(connection, alias)


def point_back(connection: Connection, alias: str, *, where: str) -> Alias:
    """Let an alias name what it named before."""
    row = connection.execute(select(schema.aliases).where(_aliases.name == alias)).one_or_none()
    if row is None:
        raise NotFoundError(f"alias {alias!r} is not in {where}", remedy="`nitari alias list` shows what is")
    if row.previous is None:
        raise NotFoundError(
            f"alias {alias!r} named nothing before that is still there",
            remedy="`nitari collection list` shows what it can be set to",
        )
    changed = {"collection": row.previous, "previous": row.collection, "at_us": time.time_ns() // 1000}
    connection.execute(update(schema.aliases).where(_aliases.name == alias).values(**changed))
    return _alias(connection, alias)


def begin_drop(connection: Connection, name: str, *, where: str) -> list[int]:
    """Take a collection out of sight. Returns the numbers of all whose rows are still to go.

    Raises:
        NotFoundError: no collection has this name, and none of this name waits for its end.
        UsageError: an alias names it.
    """
    found = find_collection(connection, name)
    left = select(_collections.number, _collections.name).where(_collections.name.startswith(DROPPED))
    waiting = connection.execute(left).all()
    if found is None:
        if not any(row.name.partition("/")[2] == name for row in waiting):
            require(connection, name, where=where)
        return [row.number for row in waiting]
    naming = [alias.name for alias in aliases(connection) if alias.collection == name]
    if naming:
        raise UsageError(
            f"collection {name!r} is what alias {naming[0]!r} names",
            remedy=f"let it name another one first: nitari alias set {naming[0]} COLLECTION",
            code="collection-in-use",
        )
    maintain(connection, found, maintained=False)
    hidden = f"{DROPPED}{found.number}/{name}"
    connection.execute(update(schema.collections).where(_collections.number == found.number).values(name=hidden))
    return [*(row.number for row in waiting), found.number]


def drop_some(connection: Connection, number: int, after: int) -> int | None:
    """Delete features of a dropped collection, of photos after ``after``; at last the collection.

    Returns:
        The last photo whose features went; ``None`` where nothing is left.
    """
    of = _features.collection == number
    some = select(_features.image).where(of, _features.image > after).order_by(_features.image).limit(DROPPED_AT_ONCE)
    images = connection.scalars(some).all()
    if images:
        connection.execute(delete(schema.features).where(of, _features.image.in_(images)))
        return int(images[-1])
    connection.execute(delete(schema.lacks).where(_lacks.collection == number))
    connection.execute(delete(schema.collections).where(_collections.number == number))
    return None


def lacking_page(connection: Connection, of: Collection, after: int) -> Sequence[tuple[int, LackingPhoto]]:
    """At most ``PAGE`` photos without features, with their numbers, those after ``after``."""
    rows = connection.execute(_LACKING, {"collection": of.number, "after": after})
    return [(number, LackingPhoto(*rest)) for number, *rest in rows]


def record_lacks(connection: Connection, lacks: Sequence[Lack], of: Collection) -> None:
    """Remember why photos have no features; those that are gone or changed meanwhile are left out."""
    wanted = {(lack.item_id, lack.link, lack.digest): lack for lack in lacks}
    rows = []
    for some in chunks(sorted({lack.item_id for lack in lacks})):
        for number, *photo in connection.execute(_PHOTOS_OF, {"item_ids": some}):
            lack = wanted.get((photo[0], photo[1], photo[2]))
            if lack is not None:
                why = {"code": lack.code, "reason": lack.reason, "remedy": lack.remedy}
                rows.append({"image": number, "collection": of.number, **why})
    if rows:
        gone = [{"of_image": row["image"], "of_collection": of.number} for row in rows]
        connection.execute(_FORGET_LACK, gone)
        connection.execute(insert(schema.lacks), rows)


def recorded_lacks(connection: Connection, of: Collection) -> Iterator[Lack]:
    """What is remembered of photos that still have no features."""
    return (Lack(*row) for row in connection.execute(_LACKS, {"collection": of.number}))


def _alias(connection: Connection, name: str) -> Alias:
    return next(alias for alias in aliases(connection) if alias.name == name)


def _spec(name: str, dim: int, fingerprint: str, recipe: str | None) -> CollectionSpec:
    return CollectionSpec(name, dim, fingerprint, None if recipe is None else json.loads(recipe))
