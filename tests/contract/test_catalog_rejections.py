"""What every catalog remembers of what is wrong with items and feeds."""

from __future__ import annotations

from dataclasses import replace

from nitari.catalog.base import Catalog, Edit, ItemDelete
from support.catalogs import COLLECTION, FEED, reject

CARD = COLLECTION.name


def test_rejections(catalog: Catalog) -> None:
    """What is wrong with an item or location replaces what was; nothing wrong clears it; feeds do not mix."""
    catalog.register_feed("another", None)
    foreign = replace(reject("a", "foreign"), feed_id="another")
    catalog.apply(
        [reject("a", "x", "y"), reject(None, "row", location="line 3"), foreign, reject(None, "feed")], collection=CARD
    )
    assert [(feed, r.code) for feed, r in catalog.rejections()] == [
        ("another", "foreign"),
        (FEED, "x"),
        (FEED, "y"),
        (FEED, "row"),
        (FEED, "feed"),
    ]
    catalog.apply([reject("a", "z"), reject(None, location="line 3"), reject(None, "feed2")], collection=CARD)
    assert [(r.code, r.item_id, r.location) for _, r in catalog.rejections(feed_id=FEED)] == [
        ("z", "a", None),
        ("feed2", None, None),
    ]
    assert list(catalog.rejections(feed_id="nobody")) == []
    assert catalog.stats().rejections == 3
    assert catalog.seq() == 0


def test_a_rejection_comes_back_whole(catalog: Catalog) -> None:
    """Every field of a rejection is kept."""
    edit = reject("a", "code")
    whole = replace(edit.rejections[0], image_link="x.jpg", location="line 9", kept=True)
    catalog.apply([replace(edit, rejections=(whole,))], collection=CARD)
    assert list(catalog.rejections()) == [(FEED, whole)]


def test_rejections_and_deletes_in_order(catalog: Catalog) -> None:
    """A delete forgets what was recorded before it, in the same batch too, and not what comes after it."""
    catalog.apply([reject("a", "old"), reject("b", "kept")], collection=CARD)
    edits: list[Edit] = [
        reject("a", "before"),
        ItemDelete("a"),
        reject("c", "before"),
        ItemDelete("c"),
        reject("c", "after"),
    ]
    catalog.apply(edits, collection=CARD)
    assert [(r.item_id, r.code) for _, r in catalog.rejections()] == [("b", "kept"), ("c", "after")]


def test_finish_run(catalog: Catalog) -> None:
    """A finished run forgets what it did not raise again, in its own feed only."""
    catalog.register_feed("another", None)
    foreign = replace(reject("a", "foreign"), feed_id="another")
    catalog.apply([reject("a", "x"), reject("b", "x"), foreign], collection=CARD)
    catalog.apply([reject("b", "again", run="run-2")], collection=CARD)
    catalog.finish_run(FEED, "run-2")
    catalog.finish_run("nobody", "run-2")
    assert [(feed, r.item_id, r.code) for feed, r in catalog.rejections()] == [
        ("another", "a", "foreign"),
        (FEED, "b", "again"),
    ]
