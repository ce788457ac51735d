"""When a gallery's classifier is learned, and when it is learned anew."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitari.catalog.base import Catalog, ItemDelete
from nitari.search import categories
from nitari.search.categories import Categories
from nitari.search.filters import parse_filter
from nitari.search.gallery import Gallery
from support.categories import CATEGORIES, TEES, assortment, looking_like, shown
from support.galleries import apply, open_catalog, open_gallery


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog; the gallery closes it."""
    return open_catalog(tmp_path)


@pytest.fixture
def gallery(catalog: Catalog) -> Iterator[Gallery]:
    """It, followed."""
    opened = open_gallery(catalog)
    yield opened
    opened.close()


def test_learns_once_and_when_it_has_grown(catalog: Catalog, gallery: Gallery) -> None:
    """Nothing is learned of an empty gallery; the first query learns, the next ones know, and growth counts."""
    known = Categories(gallery)
    assert known.current().classifier is None
    assert known.current().number == 0
    assert not known.refresh()
    apply(catalog, *assortment(20))
    gallery.refresh()
    first = known.current()
    assert first.classifier is not None
    assert first.classifier.values == tuple(sorted(CATEGORIES))
    assert known.current() is first
    assert not known.refresh()
    apply(catalog, *(shown(f"more{n}", looking_like(TEES, f"more{n}"), category=TEES) for n in range(70)))
    gallery.refresh()
    assert known.current().number == first.number + 1


def test_learns_anew_beside_the_queries(catalog: Catalog, gallery: Gallery) -> None:
    """A tenth of the items edited, added or deleted is learned by ``refresh``, less is not."""
    known = Categories(gallery)
    apply(catalog, *assortment(30))
    gallery.refresh()
    first = known.current()
    apply(catalog, *(shown(f"tees{n:03}", looking_like(TEES, f"new{n}"), category="Tea") for n in range(3)))
    gallery.refresh()
    assert not known.refresh()
    apply(catalog, *(shown(f"tees{n:03}", looking_like(TEES, f"new{n}"), category="Tea") for n in range(12)))
    gallery.refresh()
    assert known.current() is first
    assert known.refresh()
    second = known.current()
    assert second.classifier is not None
    assert "Tea" in second.classifier.values
    apply(catalog, *(ItemDelete(f"tees{n:03}") for n in range(30)))
    gallery.refresh()
    assert known.refresh()
    assert known.current().number == 3


def test_only_some_say_what_they_are(catalog: Catalog, gallery: Gallery) -> None:
    """Items without the attribute, and values that are no text, are left out."""
    silent = [shown(f"silent{n}", looking_like(TEES, f"silent{n}")) for n in range(100)]
    apply(catalog, *assortment(20), *silent)
    gallery.refresh()
    found = Categories(gallery).current().classifier
    assert found is not None
    assert found.values == tuple(sorted(CATEGORIES))
    assert Categories(gallery, "price").current().classifier is None
    assert Categories(gallery, "").current().number == 0


def test_takes_a_sample(catalog: Catalog, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many items there are, so many examples at most are looked at, of all categories."""
    monkeypatch.setattr(categories, "_EXAMPLES", 60)
    apply(catalog, *assortment(100))
    gallery.refresh()
    found = Categories(gallery).current().classifier
    assert found is not None
    assert found.values == tuple(sorted(CATEGORIES))


def test_many_ask_at_once(catalog: Catalog, gallery: Gallery) -> None:
    """The first queries all wait for the one fit."""
    apply(catalog, *assortment(30))
    gallery.refresh()
    known = Categories(gallery)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: known.current(), range(16)))
    assert {learned.number for learned in found} == {1}


def test_what_a_filter_leaves_out_teaches_nothing(catalog: Catalog, gallery: Gallery) -> None:
    """A wrong label on the very photo that asks does not decide, once the filter leaves that item out."""
    odd = looking_like(TEES, "odd one")
    wrong = [shown(f"wrong{n}", odd, category=CATEGORIES[2], group_id="wrong") for n in range(8)]
    apply(catalog, *assortment(30), *wrong)
    gallery.refresh()
    known = Categories(gallery)
    learned = known.current()
    with gallery.reading() as holding:
        everything = known.of(holding, learned, None)
        assert everything is learned.classifier
        assert everything is not None
        assert known.of(holding, learned, parse_filter({"price": {"lt": 5}})) is everything  # leaves out all of it
        wanted = parse_filter({"not": {"item_group_id": "wrong"}})
        apart = known.of(holding, learned, wanted)
        assert apart is not None
        assert known.of(holding, learned, wanted) is apart
    bags = everything.of_value[CATEGORIES[2]]
    assert apart.probabilities(odd[None])[bags] < everything.probabilities(odd[None])[bags]
