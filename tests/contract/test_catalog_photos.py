"""What every catalog makes of photos that come, change and go: keys, features and links."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nitari.catalog.base import Catalog, ChangeKind, ImagePut, ItemDelete
from nitari.errors import StateError
from support.catalogs import COLLECTION, features_of, indexed, keys_of, kinds, photo, put, vector_of, vectors_by_key

CARD = COLLECTION.name


def test_only_the_changed_photo_gets_new_keys(catalog: Catalog) -> None:
    """A replaced photo gets new keys and loses its old vectors; the photo beside it keeps its keys."""
    catalog.apply([put("a", photo("1", "d1"), photo("2", "d2"))], collection=CARD)
    stays, goes = keys_of(catalog, "a")
    catalog.apply([put("a", photo("1", "d1", extracted=False), photo("2", "d3"))], collection=CARD)
    assert kinds(catalog, 1) == [(ChangeKind.PUT, "a")]
    first, second = keys_of(catalog, "a")
    assert first == stays
    assert second > goes
    assert set(vectors_by_key(catalog)) == {first, second}
    assert [d for d in ("d1", "d2", "d3") if catalog.features(d, collection=CARD)] == ["d1", "d3"]


def test_new_features_of_the_same_photo(catalog: Catalog) -> None:
    """Other features for the same bytes replace the stored ones, under new keys."""
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    (old,) = keys_of(catalog, "a")
    other = ImagePut("1", "d1", features=features_of("re-extracted", views=2))
    catalog.apply([put("a", other)], collection=CARD)
    assert kinds(catalog, 1) == [(ChangeKind.PUT, "a")]
    keys = keys_of(catalog, "a")
    assert len(keys) == 2
    assert old not in keys
    assert set(vectors_by_key(catalog)) == set(keys)
    stored = catalog.get("a")
    assert stored is not None
    assert stored.images[0].width == features_of("re-extracted").width


def test_order_of_photos(catalog: Catalog) -> None:
    """Another order of the same photos is a PUT with the same keys, in the new order."""
    catalog.apply([put("a", photo("1", "d1", views=2), photo("2", "d2"), photo("3", "d3"))], collection=CARD)
    one, also_one, two, three = keys_of(catalog, "a")
    again = [photo(link, f"d{link}", extracted=False) for link in "321"]
    catalog.apply([put("a", *again)], collection=CARD)
    assert kinds(catalog, 1) == [(ChangeKind.PUT, "a")]
    assert keys_of(catalog, "a") == [three, two, one, also_one]
    assert indexed(catalog)["a"].images == ("3", "2", "1", "1")


def test_photo_added_and_removed(catalog: Catalog) -> None:
    """Photos come and go without touching the others."""
    catalog.apply([put("a", photo("1", "d1"))], collection=CARD)
    (first,) = keys_of(catalog, "a")
    catalog.apply([put("a", photo("0", "d0"), photo("1", "d1", extracted=False))], collection=CARD)
    added, same = keys_of(catalog, "a")
    assert same == first
    catalog.apply([put("a", photo("0", "d0", extracted=False))], collection=CARD)
    assert keys_of(catalog, "a") == [added]
    assert set(vectors_by_key(catalog)) == {added}


def test_features_of_the_same_photo_elsewhere(catalog: Catalog) -> None:
    """A photo without features takes those of any photo with the same bytes: stored, of this batch, or of itself."""
    catalog.apply([put("a", photo("1", "d1", views=2))], collection=CARD)
    batch = [
        put("b", photo("x", "d1", extracted=False)),
        put("c", photo("1", "d9")),
        put("d", photo("1", "d9", extracted=False), photo("2", "d9", extracted=False)),
        put("a", photo("renamed", "d1", extracted=False)),
    ]
    catalog.apply(batch, collection=CARD)
    held, vectors = indexed(catalog), vectors_by_key(catalog)
    everything = [int(key) for item in held.values() for key in item.keys]
    assert len(set(everything)) == len(everything) == 2 + 2 + 1 + 2
    for item_id, digest, nth in (("a", "d1", 1), ("b", "d1", 1), ("d", "d9", 0)):
        assert np.allclose(vectors[int(held[item_id].keys[nth])], vector_of(digest, nth), atol=1e-3)
    stored = catalog.get("b")
    assert stored is not None
    assert stored.images[0].width == 602
    assert len(stored.images[0].regions) == 1
    catalog.apply([ItemDelete("a")], collection=CARD)
    assert len(keys_of(catalog, "b")) == 2


def test_no_features_anywhere(catalog: Catalog) -> None:
    """A photo whose features nobody has is a clear error, and nothing of the batch is there."""
    edits = [put("a", photo("1", "d1")), put("b", photo("2.jpg", "d2", extracted=False))]
    with pytest.raises(StateError, match=r"'b', image '2.jpg'") as caught:
        catalog.apply(edits, collection=CARD)
    assert caught.value.code == "no-features"
    assert caught.value.remedy
    assert catalog.seq() == 0
    assert catalog.get("a") is None


def test_digests(catalog: Catalog) -> None:
    """Every stored photo's digest, and no longer that of one that went with its item."""
    assert list(catalog.digests()) == []
    catalog.apply([put("a", photo("1", "x"), photo("2", "y")), put("b", photo("1", "x"))], collection=CARD)
    assert set(catalog.digests()) == {"x", "y"}
    catalog.apply([ItemDelete("a")], collection=CARD)
    assert list(catalog.digests()) == ["x"]


@pytest.mark.parametrize("prefix", ["upload:", "50%_of\\", '"quoted"', "写真/"])
def test_image_links(catalog: Catalog, prefix: str) -> None:
    """Links that start with a text, those of rejected photos too; not those that hold it elsewhere."""
    usable = put("a", photo(f"{prefix}1", "x"), photo("other", "y"))
    links = (*usable.item.image_links, f"{prefix}rejected", f"not {prefix}", prefix.upper() + "?", "50 of")
    catalog.apply([replace(usable, item=replace(usable.item, image_links=links))], collection=CARD)
    catalog.apply([put("b", photo(f"{prefix}2", "z")), put("c", photo("else", "z"))], collection=CARD)
    expected = [link for link in links if link.startswith(prefix)] + [f"{prefix}2"]
    assert list(catalog.image_links(prefix)) == expected
