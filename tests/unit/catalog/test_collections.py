"""Collections in SQL: pages and drops are bounded, catalogs of version 1 catch up, indexes know whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from nitari.catalog import collections, schema
from nitari.catalog.base import CollectionSpec, StoredRegion
from nitari.catalog.sql import SqlCatalog
from nitari.errors import NotFoundError
from nitari.types import Box
from support.catalogs import COLLECTION, DIM, features_of, photo, put, query_plan, ready

CARD = COLLECTION.name
NEW = CollectionSpec("new", DIM, "ff")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with 25 items in two collections."""
    with SqlCatalog.open(tmp_path / "catalog.sqlite") as catalog:
        ready(catalog).register_collection(NEW)
        images = [replace(photo("1", f"d{n}"), other_features={"new": features_of(f"d{n}")}) for n in range(25)]
        catalog.apply([put(f"i{n}", image) for n, image in enumerate(images)], collection=CARD)
        yield catalog


def test_pages(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a page, every photo comes once."""
    catalog.register_collection(CollectionSpec("third", DIM, "aa"))
    for size in (1, 7, 25, 26):
        monkeypatch.setattr(collections, "_LACKING", collections._LACKING.limit(size))
        assert [found.item_id for found in catalog.lacking("third")] == [f"i{n}" for n in range(25)]


def test_a_page_is_not_sorted(catalog: SqlCatalog) -> None:
    """It is read from the photos in order: no page costs as much as all of them."""
    steps = query_plan(catalog, collections._LACKING)
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_a_drop_holds_up_nobody_for_long(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transactions are bounded, and others write between them."""
    monkeypatch.setattr(collections, "DROPPED_AT_ONCE", 10)
    steps: list[int | None] = []
    drop_some = collections.drop_some

    def watched(connection: object, **step: int) -> int | None:
        steps.append(drop_some(connection, **step))  # type: ignore[arg-type]  # as it came
        return steps[-1]

    monkeypatch.setattr(collections, "drop_some", watched)
    catalog.drop_collection("new")
    assert len(steps) == 4
    assert steps[-1] is None
    assert catalog.stats().vectors == {CARD: 25}


def test_indexes_know_whose_they_are(catalog: SqlCatalog) -> None:
    """A collection registered anew after a drop is another one: no index of the old one may pass for its own."""
    first = catalog.identity_of("new")
    assert first != catalog.identity_of(CARD)
    assert first.startswith(catalog.identity)
    catalog.drop_collection("new")
    with pytest.raises(NotFoundError):
        catalog.identity_of("new")
    catalog.register_collection(NEW)
    assert catalog.identity_of("new") != first


def test_an_items_regions_are_those_of_what_is_searched(catalog: SqlCatalog) -> None:
    """A collection that is built beside the default one changes nothing of what clients see; the switch does."""
    seen = StoredRegion(Box(0.4, 0.4, 0.6, 0.6), "product", 0.5)
    image = replace(photo("1", "x"), other_features={"new": replace(features_of("x"), regions=(seen,))})
    catalog.apply([put("x", image)], collection=CARD)

    def box() -> Box:
        stored = catalog.get("x")
        assert stored is not None
        return stored.images[0].regions[0].box

    assert box() == seen.box  # without an alias, of the one registered last
    catalog.point("default", CARD)
    assert box() == Box(0.1, 0.2, 0.7, 0.9)
    catalog.point("default", "new")
    assert box() == seen.box


def test_a_catalog_of_version_1(tmp_path: Path) -> None:
    """It has collections without recipes and no aliases; migrated, both can be had."""
    path = tmp_path / "catalog.sqlite"
    with SqlCatalog.open(path) as catalog:
        ready(catalog).apply([put("a", photo("1", "d1"))], collection=CARD)

        def age(connection: object) -> None:
            for statement in (
                "DROP TABLE aliases",
                "DROP TABLE lacks",
                "DROP TABLE history",
                "ALTER TABLE collections DROP COLUMN recipe",
                "ALTER TABLE collections DROP COLUMN maintained",
                "UPDATE meta SET value = '1' WHERE name = 'schema'",
            ):
                connection.execute(text(statement))  # type: ignore[attr-defined]

        catalog._database.write(age)
    with SqlCatalog.open(path) as catalog:
        assert catalog.collection(CARD).recipe is None
        assert (catalog.aliases(), catalog.maintained()) == ((), ())
        catalog.register_collection(replace(COLLECTION, recipe={"embedder": CARD}))
        assert catalog.collection(CARD).recipe == {"embedder": CARD}
        catalog.point("default", CARD)
        assert [spec.name for spec in catalog.maintained()] == [CARD]
        with catalog._database.read() as connection:
            assert schema.is_current(connection)
