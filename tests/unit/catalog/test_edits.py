"""What an edit does is decided without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitari.catalog.base import ChangeKind, Edit, ItemDelete, ItemPut
from nitari.catalog.codec import encode_attributes, encode_features, encode_texts
from nitari.catalog.edits import (
    ImagePlan,
    ImageRow,
    ItemFields,
    ItemRow,
    check,
    plan_put,
    rejections_after,
    rounds,
    staying,
)
from nitari.errors import UsageError
from support.catalogs import DIM, FEED, features_of, photo, put, reject

FIELDS = ItemFields("a", "a", "", encode_texts(["1", "2"]), encode_attributes({}), FEED)
ROWS = tuple(ImageRow(n, n - 1, str(n), f"d{n}", None, None, 600, 800, True) for n in (1, 2))
STORED = ItemRow(7, FIELDS, "row", 3, ROWS)
FEATURES = encode_features(features_of("d"), DIM)


def plans(edit: ItemPut) -> list[ImagePlan]:
    """Photos that stay keep their features; others are new."""
    rows = [(image, staying(STORED, image)) for image in edit.images]
    return [ImagePlan(image, row, None if row else FEATURES, row or FEATURES) for image, row in rows]


@pytest.mark.parametrize(
    ("edit", "change", "update", "dropped"),
    [
        (put("a", photo("1", "d1"), photo("2", "d2")), None, False, ()),
        (put("a", photo("1", "d1"), photo("2", "d2"), row_digest="new"), None, True, ()),
        (put("a", photo("1", "d1"), photo("2", "d2"), title="new"), ChangeKind.ATTRIBUTES, True, ()),
        (put("a", photo("1", "d1"), photo("2", "d2"), feed_id=None), ChangeKind.ATTRIBUTES, True, ()),
        (put("a", photo("2", "d2"), photo("1", "d1")), ChangeKind.PUT, True, ()),
        (put("a", photo("1", "d1")), ChangeKind.PUT, True, (2,)),
        (put("a", photo("1", "d1"), photo("2", "other")), ChangeKind.PUT, True, (2,)),
        (put("a", photo("1", "d1"), photo("3", "d2"), photo("2", "d2")), ChangeKind.PUT, True, ()),
    ],
)
def test_plan_put(edit: ItemPut, change: ChangeKind | None, update: bool, dropped: tuple[int, ...]) -> None:
    """Each kind of difference is the change that an index needs to hear of, and no more."""
    plan = plan_put(STORED, edit, plans(edit))
    assert (plan.change, plan.update, plan.dropped) == (change, update, dropped)


def test_plan_put_of_features() -> None:
    """Other features for photos that stay are a PUT; a new item is one, too."""
    edit = put("a", photo("1", "d1"), photo("2", "d2"))
    images = [replace(image, rows=FEATURES) for image in plans(edit)]
    assert plan_put(STORED, edit, images).change is ChangeKind.PUT
    assert plan_put(None, edit, images).change is ChangeKind.PUT


def test_staying() -> None:
    """A photo stays by its link and its bytes, both."""
    assert staying(STORED, photo("1", "d1")) is ROWS[0]
    assert staying(STORED, photo("1", "d2")) is None
    assert staying(None, photo("1", "d1")) is None


def test_rounds() -> None:
    """A round holds each item once, all edits come in order, and rejections are none of its business."""
    a, b = put("a", photo("1", "d1")), put("b", photo("1", "d1"))
    edits: list[Edit] = [a, reject("a", "x"), b, ItemDelete("a"), a, reject("a"), ItemDelete("b")]
    assert list(rounds(edits)) == [[a, b], [ItemDelete("a")], [a, ItemDelete("b")]]
    assert list(rounds([])) == []


def test_rejections_after() -> None:
    """The last word on an item or location counts, and a delete forgets in every feed."""
    foreign = replace(reject("a", "foreign"), feed_id="another")
    last, row = reject("b", "y"), reject(None, "row", location="line 1")
    forgotten, recorded = rejections_after(
        [reject("a", "x"), foreign, ItemDelete("a"), reject("b", "x"), row, last, ItemDelete("c")]
    )
    assert forgotten == {"item:a", "item:c"}
    assert list(recorded.values()) == [row, last]


def test_check() -> None:
    """An item needs photos, each link once."""
    check([put("a", photo("1", "d1")), ItemDelete("a"), reject(None)])
    with pytest.raises(UsageError, match="'a'") as caught:
        check([replace(put("a", photo("1", "d1")), images=())])
    assert caught.value.remedy
    with pytest.raises(UsageError, match="twice"):
        check([replace(put("a", photo("1", "d1")), images=(photo("1", "d1"), photo("1", "d2")))])
