"""The gallery follows its catalog: it equals one that is opened anew, and readers never see half an edit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from nitari.catalog.base import Catalog, CollectionSpec, Edit, ItemDelete
from nitari.errors import StateError
from nitari.index import seal
from nitari.index.exact import ExactIndex
from nitari.search import following
from nitari.search import gallery as gallery_module
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.types import Answer
from support.catalogs import DIM, photo, put, reject, vector_of
from support.galleries import (
    Interrupted,
    Kept,
    apply,
    damage,
    open_catalog,
    open_gallery,
    search_in,
    searcher_of,
)

ITEMS = tuple("abcdef")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    opened = open_catalog(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """An empty catalog that is kept."""
    kept = Kept(tmp_path)
    yield kept
    kept.close()


def _ids(gallery: Gallery) -> list[str]:
    return sorted(hit.item_id for hit in search_in(gallery, Query(vector=vector_of("any"), k=1000)).hits)


def test_opens_what_is_there(catalog: Catalog) -> None:
    """Opened on a catalog, it answers with its items, photos, boxes and attributes."""
    apply(
        catalog,
        put("a", photo("a.jpg", "x", views=2), title="A", group_id="g", attributes={"price": 3.0}),
        put("b", photo("b.jpg", "y")),
    )
    gallery = open_gallery(catalog)
    assert gallery.seq == catalog.seq() == 2
    hit = search_in(gallery, Query(vector=vector_of("x", 1), k=1)).hits[0]
    assert (hit.item_id, hit.group_id, hit.title, hit.image) == ("a", "g", "A", "a.jpg")
    assert hit.box.as_list() == [0, 0, 1, 1]
    assert hit.attributes == {"price": 3.0}
    assert hit.score == pytest.approx(1.0, abs=1e-3)


def test_follows_every_kind_of_change(catalog: Catalog) -> None:
    """Put, replaced photo, attributes, deletion, return: each is seen after the next refresh, and not before."""
    gallery = open_gallery(catalog)
    assert _ids(gallery) == []
    apply(catalog, put("a", photo("1.jpg", "x")), put("b", photo("2.jpg", "y")))
    assert _ids(gallery) == []
    assert gallery.refresh() == 2
    assert _ids(gallery) == ["a", "b"]
    assert gallery.refresh() == 0
    apply(catalog, put("a", photo("1.jpg", "z"), attributes={"color": "red"}), ItemDelete("b"))
    gallery.refresh()
    (hit,) = search_in(gallery, Query(vector=vector_of("z"), filter={"color": "red"})).hits
    assert hit.score == pytest.approx(1.0, abs=1e-3)
    apply(catalog, put("b", photo("2.jpg", "y")))
    apply(catalog, reject("b", "image"))
    gallery.refresh()
    assert _ids(gallery) == ["a", "b"]
    assert gallery.seq == catalog.seq()


def test_items_of_another_collection_are_not_there(catalog: Catalog) -> None:
    """An item without a vector in this collection cannot be found, and its attributes are not counted."""
    catalog.register_collection(CollectionSpec("other", DIM, "f"))
    apply(catalog, put("a", photo("1.jpg", "x")))
    catalog.apply([put("b", photo("2.jpg", "y"), attributes={"only": "b"})], collection="other")
    gallery = open_gallery(catalog)
    assert _ids(gallery) == ["a"]
    assert not searcher_of(gallery).known_attributes()
    catalog.apply([put("c", photo("3.jpg", "z"))], collection="other")
    gallery.refresh()
    assert _ids(gallery) == ["a"]


def test_what_is_published_is_not_read_again(kept: Kept) -> None:
    """With an edition of an earlier state, only what is missing is read; what left the catalog is not found."""
    catalog = kept.catalog
    apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    assert kept.maintainer.run_once()
    apply(catalog, ItemDelete("a"), put("b", photo("b.jpg", "new b")), put("d", photo("d.jpg", "d")))
    gallery = kept.open()
    assert kept.read == 2
    assert _ids(gallery) == ["b", "c", "d", "e", "f", "g"]
    assert search_in(gallery, Query(vector=vector_of("new b"), k=1)).hits[0].item_id == "b"


def test_a_newer_edition_is_taken_over(kept: Kept) -> None:
    """What is sealed meanwhile leaves the gallery's memory, and the answers stay what they are; nothing is read."""
    catalog, gallery = kept.catalog, kept.open()
    apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    gallery.refresh()
    index = kept.indexes[0]
    assert (index.live, len(index)) == (6, 6)
    kept.read = 0
    kept.maintainer.run_once()
    apply(catalog, ItemDelete("c"), put("h", photo("h.jpg", "h")))
    assert gallery.refresh() == 2
    assert (index.live, len(index), kept.read) == (1, 6, 1)
    assert _ids(gallery) == ["a", "b", "e", "f", "g", "h"]
    assert gallery.refresh() == 0
    kept.maintainer.run_once(settle=True)
    assert gallery.refresh() == 0
    assert (index.live, len(index), kept.read) == (0, 6, 1)


