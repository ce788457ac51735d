"""What every catalog does, whatever database it is in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nitari.catalog.base import (
    Catalog,
    CatalogStats,
    ChangeKind,
    CollectionSpec,
    Edit,
    ImagePut,
    ItemDelete,
    KnownImage,
    KnownItem,
)
from nitari.errors import ConfigurationError, NotFoundError, UsageError
from nitari.types import Attributes, Box, Item
from support.catalogs import (
    COLLECTION,
    DIM,
    FEED,
    indexed,
    keys_of,
    kinds,
    photo,
    put,
    reject,
    vector_of,
    vectors_by_key,
)

CARD = COLLECTION.name


def test_empty(catalog: Catalog) -> None:
    """An empty catalog answers everything with nothing."""
    assert catalog.seq() == 0
    assert catalog.changes(0) == []
    assert catalog.get("x") is None
    assert catalog.known(["x"], collection=CARD) == {}
    assert indexed(catalog) == {}
    assert list(catalog.vectors(collection=CARD)) == []
    assert list(catalog.rejections()) == []
    assert catalog.stats() == CatalogStats(0, 0, 0, {CARD: 0}, 0, 0, {FEED: 0})
    catalog.ping()


def test_put_is_all_there(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """What was put comes back equal in every way to ask, also after opening again."""
    attributes: Attributes = {
        "price": 52.0,
        "new": True,
        "color": ("赤", "blue"),
        "brand": 'a "b"',
        "none": (),
        "size": "1",
    }
    edit = put("a", photo("m.jpg", "d1", views=2), photo("s.jpg", "d2"), title="T", group_id="g", attributes=attributes)
    edit = replace(edit, item=replace(edit.item, image_links=("m.jpg", "broken.jpg", "s.jpg")))
    assert catalog.apply([edit], collection=CARD) == 1
    for one in (catalog, reopen()):
        stored = one.get("a")
        assert stored is not None
        assert stored.item == edit.item
        assert (stored.feed_id, stored.image_base, stored.seq) == (FEED, "/feed/folder", 1)
        assert [(i.link, i.digest, i.width, i.height) for i in stored.images] == [
            ("m.jpg", "d1", 602, 800),
            ("s.jpg", "d2", 602, 800),
        ]
        assert [(r.box, r.label, r.score) for r in stored.images[0].regions] == [
            (Box(0.1, 0.2, 0.7, 0.9), "product", 0.75)
        ]
        held = indexed(one)["a"]
        assert (held.group_id, held.title, held.attributes) == ("g", "T", attributes)
        assert {type(value) for value in held.attributes.values()} == {float, bool, tuple, str}
        assert held.keys.dtype == np.int64
        assert held.images == ("m.jpg", "m.jpg", "s.jpg")
        assert held.boxes == (Box(0.1, 0.2, 0.7, 0.9), Box(0, 0, 1, 1), Box(0.1, 0.2, 0.7, 0.9))
        vectors = vectors_by_key(one)
        expected = [vector_of("d1", 0), vector_of("d1", 1), vector_of("d2", 0)]
        for key, vector in zip(held.keys.tolist(), expected, strict=True):
            assert np.array_equal(vectors[key], vector.astype(np.float16).astype(np.float32))
        image = KnownImage("m.jpg", "d1", None, None), KnownImage("s.jpg", "d2", None, None)
        assert one.known(["a", "b"], collection=CARD) == {"a": KnownItem("a", FEED, "row", image)}
        assert one.stats() == CatalogStats(1, 1, 2, {CARD: 3}, 0, 1, {FEED: 1})


def test_change_log(catalog: Catalog) -> None:
    """Changes are numbered from 1 without regard to batches, carry UTC times, and can be read on from anywhere."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    catalog.apply([put("a", photo("1", "d1")), put("b", photo("1", "d1", extracted=False))], collection=CARD)
    catalog.apply([ItemDelete("a")], collection=CARD)
    assert kinds(catalog) == [(ChangeKind.PUT, "a"), (ChangeKind.PUT, "b"), (ChangeKind.DELETE, "a")]
    assert [change.seq for change in catalog.changes(0)] == [1, 2, 3]
    assert [change.seq for change in catalog.changes(1, limit=1)] == [2]
    assert catalog.changes(3) == []
    assert all(before <= change.at <= datetime.now(UTC) for change in catalog.changes(0))
    assert catalog.seq() == 3


