"""Several collections in one catalog, whatever database it is in: registered, named, filled, switched, dropped."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from nitari.catalog import schema
from nitari.catalog.base import (
    Alias,
    Catalog,
    ChangeKind,
    CollectionSpec,
    FeaturesPut,
    ImagePut,
    ItemDelete,
    Lack,
    LackingPhoto,
)
from nitari.catalog.sql import SqlCatalog
from nitari.errors import ConfigurationError, NotFoundError, UsageError
from support.catalogs import ADAPTERS, COLLECTION, DIM, FEED, features_of, indexed, photo, put, ready

CARD = COLLECTION.name
NEW = CollectionSpec("new", DIM, "ff", {"embedder": "new", "lowlevel": True, "views": "mean"})
TESTS = Path(__file__).parents[1]


@pytest.fixture
def catalog(reopen: Callable[[], Catalog]) -> Catalog:
    """A catalog with two items in one collection, and a second collection, empty."""
    catalog = ready(reopen())
    catalog.apply([put("a", photo("1", "d1"), photo("2", "d2")), put("b", photo("1", "d3"))], collection=CARD)
    catalog.register_collection(NEW)
    return catalog


def lacking(catalog: Catalog, collection: str = "new") -> list[tuple[str, str]]:
    """Item and link of every photo without features."""
    return [(photo.item_id, photo.link) for photo in catalog.lacking(collection)]


def given(item_id: str, link: str, digest: str, *, views: int = 1) -> FeaturesPut:
    """Features for a stored photo."""
    return FeaturesPut(item_id, link, digest, features_of(digest, views=views))


def images_in(catalog: Catalog, collection: str) -> dict[str, tuple[str, ...]]:
    """For each item, the photos of its keys in a collection."""
    return {item.item_id: item.images for item in catalog.indexed_items(collection=collection)}


def with_other(link: str, digest: str, *names: str) -> ImagePut:
    """A new photo with features in further collections."""
    return replace(photo(link, digest), other_features={name: features_of(digest) for name in names})


# Registering


def test_collections_tell_what_they_are(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """Name, width, fingerprint, recipe and counts, in the order of registration, also after opening again."""
    for one in (catalog, reopen()):
        old, new = one.collections()
        assert (old.spec, old.spec.recipe, old.vectors, old.photos, old.lacking) == (COLLECTION, None, 3, 3, 0)
        assert (new.spec, new.vectors, new.photos, new.lacking) == (NEW, 0, 0, 3)
        assert new.spec.recipe == NEW.recipe
        assert one.collection("new") == NEW
        assert not old.maintained
        assert not new.maintained
    with pytest.raises(NotFoundError, match="'none'"):
        catalog.collection("none")


def test_a_recipe_is_filled_in_once(catalog: Catalog) -> None:
    """A collection from before there were recipes gets one at its next registration; none is ever replaced."""
    catalog.register_collection(replace(COLLECTION, recipe={"embedder": "card"}))
    assert catalog.collection(CARD).recipe == {"embedder": "card"}
    catalog.register_collection(replace(COLLECTION, recipe={"embedder": "other"}))
    catalog.register_collection(COLLECTION)
    assert catalog.collection(CARD).recipe == {"embedder": "card"}


def test_no_recipe_for_another_collection(catalog: Catalog) -> None:
    """A registration that is refused leaves nothing behind."""
    with pytest.raises(ConfigurationError) as caught:
        catalog.register_collection(CollectionSpec(CARD, DIM, "another", {"embedder": "x"}))
    assert caught.value.code == "collection-mismatch"
    assert catalog.collection(CARD).recipe is None


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", ".hidden", "a:b", "a b", "é", "x" * 65])
def test_names_can_be_folders(catalog: Catalog, name: str) -> None:
    """What could lead out of a folder is no name, neither of a collection nor of an alias."""
    with pytest.raises(UsageError) as caught:
        CollectionSpec(name, DIM, "f")
    assert caught.value.code == "collection-name"
    with pytest.raises(UsageError):
        catalog.point(name, CARD)


# Aliases


def test_point_and_back(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """An alias names one collection, remembers the one before, and goes back and forth; others see it at once."""
    other = reopen()
    assert (catalog.aliases(), catalog.resolve("default")) == ((), None)
    first = catalog.point("default", CARD)
    assert (first.name, first.collection, first.previous) == ("default", CARD, None)
    assert other.resolve("default") == CARD
    second = catalog.point("default", "new")
    assert (second.collection, second.previous) == ("new", CARD)
    assert second.at >= first.at
    assert other.aliases() == (second,)
    back = other.point_back("default")
    assert (back.collection, back.previous) == (CARD, "new")
    forth = catalog.point_back("default")
    assert (forth.collection, forth.previous) == ("new", CARD)


def test_pointing_again_keeps_the_way_back(catalog: Catalog) -> None:
    """To name what is named already changes nothing."""
    catalog.point("default", CARD)
    now = catalog.point("default", "new")
    assert catalog.point("default", "new") == now


def test_aliases_are_told_apart(catalog: Catalog) -> None:
    """Each has its own collection and its own way back; they come by name."""
    catalog.point("staging", "new")
    catalog.point("default", CARD)
    assert [(alias.name, alias.collection) for alias in catalog.aliases()] == [("default", CARD), ("staging", "new")]
    assert catalog.point("staging", CARD).previous == "new"
    assert catalog.resolve("default") == CARD


def test_what_cannot_be_named(catalog: Catalog) -> None:
    """An unknown collection, an unknown alias, and an alias without a past are errors that name the thing."""
    with pytest.raises(NotFoundError, match="'none'"):
        catalog.point("default", "none")
    assert catalog.aliases() == ()
    with pytest.raises(NotFoundError, match="'default'"):
        catalog.point_back("default")
    catalog.point("default", CARD)
    with pytest.raises(NotFoundError, match="nothing before"):
        catalog.point_back("default")
    for refused in (catalog.maintain, catalog.retire, catalog.drop_collection):
        with pytest.raises(NotFoundError):
            refused("none")


def test_switches_are_one_step(catalog: Catalog) -> None:
    """While one thread switches back and forth, another always finds one of the two, never none."""
    catalog.point("default", CARD)
    catalog.point("default", "new")
    stop, seen = threading.Event(), set[Alias | str | None]()

    def look() -> None:
        while not stop.is_set():
            seen.add(catalog.resolve("default"))
            (alias,) = catalog.aliases()
            seen.add(f"{alias.collection} {alias.previous}")

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(40):
        catalog.point_back("default")
    stop.set()
    reader.join()
    assert seen <= {CARD, "new", f"{CARD} new", f"new {CARD}"}


# What is kept up


def names(catalog: Catalog) -> list[str]:
    """The maintained collections."""
    return [spec.name for spec in catalog.maintained()]


def test_what_is_maintained(catalog: Catalog) -> None:
    """What an alias names or named before, and what is being built; no more once aliases moved on, or by retiring."""
    catalog.register_collection(CollectionSpec("third", DIM, "aa"))
    assert names(catalog) == []
    catalog.point("default", CARD)
    catalog.maintain("new")
    assert names(catalog) == [CARD, "new"]
    assert catalog.maintained()[1].recipe == NEW.recipe
    catalog.point("default", "new")
    assert names(catalog) == [CARD, "new"]
    catalog.maintain("third")
    catalog.point("default", "third")
    assert names(catalog) == ["new", "third"]
    catalog.retire("new")
    assert names(catalog) == ["third"]
    assert catalog.aliases()[0].previous is None
    catalog.retire("third")  # what an alias names stays
    assert names(catalog) == ["third"]
    catalog.maintain(CARD)
    catalog.retire(CARD)
    assert names(catalog) == ["third"]


# Filling


def test_lacking_photos(catalog: Catalog) -> None:
    """Every photo without features, with what it takes to find its original; none in a collection that is whole."""
    assert list(catalog.lacking("new")) == [
        LackingPhoto("a", "1", "d1", "/feed/folder"),
        LackingPhoto("a", "2", "d2", "/feed/folder"),
        LackingPhoto("b", "1", "d3", "/feed/folder"),
    ]
    assert lacking(catalog, CARD) == []
    catalog.apply([put("api", photo("x", "d4"), feed_id=None)], collection=CARD)
    assert list(catalog.lacking("new"))[-1] == LackingPhoto("api", "x", "d4", None)
    with pytest.raises(NotFoundError):
        list(catalog.lacking("none"))


def test_features_for_stored_photos(catalog: Catalog) -> None:
    """They are all there in the new collection, a PUT tells readers of each item, and the old one is as it was."""
    before, seq = indexed(catalog), catalog.seq()
    added = catalog.add_features(
        [given("a", "1", "d1", views=2), given("a", "2", "d2"), given("b", "1", "d3")], collection="new"
    )
    assert added == 3
    assert [(change.kind, change.item_id) for change in catalog.changes(seq)] == [
        (ChangeKind.PUT, "a"),
        (ChangeKind.PUT, "b"),
    ]
    assert images_in(catalog, "new") == {"a": ("1", "1", "2"), "b": ("1",)}
    found = catalog.features("d1", collection="new")
    assert found is not None
    assert np.allclose(found.views[0].vector, features_of("d1").views[0].vector, atol=1e-3)
    assert found.regions[0].box == features_of("d1").regions[0].box
    after = indexed(catalog)
    assert {i: k.keys.tolist() for i, k in after.items()} == {i: k.keys.tolist() for i, k in before.items()}
    old = {int(key) for item in after.values() for key in item.keys}
    new = {int(key) for keys, _ in catalog.vectors(collection="new") for key in keys}
    assert not old & new
    stored = catalog.get("a")
    assert stored is not None
    assert stored.seq == seq + 1
    assert lacking(catalog) == []


def test_features_that_come_too_late(catalog: Catalog) -> None:
    """Photos that are gone, have other bytes by now, or have features already are left alone; the rest is written."""
    catalog.add_features([given("a", "1", "d1")], collection="new")
    catalog.apply([ItemDelete("b"), put("a", photo("1", "d1", extracted=False), photo("2", "d9"))], collection=CARD)
    seq, keys = catalog.seq(), images_in(catalog, "new")
    late = [given("a", "1", "d1", views=2), given("a", "2", "d2"), given("b", "1", "d3"), given("never", "1", "d1")]
    assert catalog.add_features(late, collection="new") == 0
    assert (catalog.seq(), images_in(catalog, "new")) == (seq, keys)
    assert catalog.add_features([*late, given("a", "2", "d9")], collection="new") == 1
    assert images_in(catalog, "new") == {"a": ("1", "2")}
    assert catalog.add_features([], collection="new") == 0


def test_features_of_another_width(catalog: Catalog) -> None:
    """They are refused, and nothing of the call is there."""
    catalog.register_collection(CollectionSpec("wide", DIM + 1, "f"))
    with pytest.raises(UsageError, match="shape"):
        catalog.add_features([given("a", "1", "d1")], collection="wide")
    assert len(lacking(catalog, "wide")) == 3


def test_new_photos_in_several_collections(catalog: Catalog) -> None:
    """A put brings features for further collections in the same change; photos that stay keep theirs in each."""
    catalog.add_features([given("b", "1", "d3")], collection="new")
    before = images_in(catalog, "new"), [k.tolist() for k, _ in catalog.vectors(collection="new")]
    seq = catalog.seq()
    catalog.apply([put("c", with_other("1", "d7", "new", CARD, "dropped-meanwhile"))], collection=CARD)
    assert [change.item_id for change in catalog.changes(seq)] == ["c"]
    assert images_in(catalog, "new") == before[0] | {"c": ("1",)}
    assert indexed(catalog)["c"].keys.size == 1
    replaced = put("b", photo("1", "d3", extracted=False), with_other("2", "d8", "new"))
    catalog.apply([replaced], collection=CARD)
    assert images_in(catalog, "new")["b"] == ("1", "2")
    keys = [int(key) for some, _ in catalog.vectors(collection="new") for key in some]
    assert keys[0] == before[1][0][0]
    assert lacking(catalog) == [("a", "1"), ("a", "2")]


def test_further_features_never_replace(catalog: Catalog) -> None:
    """A photo that has features in the other collection keeps them and their keys, and nothing is logged for them."""
    catalog.add_features([given("b", "1", "d3")], collection="new")
    keys = [some.tolist() for some, _ in catalog.vectors(collection="new")]
    seq = catalog.seq()
    again = replace(photo("1", "d3", extracted=False), other_features={"new": features_of("d3", views=2)})
    catalog.apply([put("b", again)], collection=CARD)
    assert catalog.seq() == seq
    assert [some.tolist() for some, _ in catalog.vectors(collection="new")] == keys
    late = replace(photo("1", "d1", extracted=False), other_features={"new": features_of("d1")})
    catalog.apply([put("a", late, photo("2", "d2", extracted=False))], collection=CARD)
    assert [(change.kind, change.item_id) for change in catalog.changes(seq)] == [(ChangeKind.PUT, "a")]
    assert lacking(catalog) == [("a", "2")]


def test_a_lacking_photo_is_not_lost_to_the_other_collection(catalog: Catalog) -> None:
    """An item put through a collection that lacks one of its photos keeps that photo where it has features."""
    catalog.add_features([given("a", "1", "d1")], collection="new")
    kept = put("a", photo("1", "d1", extracted=False), photo("2", "d2", extracted=False), title="renamed")
    catalog.apply([kept], collection="new")
    assert indexed(catalog)["a"].images == ("1", "2")
    assert images_in(catalog, "new") == {"a": ("1",)}
    assert [image.extracted for image in catalog.known(["a"], collection="new")["a"].images] == [True, False]


def test_lacks_are_remembered_while_they_hold(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """The reason stays with the photo, is replaced by a newer one, and goes with the photo or once it has features."""
    lost = Lack("a", "1", "d1", "file-missing", "gone", "bring it back")
    moved = Lack("b", "1", "d3", "original-changed", "other bytes", "import again")
    catalog.record_lacks([lost, moved, replace(lost, item_id="never")], collection="new")
    assert list(reopen().lacks("new")) == [lost, moved]
    assert list(catalog.lacks(CARD)) == []
    later = replace(lost, reason="still gone")
    catalog.record_lacks([later], collection="new")
    assert list(catalog.lacks("new")) == [later, moved]
    catalog.add_features([given("a", "1", "d1")], collection="new")
    assert list(catalog.lacks("new")) == [moved]
    catalog.apply([ItemDelete("b")], collection=CARD)
    assert list(catalog.lacks("new")) == []
    catalog.record_lacks([], collection="new")


def test_reading_on_while_others_write(catalog: Catalog) -> None:
    """What lacks features is read in pages: what is put meanwhile comes out, too, and no writer waits."""
    reading = catalog.lacking("new")
    first = next(reading)
    catalog.apply([put("z", photo("1", "d8")), put("y", with_other("1", "d9", "new"))], collection=CARD)
    rest = [photo.item_id for photo in reading]
    assert first.item_id == "a"
    assert rest[-1] == "z"
    assert "y" not in rest


# Dropping


def test_drop(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """A dropped collection is gone with its vectors, lacks and ways back; items and other collections are as before."""
    catalog.add_features([given("a", "1", "d1"), given("b", "1", "d3")], collection="new")
    catalog.record_lacks([Lack("a", "2", "d2", "x", "x", "x")], collection="new")
    catalog.point("default", "new")
    catalog.point("default", CARD)
    before, seq = indexed(catalog), catalog.seq()
    other = reopen()
    assert other.collection("new") == NEW
    catalog.drop_collection("new")
    for one in (catalog, other):
        assert [info.name for info in one.collections()] == [CARD]
        assert set(one.stats().vectors) == {CARD}
        assert (one.aliases()[0].collection, one.aliases()[0].previous) == (CARD, None)
        assert names(one) == [CARD]
        assert {i: k.keys.tolist() for i, k in indexed(one).items()} == {i: k.keys.tolist() for i, k in before.items()}
        for refused in (
            lambda: list(one.vectors(collection="new")),  # noqa: B023 - called here
            lambda: one.apply([put("q", photo("1", "d"))], collection="new"),  # noqa: B023
            lambda: one.add_features([given("a", "1", "d1")], collection="new"),  # noqa: B023
            lambda: one.drop_collection("new"),  # noqa: B023
        ):
            with pytest.raises(NotFoundError, match="'new'"):
                refused()
    assert catalog.seq() == seq
    catalog.register_collection(NEW)
    assert len(lacking(catalog)) == 3
    assert list(catalog.vectors(collection="new")) == []
    assert list(catalog.lacks("new")) == []


def test_what_is_in_use_is_not_dropped(catalog: Catalog) -> None:
    """A collection that an alias names stays whole; the error names the alias."""
    catalog.point("shop", CARD)
    with pytest.raises(UsageError, match="'shop'") as caught:
        catalog.drop_collection(CARD)
    assert caught.value.code == "collection-in-use"
    assert len(indexed(catalog)) == 2


# Fills a collection of many photos, says so, and drops it.
DROPPER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.catalogs import ADAPTERS
catalog = ADAPTERS[sys.argv[2]](Path(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
catalog.drop_collection("new")
"""


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.06])
def test_a_killed_drop(adapter: str, after_s: float, tmp_path: Path) -> None:
    """Killed at any moment, the collection is there whole or gone at once; dropping again leaves no row behind."""
    count = 1500
    catalog = ready(ADAPTERS[adapter](tmp_path))
    catalog.register_collection(NEW)
    catalog.apply([put(f"i{n}", with_other("1", f"d{n}", "new")) for n in range(count)], collection=CARD)
    command = [sys.executable, "-c", DROPPER, str(TESTS), adapter, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(after_s)
        process.kill()
        process.wait()
        process.stdin.close()
    if "new" in [info.name for info in catalog.collections()]:
        assert catalog.stats().vectors == {CARD: count, "new": count}
    with suppress(NotFoundError):  # it had come to its end
        catalog.drop_collection("new")
    assert isinstance(catalog, SqlCatalog)
    with catalog._database.read() as connection:
        left = connection.execute(select(schema.features.c.collection).distinct()).all()
        assert len(left) == len(connection.execute(select(schema.collections)).all()) == 1
    catalog.register_collection(NEW)
    assert catalog.stats().vectors == {CARD: count, "new": 0}
    assert len(list(catalog.lacking("new"))) == count
    assert len(indexed(catalog)) == count
    assert FEED in catalog.stats().feeds
    catalog.close()