@pytest.mark.parametrize("part", ["segments", "tables"])
def test_what_is_damaged_comes_from_the_catalog(kept: Kept, part: str) -> None:
    """A damaged part is left out at opening, and one that goes while it is read is replaced from the catalog."""
    catalog = kept.catalog
    apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    kept.maintainer.run_once()
    before = kept.open()
    for path in (kept.store.folder / part).rglob("*"):
        if path.is_file() and path.stat().st_size:
            damage(path)
    opened = kept.open()
    assert kept.indexes[1].live == (6 if part == "segments" else 0)
    for gallery in (before, opened):
        assert _ids(gallery) == list("abcefg")
    assert kept.maintainer.scrub()
    before.refresh()
    assert kept.indexes[0].live == (6 if part == "segments" else 0)
    assert _ids(before) == list("abcefg")
    kept.maintainer.run_once(settle=True)
    for gallery in (before, opened):
        gallery.refresh()
        assert _ids(gallery) == list("abcefg")
    assert [index.live for index in kept.indexes] == [0, 0]


def test_an_index_from_after_the_catalog_is_not_used(kept: Kept) -> None:
    """An index of a catalog that was since put back may hold other vectors under its keys."""
    apply(kept.catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    kept.maintainer.run_once()
    manifest = kept.store.manifest()
    assert manifest is not None
    kept.store.publish(replace(manifest, seq=manifest.seq + 1))
    assert _ids(kept.open()) == list("abcefg")
    assert kept.indexes[0].live == 6
    kept.maintainer.run_once()
    assert _ids(kept.open()) == list("abcefg")
    assert kept.indexes[1].live == 0


def test_an_edition_that_cannot_be_taken_over_is_tried_again(kept: Kept) -> None:
    """Where taking over fails, the gallery answers as before, and takes it over the next time."""
    gallery = kept.open()
    apply(kept.catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    kept.maintainer.run_once()
    index = kept.indexes[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "prepare", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            gallery.refresh()
    assert _ids(gallery) == list("abcefg")
    assert index.live == 6
    gallery.refresh()
    assert index.live == 0
    assert _ids(gallery) == list("abcefg")


def test_a_saved_table_that_was_damaged_is_replaced(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the scrub finds damage in the table that the items came from, they are read again, edits included."""
    monkeypatch.setattr(seal, "BLOCK_BYTES", 64)  # so that who opens the table does not look at all of it
    apply(kept.catalog, *(put(name, photo(f"{name}.jpg", name), title=f"title of {name}") for name in "abcefg"))
    kept.maintainer.run_once()
    (table,) = kept.store.folder.glob("tables/*/items.table")
    table.write_bytes(table.read_bytes().replace(b"title of b", b"another on"))
    gallery = kept.open()

    def title_of(name: str) -> str:
        return search_in(gallery, Query(vector=vector_of(name), k=1)).hits[0].title

    assert title_of("b") == "another on"
    apply(kept.catalog, ItemDelete("a"), put("d", photo("d.jpg", "d"), title="title of d"))
    gallery.refresh()
    assert len(kept.maintainer.scrub()) == 1
    apply(kept.catalog, put("e", photo("e.jpg", "new e"), title="title of new e"))
    gallery.refresh()
    assert title_of("b") == "title of b"
    assert title_of("new e") == "title of new e"
    assert _ids(gallery) == list("bcdefg")
    assert gallery.seq == kept.catalog.seq()
    kept.maintainer.run_once()
    gallery.refresh()
    assert _ids(gallery) == list("bcdefg")
    assert gallery.refresh() == 0


def test_what_changes_while_it_is_read_comes_along(catalog: Catalog) -> None:
    """Two items that change together, while one of them is being read, are both shown as changed."""
    apply(catalog, put("a", photo("a.jpg", "a 0")), put("b", photo("b.jpg", "b 0")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    happened = []

    def once() -> None:
        if not happened:
            happened.append(apply(catalog, put("a", photo("a.jpg", "a 2")), put("b", photo("b.jpg", "b 2"))))

    apply(catalog, put("a", photo("a.jpg", "a 1")))
    interrupted.between = once
    gallery.refresh()
    for name in "ab":
        hit = search_in(gallery, Query(vector=vector_of(f"{name} 2"), k=1)).hits[0]
        assert (hit.item_id, hit.score) == (name, pytest.approx(1.0, abs=1e-3))
    assert gallery.seq == happened[0]


@pytest.mark.parametrize("at_once", [2, 1000])
def test_a_catalog_that_never_rests(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Where changes keep coming, refreshing ends all the same, and catches up once they stop."""
    monkeypatch.setattr(following, "_CHANGES_AT_ONCE", at_once)
    monkeypatch.setattr(following, "_ROUNDS", 3)
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    count = [0]

    def another() -> None:
        if count[0] < 20:
            count[0] += 1
            apply(catalog, put("ab"[count[0] % 2], photo("1.jpg", f"photo {count[0]}")))

    interrupted.between = another
    apply(catalog, put("a", photo("1.jpg", "first")))
    gallery.refresh()
    assert count[0] == 20
    gallery.refresh()
    assert search_in(gallery, Query(vector=vector_of("photo 20"), k=1)).hits[0].item_id == "a"
    assert search_in(gallery, Query(vector=vector_of("photo 19"), k=1)).hits[0].item_id == "b"


def test_an_item_that_vanishes_while_opening(catalog: Catalog) -> None:
    """What was read as an item and is gone before its vectors are read is gone."""
    apply(catalog, put("a", photo("a.jpg", "a")), put("b", photo("b.jpg", "b")))
    interrupted = Interrupted(catalog, lambda: apply(catalog, ItemDelete("a")) and None)
    assert _ids(open_gallery(interrupted)) == ["b"]


def test_missing_vectors_are_damage(catalog: Catalog) -> None:
    """A catalog that names keys without vectors is reported, and what was there stays searchable."""
    apply(catalog, put("a", photo("a.jpg", "a")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    apply(catalog, put("b", photo("b.jpg", "b")))
    interrupted.vectors = lambda **_: iter(())  # type: ignore[method-assign, assignment]
    with pytest.raises(StateError, match="no vectors for some photos of item 'b'"):
        gallery.refresh()
    assert _ids(gallery) == ["a"]
    del interrupted.vectors
    gallery.refresh()
    assert _ids(gallery) == ["a", "b"]


def test_an_older_catalog_in_its_place(catalog: Catalog, tmp_path: Path) -> None:
    """A catalog that went back in time is reported instead of being followed wrongly."""
    apply(catalog, put("a", photo("a.jpg", "a")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    with open_catalog(tmp_path / "restored") as restored:  # type: ignore[attr-defined]
        interrupted.catalog = restored
        with pytest.raises(StateError, match="at change 0, behind change 1"):
            gallery.refresh()


def test_tokens_follow_the_catalog(catalog: Catalog) -> None:
    """A filter's token changes when items do, so that an index does not remember what it allowed before."""
    apply(catalog, put("a", photo("a.jpg", "a"), attributes={"color": "red"}))
    gallery = open_gallery(catalog)
    query = Query(vector=vector_of("a"), filter={"color": "red"})
    assert len(search_in(gallery, query).hits) == 1
    apply(catalog, put("a", photo("a.jpg", "a"), attributes={"color": "blue"}))
    gallery.refresh()
    assert len(search_in(gallery, query).hits) == 0


def test_tells_how_fresh_it_is(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the last refresh that went well is told, also where there was nothing new."""
    clock = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(gallery_module, "monotonic", lambda: next(clock))
    gallery = open_gallery(catalog)
    assert gallery.refreshed_at == 1.0
    gallery.refresh()
    assert searcher_of(gallery).refreshed_at == 2.0
    monkeypatch.setattr(catalog, "changes", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gallery.refresh()
    assert gallery.refreshed_at == 2.0


def test_close_closes_index_and_catalog(tmp_path: Path) -> None:
    """The gallery closes what it was given."""
    catalog = open_catalog(tmp_path)
    apply(catalog, put("a", photo("a.jpg", "a")))
    index = ExactIndex(DIM)
    gallery = open_gallery(catalog, index)
    gallery.ping()
    gallery.close()
    assert len(index) == 0


def _state(number: int) -> list[Edit]:
    """Six items that all say ``number``, in their attributes, image links and vectors."""
    return [
        put(name, photo(f"{name}-{number}.jpg", f"{name} {number}"), attributes={"state": float(number)})
        for name in ITEMS
    ]


def _read_until(stop: Event, gallery: Gallery, check: Callable[[Answer], None]) -> int:
    """Search until told to stop, and at least once after; returns how often."""
    count = 0
    searcher = searcher_of(gallery)
    while True:
        last = stop.is_set()
        check(searcher.search(Query(vector=vector_of("any"), k=100, filter={"state": {"gte": 0}})))
        check(searcher.search(Query(item_id="a", k=100)))
        count += 1
        if last:
            return count


def _check_items(answer: Answer) -> None:
    """Every hit's image is of the state that its attributes say."""
    for hit in answer.hits:
        assert hit.image == f"{hit.item_id}-{hit.attributes['state']:.0f}.jpg"


def test_readers_see_whole_states(catalog: Catalog) -> None:
    """While one thread edits and refreshes, every answer of the others is of one state of the catalog."""
    apply(catalog, *_state(0))
    gallery = open_gallery(catalog)
    stop = Event()

    def check(answer: Answer) -> None:
        _check_items(answer)
        assert len({hit.attributes["state"] for hit in answer.hits}) == 1
        assert len(answer.hits) >= len(ITEMS) - 1

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(_read_until, stop, gallery, check) for _ in range(3)]
        try:
            for number in range(1, 40):
                apply(catalog, *_state(number))
                gallery.refresh()
        finally:
            stop.set()
        assert all(reader.result() >= 1 for reader in readers)
    hits = search_in(gallery, Query(vector=vector_of("any"))).hits
    assert {hit.attributes["state"] for hit in hits} == {39.0}


def test_readers_see_whole_items_while_writers_race(catalog: Catalog) -> None:
    """While the catalog changes at will and others refresh, every item in every answer is right by itself."""
    apply(catalog, *_state(0))
    gallery = open_gallery(catalog)
    stop = Event()

    def follow() -> int:
        count = 0
        while not stop.is_set():
            count += gallery.refresh()
        return count

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(_read_until, stop, gallery, _check_items) for _ in range(2)]
        followers = [pool.submit(follow) for _ in range(2)]
        try:
            for number in range(1, 40):
                apply(catalog, *_state(number))
        finally:
            stop.set()
        for future in [*readers, *followers]:
            future.result()
    gallery.refresh()
    answer = search_in(gallery, Query(vector=vector_of("any")))
    assert answer.hits == search_in(open_gallery(catalog), Query(vector=vector_of("any"))).hits