def test_same_again_is_no_change(catalog: Catalog) -> None:
    """Putting the same again, with or without features, leaves no change and keeps the keys."""
    edit = put("a", photo("1", "d1", views=2), photo("2", "d2"), attributes={"p": 1.0})
    catalog.apply([edit], collection=CARD)
    keys = keys_of(catalog, "a")
    assert catalog.apply([edit], collection=CARD) == 1
    bare = tuple(replace(image, features=None) for image in edit.images)
    assert catalog.apply([replace(edit, images=bare)], collection=CARD) == 1
    assert keys_of(catalog, "a") == keys


def test_validators_and_row_digest_are_stored_without_a_change(catalog: Catalog) -> None:
    """New validators or a new row digest alone are remembered, and no index hears of it."""
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    image = ImagePut("1", "d1", '"v2"', "Mon, 01 Jan 2026 00:00:00 GMT")
    assert catalog.apply([put("a", image, row_digest="new")], collection=CARD) == 1
    known = catalog.known(["a"], collection=CARD)["a"]
    assert known.row_digest == "new"
    assert known.images == (KnownImage("1", "d1", '"v2"', "Mon, 01 Jan 2026 00:00:00 GMT"),)


@pytest.mark.parametrize("what", ["title", "group_id", "attributes", "feed_id"])
def test_attributes_change_keeps_keys(catalog: Catalog, what: str) -> None:
    """A new title, group, attribute or owner is an ATTRIBUTES change with the same keys."""
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    keys = keys_of(catalog, "a")
    new = {
        "title": put("a", photo("1", "d1", extracted=False), title="new"),
        "group_id": put("a", photo("1", "d1", extracted=False), group_id="new"),
        "attributes": put("a", photo("1", "d1", extracted=False), attributes={"price": 2.0}),
        "feed_id": put("a", photo("1", "d1", extracted=False), feed_id=None),
    }[what]
    assert catalog.apply([new], collection=CARD) == 2
    assert kinds(catalog, 1) == [(ChangeKind.ATTRIBUTES, "a")]
    stored = catalog.get("a")
    assert stored is not None
    assert (stored.item, stored.feed_id, stored.seq) == (new.item, new.feed_id, 2)
    assert keys_of(catalog, "a") == keys


def test_delete(catalog: Catalog) -> None:
    """A deleted item is gone with its vectors and rejections; unknown ids are ignored; its keys never come back."""
    catalog.apply([put("a", photo("1", "d1")), put("b", photo("1", "d2")), reject("a", "bad")], collection=CARD)
    old = keys_of(catalog, "a") + keys_of(catalog, "b")
    assert catalog.apply([ItemDelete("a"), ItemDelete("b"), ItemDelete("nobody")], collection=CARD) == 4
    assert kinds(catalog, 2) == [(ChangeKind.DELETE, "a"), (ChangeKind.DELETE, "b")]
    assert catalog.get("a") is None
    assert indexed(catalog) == {}
    assert vectors_by_key(catalog) == {}
    assert list(catalog.rejections()) == []
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    assert keys_of(catalog, "a")[0] > max(old)


def test_edits_of_one_item_in_one_batch(catalog: Catalog) -> None:
    """Edits of the same item in one batch follow each other."""
    edits: list[Edit] = [
        put("a", photo("1", "d1")),
        put("a", photo("1", "d1", extracted=False), title="new"),
        ItemDelete("a"),
        put("a", photo("2", "d2")),
        put("a", photo("2", "d2", extracted=False)),
    ]
    assert catalog.apply(edits, collection=CARD) == 4
    assert [kind for kind, _ in kinds(catalog)] == [
        ChangeKind.PUT,
        ChangeKind.ATTRIBUTES,
        ChangeKind.DELETE,
        ChangeKind.PUT,
    ]
    assert indexed(catalog)["a"].images == ("2",)


def test_order_of_items(catalog: Catalog) -> None:
    """Items come in the order of their first put, however they are asked for; unknown ids are left out."""
    names = ["z", "m", "a", "q"]
    catalog.apply([put(name, photo("1", name)) for name in names], collection=CARD)
    catalog.apply([put("z", photo("1", "other"))], collection=CARD)
    assert list(indexed(catalog)) == names
    assert list(indexed(catalog, ["q", "z", "nobody", "z"])) == ["z", "q"]
    assert list(indexed(catalog, [])) == []
    assert list(catalog.feed_item_ids(FEED)) == names
    assert list(catalog.feed_item_ids("unknown")) == []


