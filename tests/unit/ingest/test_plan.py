"""The rules of an import, without a file or a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitari.catalog.base import ImagePut, KnownImage, KnownItem, PhotoFeatures
from nitari.errors import FetchError, SyncRefusedError
from nitari.ingest.plan import Outcome, Unusable, Usable, digest_row, plan_deletions, plan_item
from nitari.types import Item

ITEM = Item(item_id="a", image_links=("1.jpg", "2.jpg"), title="A", attributes={"price": 5.0})
FEATURES = PhotoFeatures(width=10, height=10, regions=(), views=(), lowlevel=None)


def known(*images: tuple[str, str], item: Item = ITEM) -> KnownItem:
    """What the catalog has of an item with these (link, digest) photos."""
    return KnownItem(item.item_id, "feed", digest_row(item), tuple(KnownImage(*image, None, None) for image in images))


def same(link: str, digest: str) -> Usable:
    """A photo whose bytes are those we have."""
    return Usable(ImagePut(link, digest))


def fresh(link: str, digest: str) -> Usable:
    """A photo that was embedded just now."""
    return Usable(ImagePut(link, digest, features=FEATURES))


def broken(link: str) -> Unusable:
    """A photo that cannot be had."""
    return Unusable(link, FetchError(f"{link} is gone", remedy="bring it back", code="http-404"))


def test_new_item_is_indexed() -> None:
    """An item the catalog does not know is put whole."""
    found = plan_item(
        ITEM, feed_id="feed", location=None, known=None, photos=[fresh("1.jpg", "x"), fresh("2.jpg", "y")]
    )
    assert found.outcome is Outcome.INDEXED
    assert found.put is not None
    assert [image.digest for image in found.put.images] == ["x", "y"]


def test_same_row_and_photos_write_nothing() -> None:
    """What has not changed costs no write."""
    found = plan_item(
        ITEM, feed_id="feed", location=None, known=known(("1.jpg", "x"), ("2.jpg", "y")),
        photos=[same("1.jpg", "x"), same("2.jpg", "y")],
    )  # fmt: skip
    assert (found.outcome, found.put) == (Outcome.UNCHANGED, None)


def test_new_validators_are_written_though_nothing_changed() -> None:
    """A server's new ETag is kept, so that the next fetch can be conditional; the item still counts as unchanged."""
    photos = [Usable(ImagePut("1.jpg", "x", etag='"2"')), same("2.jpg", "y")]
    before = known(("1.jpg", "x"), ("2.jpg", "y"))
    found = plan_item(ITEM, feed_id="feed", location=None, known=before, photos=photos)
    assert found.outcome is Outcome.UNCHANGED
    assert found.put is not None
    assert found.put.images[0].etag == '"2"'


def test_changed_price_updates_without_features() -> None:
    """Only text changed: attributes are written, vectors are not touched."""
    item = replace(ITEM, attributes={"price": 6.0})
    before = known(("1.jpg", "x"), ("2.jpg", "y"))
    found = plan_item(
        item, feed_id="feed", location=None, known=before, photos=[same("1.jpg", "x"), same("2.jpg", "y")]
    )
    assert found.outcome is Outcome.UPDATED
    assert found.put is not None
    assert all(image.features is None for image in found.put.images)


def test_other_feed_takes_the_item_over() -> None:
    """An item that another feed now brings belongs to that feed."""
    before = known(("1.jpg", "x"), ("2.jpg", "y"))
    photos = [same("1.jpg", "x"), same("2.jpg", "y")]
    found = plan_item(ITEM, feed_id="other", location=None, known=before, photos=photos)
    assert found.outcome is Outcome.UPDATED
    assert found.put is not None
    assert found.put.feed_id == "other"


def test_failed_refetch_keeps_the_old_photo_and_says_so() -> None:
    """A photo that cannot be had this time stays searchable by what we have of it."""
    before = known(("1.jpg", "x"), ("2.jpg", "y"))
    found = plan_item(
        ITEM, feed_id="feed", location="line 2", known=before, photos=[broken("1.jpg"), same("2.jpg", "y")]
    )
    assert found.outcome is Outcome.UNCHANGED
    (rejection,) = found.rejections
    assert (rejection.code, rejection.kept, rejection.location) == ("http-404", True, "line 2")


def test_new_photo_that_fails_leaves_the_others() -> None:
    """One bad photo of a new item costs that photo only."""
    found = plan_item(ITEM, feed_id="feed", location=None, known=None, photos=[broken("1.jpg"), fresh("2.jpg", "y")])
    assert found.outcome is Outcome.INDEXED
    assert found.put is not None
    assert [image.link for image in found.put.images] == ["2.jpg"]
    assert [rejection.kept for rejection in found.rejections] == [False]


def test_new_item_without_a_usable_photo_is_rejected() -> None:
    """Nothing to search by, nothing in the catalog, one rejection a photo."""
    found = plan_item(ITEM, feed_id="feed", location=None, known=None, photos=[broken("1.jpg"), broken("2.jpg")])
    assert (found.outcome, found.put, len(found.rejections)) == (Outcome.REJECTED, None, 2)


def test_known_item_whose_new_links_all_fail_keeps_its_old_photos() -> None:
    """A feed that moved every photo to a dead host does not empty the shop."""
    before = known(("old.jpg", "x"), item=replace(ITEM, image_links=("old.jpg",)))
    found = plan_item(ITEM, feed_id="feed", location=None, known=before, photos=[broken("1.jpg"), broken("2.jpg")])
    assert found.put is not None
    assert [image.link for image in found.put.images] == ["old.jpg"]
    assert all(rejection.kept for rejection in found.rejections)


def test_removed_photo_makes_a_change() -> None:
    """A photo that left the row leaves the catalog."""
    item = replace(ITEM, image_links=("1.jpg",))
    found = plan_item(
        item, feed_id="feed", location=None, known=known(("1.jpg", "x"), ("2.jpg", "y")), photos=[same("1.jpg", "x")]
    )
    assert found.outcome is Outcome.INDEXED
    assert found.put is not None
    assert len(found.put.images) == 1


def test_row_digest_does_not_depend_on_column_order() -> None:
    """A feed with its columns exchanged is the same feed."""
    one = replace(ITEM, attributes={"price": 5.0, "color": "red"})
    two = replace(ITEM, attributes={"color": "red", "price": 5.0})
    assert digest_row(one) == digest_row(two) != digest_row(ITEM)


def deletions(owned: int, gone: int, *, unidentified: int = 0, allow: bool = False) -> tuple[str, ...]:
    """Plan deletions where the first ``gone`` of ``owned`` items left the feed."""
    ids = [f"{number:03}" for number in range(owned)]
    return plan_deletions(
        feed_id="feed", owned=frozenset(ids), seen=frozenset(ids[gone:]), unidentified=unidentified, allow_delete=allow
    )


def test_deletes_what_left_the_feed() -> None:
    """Up to a fifth may go unasked."""
    assert deletions(10, 2) == ("000", "001")
    assert deletions(10, 0) == ()


def test_refuses_to_delete_more_than_a_fifth() -> None:
    """A feed that lost more is more likely broken than right."""
    with pytest.raises(SyncRefusedError, match=r"3 of 10 items \(30%\)"):
        deletions(10, 3)
    assert len(deletions(10, 3, allow=True)) == 3


def test_refuses_to_delete_while_rows_are_unidentified() -> None:
    """A row whose id cannot be read may be any missing item."""
    with pytest.raises(SyncRefusedError, match="no readable id"):
        deletions(10, 1, unidentified=1)
    assert deletions(10, 0, unidentified=1) == ()
