"""Photos of feeds as samples: labels, folds, and what cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.catalog.base import FeedRow
from nitari.errors import DataError, FetchError
from nitari.images.base import NotModified, Original, Validators
from nitari.training.transform_photos import Labels, Shot, category_parts, gather, joined, last_category, shots
from nitari.types import AttributeValue, Item, Rejection
from support.extraction import PRODUCT, text_extractor


class Texts:
    """A source of texts; some cannot be had."""

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The link itself."""
        if link == "gone":
            raise FetchError("gone is gone")
        return Original(link.encode(), "0" * 64)

    def close(self) -> None:
        """Nothing is open."""


def row(item_id: str, category: AttributeValue, *links: str) -> FeedRow:
    """A row of a feed."""
    item = Item(item_id, links or (item_id,), group_id=item_id[0], attributes={"product_type": category})
    return FeedRow(item, "line 1")


def shot(link: str) -> Shot:
    """A worn shirt."""
    return Shot(link, True, True, "shirt", "key", "group", True)


def test_categories() -> None:
    """A category may be one text or several; the last part is what two catalogs may both call a kind."""
    assert category_parts(row("a", "Men > Tops > Tees").item) == ("Men", "Tops", "Tees")
    assert category_parts(row("a", ("Men > Tops", "Tees")).item) == ("Men", "Tops", "Tees")
    assert last_category(row("a", "Men > Tees").item) == "tees"
    assert last_category(Item("a", ("l",))) == ""


def test_shots() -> None:
    """Every photo of every good row is taken, with its item's labels; the first is the main one."""
    rows = [row("a1", "Tees", "a.jpg", "b.jpg"), Rejection("x", "bad"), row("b1", "Gear")]
    labels = Labels(last_category, lambda item: last_category(item) != "gear", studio=True)
    found = list(shots(rows, labels))
    assert [(one.link, one.worn, one.kind, one.main, one.group) for one in found] == [
        ("a.jpg", True, "tees", True, "worn:a"),
        ("b.jpg", True, "tees", False, "worn:a"),
        ("b1", False, "gear", True, "worn:b"),
    ]
    assert all(one.studio for one in found)


def test_gather() -> None:
    """Photos become unit rows in their order; those that cannot be used are told, and the others go on."""
    found, refused = gather(
        [shot("one"), shot("gone"), shot("broken"), shot("two")],
        extractor=text_extractor(PRODUCT, views="both"),
        source=Texts(),
        workers=2,
    )
    assert len(found) == 2
    assert [reason.split(":")[0] for reason in refused] == ["gone", "broken"]
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    again, _ = gather([shot("one")], extractor=text_extractor(PRODUCT, views="both"), source=Texts(), workers=1)
    np.testing.assert_array_equal(again.vectors[0], found.vectors[0])
    assert len(joined(found, again)) == 3


def test_many_photos_in_order() -> None:
    """With more photos than are in work at a time, each row is its own photo's."""
    names = [f"photo {number}" for number in range(40)]
    found, _ = gather([shot(name) for name in names], extractor=text_extractor(), source=Texts(), workers=3)
    one, _ = gather([shot(names[17])], extractor=text_extractor(), source=Texts(), workers=1)
    np.testing.assert_array_equal(found.vectors[17], one.vectors[0])


def test_nothing_usable() -> None:
    """Where no photo can be used, the error says why."""
    with pytest.raises(DataError, match="gone is gone"):
        gather([shot("gone")], extractor=text_extractor(), source=Texts(), workers=1)