def test_many(catalog: Catalog) -> None:
    """Lists longer than any one statement takes come back whole and in order."""
    count = 1203
    edits = [put(f"i{n}", photo("1", f"d{n % 7}", extracted=n < 7)) for n in range(count)]
    catalog.apply(edits, collection=CARD)
    ids = [f"i{n}" for n in range(count)]
    assert set(catalog.known(ids, collection=CARD)) == set(ids)
    assert list(indexed(catalog, ids[::-1])) == ids
    keys = np.array([int(item.keys[0]) for item in indexed(catalog).values()])
    backwards = np.concatenate([keys[::-1], keys[:3], [10**9]])
    asked = np.concatenate([some for some, _ in catalog.vectors(collection=CARD, keys=backwards)])
    assert np.array_equal(asked, np.sort(keys))
    assert len(catalog.changes(0, limit=count + 1)) == count
    assert all(catalog.features(f"d{n}", collection=CARD) for n in range(7))


def test_two_collections(catalog: Catalog) -> None:
    """Collections live side by side over the same items; a photo replaced through one is stale in the other."""
    other = CollectionSpec("other", DIM, "ff")
    catalog.register_collection(other)
    catalog.apply([put("a", photo("1", "d1"), photo("2", "d2"))], collection=CARD)
    assert [image.extracted for image in catalog.known(["a"], collection="other")["a"].images] == [False, False]
    assert catalog.features("d1", collection="other") is None
    catalog.apply([put("a", photo("1", "d1", views=2), photo("2", "d2"))], collection="other")
    assert kinds(catalog, 1) == [(ChangeKind.PUT, "a")]
    assert catalog.stats().vectors == {CARD: 2, "other": 3}
    first = {int(key) for keys, _ in catalog.vectors(collection=CARD) for key in keys}
    second = {int(key) for keys, _ in catalog.vectors(collection="other") for key in keys}
    assert not first & second
    catalog.apply([put("a", photo("1", "d9"), photo("2", "d2", extracted=False))], collection="other")
    assert indexed(catalog)["a"].images == ("2",)
    assert [image.extracted for image in catalog.known(["a"], collection=CARD)["a"].images] == [False, True]
    assert [image.extracted for image in catalog.known(["a"], collection="other")["a"].images] == [True, True]
    catalog.apply([put("a", photo("1", "d9"))], collection="other")
    assert indexed(catalog) == {}


def test_register_collection(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """A collection can be registered again as it was, and not otherwise."""
    reopen().register_collection(COLLECTION)
    with pytest.raises(ConfigurationError, match="fingerprint") as caught:
        catalog.register_collection(CollectionSpec(CARD, DIM, "other"))
    assert "--home" in caught.value.remedy
    with pytest.raises(ConfigurationError, match="width 17"):
        catalog.register_collection(CollectionSpec(CARD, DIM + 1, COLLECTION.fingerprint))


def test_register_feed_again(catalog: Catalog) -> None:
    """A feed that has moved is known by its new folder."""
    catalog.apply([put("a", photo("1", "d1")), put("b", photo("1", "d1"), feed_id=None)], collection=CARD)
    catalog.register_feed(FEED, "/moved")
    bases = [stored.image_base for stored in (catalog.get("a"), catalog.get("b")) if stored]
    assert bases == ["/moved", None]


@pytest.mark.parametrize(
    ("edit", "error", "says"),
    [
        (put("a", photo("1", "d1"), feed_id="strange"), NotFoundError, "'strange'"),
        (replace(put("a", photo("1", "d1")), images=()), UsageError, "'a'"),
        (replace(put("a", photo("1", "d1")), images=(photo("1", "d1"), photo("1", "d2"))), UsageError, "twice"),
        (put("a", photo("1", "d1"), title="\ud800"), UsageError, "Unicode"),
        (replace(reject("a", "x"), feed_id="strange"), NotFoundError, "'strange'"),
    ],
)
def test_edits_that_cannot_be(catalog: Catalog, edit: object, error: type[Exception], says: str) -> None:
    """An impossible edit is a clear error, and nothing of its batch is there."""
    with pytest.raises(error, match=says):
        catalog.apply([put("good", photo("1", "d0")), edit], collection=CARD)  # type: ignore[list-item]
    assert catalog.seq() == 0
    assert catalog.get("good") is None


def test_vectors_of_another_width(catalog: Catalog) -> None:
    """Vectors that do not fit the collection are refused."""
    catalog.register_collection(CollectionSpec("wide", DIM + 1, "f"))
    with pytest.raises(UsageError, match=rf"\({DIM},\), expected \({DIM + 1},\)"):
        catalog.apply([put("a", photo("1", "d1"))], collection="wide")


def test_keys(catalog: Catalog) -> None:
    """All keys of a collection, ascending, with the change at which; those of other collections are not among them."""
    at, keys = catalog.keys(collection=CARD)
    assert (at, keys.dtype, keys.tolist()) == (0, np.int64, [])
    catalog.register_collection(CollectionSpec("other", DIM, "f"))
    catalog.apply([put("b", photo("1", "d1", views=2)), put("a", photo("2", "d2"))], collection=CARD)
    catalog.apply([put("c", photo("3", "d3"))], collection="other")
    at = catalog.apply([put("a", photo("4", "d4", views=2))], collection=CARD)
    expected = sorted(key for item in catalog.indexed_items(collection=CARD) for key in item.keys.tolist())
    seq, keys = catalog.keys(collection=CARD)
    assert (seq, keys.tolist()) == (at, expected)
    assert len(expected) == 4


def test_unknown_collection(catalog: Catalog) -> None:
    """A collection that was never registered is not found, at once and not at the first row."""
    for ask in (
        lambda: catalog.apply([], collection="none"),
        lambda: catalog.known([], collection="none"),
        lambda: catalog.indexed_items(collection="none"),
        lambda: catalog.vectors(collection="none"),
        lambda: catalog.keys(collection="none"),
        lambda: catalog.key_changes(0, collection="none"),
        lambda: catalog.features("d1", collection="none"),
    ):
        with pytest.raises(NotFoundError, match="'none'"):
            ask()


def test_a_read_sees_one_state(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """A reader in the middle of its rows neither sees nor holds up what is written meanwhile."""
    count = 2500
    catalog.apply([put(f"i{n}", photo("1", f"d{n % 5}", extracted=n < 5)) for n in range(count)], collection=CARD)
    items, vectors = catalog.indexed_items(collection=CARD), catalog.vectors(collection=CARD)
    first, _ = next(items), next(vectors)
    writer = reopen()
    writer.apply([*(ItemDelete(f"i{n}") for n in range(1, count)), put("new", photo("1", "d1"))], collection=CARD)
    rest = [item.item_id for item in items]
    assert [first.item_id, *rest] == [f"i{n}" for n in range(count)]
    assert list(indexed(catalog)) == ["i0", "new"]
    vectors.close()  # type: ignore[attr-defined]


def test_threads(catalog: Catalog, reopen: Callable[[], Catalog]) -> None:
    """Threads that write and read at once, over two openings of one catalog, all get through; the log has no gaps."""
    other = reopen()
    failures: list[BaseException] = []
    seen: list[int] = []

    def write(name: str, one: Catalog) -> None:
        try:
            for n in range(15):
                one.apply([put(f"{name}-{n}", photo("1", f"{name}-{n}"))], collection=CARD)
                seen.append(catalog.seq())
                assert f"{name}-{n}" in indexed(one)
        except BaseException as exc:  # noqa: BLE001 - handed to the test's thread
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(str(n), catalog if n % 2 else other)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [change.seq for change in catalog.changes(0)] == list(range(1, 61))
    assert max(seen) == catalog.seq() == 60
    keys = [int(key) for item in indexed(catalog).values() for key in item.keys]
    assert len(set(keys)) == 60


def test_closed(reopen: Callable[[], Catalog]) -> None:
    """A closed catalog says so, and can be closed again."""
    catalog = reopen()
    catalog.close()
    catalog.close()
    with pytest.raises(UsageError, match="closed"):
        catalog.seq()


def test_item_without_rejected_links_equals_what_was_put(catalog: Catalog) -> None:
    """A change of the links alone, the photos being the same, is an ATTRIBUTES change."""
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    edit = put("a", photo("1", "d1", extracted=False))
    edit = replace(edit, item=Item("a", ("1", "broken.jpg")))
    catalog.apply([edit], collection=CARD)
    assert kinds(catalog, 1) == [(ChangeKind.ATTRIBUTES, "a")]
    stored = catalog.get("a")
    assert stored is not None
    assert stored.item.image_links == ("1", "broken.jpg")
