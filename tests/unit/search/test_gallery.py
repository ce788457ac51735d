"""The gallery follows its catalog: it equals one that is opened anew, and readers never see half an edit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from nitari.catalog.base import Catalog, CollectionSpec, Edit, ItemDelete
from nitari.errors import StateError
from nitari.index.exact import ExactIndex
from nitari.index.segments.policy import Policy
from nitari.index.segments.segmented import SegmentedIndex
from nitari.search import following, tables
from nitari.search import gallery as gallery_module
from nitari.search import items as items_module
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.types import Answer, FloatArray, KeyArray
from support.catalogs import COLLECTION, DIM, photo, put, reject, vector_of
from support.extraction import text_extractor
from support.galleries import Interrupted, open_catalog, open_gallery, open_maintainer, open_store

ITEMS = tuple("abcdef")
DIGESTS = tuple(f"digest {number}" for number in range(6))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    opened = open_catalog(tmp_path)
    yield opened
    opened.close()


class Kept:
    """A catalog with an index on disk, kept by a maintainer, and galleries that follow both."""

    def __init__(self, folder: Path) -> None:
        self.catalog = open_catalog(folder)
        self.store = open_store(self.catalog, folder / "index")
        self.maintainer = open_maintainer(self.catalog, self.store, Policy(seal_rows=2, table_changes=2, fanout=2))
        self.indexes: list[SegmentedIndex] = []
        self.read = 0

    def open(self) -> Gallery:
        """A gallery that notes in ``read`` how many vectors it read from the catalog."""
        watched = Interrupted(self.catalog)
        vectors = watched.vectors

        def counting(*, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
            for some, rows in vectors(collection=collection, keys=keys):
                self.read += some.size
                yield some, rows

        watched.vectors = counting  # type: ignore[method-assign]
        index = SegmentedIndex(DIM)
        self.indexes.append(index)
        return open_gallery(watched, index, editions=self.store)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close everything but the galleries, whose catalog this is."""
        for index in self.indexes:
            index.close()
        self.maintainer.close()
        self.catalog.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """An empty catalog that is kept."""
    kept = Kept(tmp_path)
    yield kept
    kept.close()


def _damage(path: Path) -> None:
    """Change a file's last byte for those who open it from now on."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    copy = path.with_name("tmp-damaged")
    copy.write_bytes(data)
    copy.replace(path)


def _searcher(gallery: Gallery) -> Searcher:
    return Searcher(gallery=gallery, extractor=text_extractor)


def _search(gallery: Gallery, query: Query) -> Answer:
    return _searcher(gallery).search(query)


def _ids(gallery: Gallery) -> list[str]:
    return sorted(hit.item_id for hit in _search(gallery, Query(vector=vector_of("any"), k=1000)).hits)


def _apply(catalog: Catalog, *edits: Edit) -> int:
    return catalog.apply(edits, collection=COLLECTION.name)


def test_opens_what_is_there(catalog: Catalog) -> None:
    """Opened on a catalog, it answers with its items, photos, boxes and attributes."""
    _apply(
        catalog,
        put("a", photo("a.jpg", "x", views=2), title="A", group_id="g", attributes={"price": 3.0}),
        put("b", photo("b.jpg", "y")),
    )
    gallery = open_gallery(catalog)
    assert gallery.seq == catalog.seq() == 2
    hit = _search(gallery, Query(vector=vector_of("x", 1), k=1)).hits[0]
    assert (hit.item_id, hit.group_id, hit.title, hit.image) == ("a", "g", "A", "a.jpg")
    assert hit.box.as_list() == [0, 0, 1, 1]
    assert hit.attributes == {"price": 3.0}
    assert hit.score == pytest.approx(1.0, abs=1e-3)


def test_follows_every_kind_of_change(catalog: Catalog) -> None:
    """Put, replaced photo, attributes, deletion, return: each is seen after the next refresh, and not before."""
    gallery = open_gallery(catalog)
    assert _ids(gallery) == []
    _apply(catalog, put("a", photo("1.jpg", "x")), put("b", photo("2.jpg", "y")))
    assert _ids(gallery) == []
    assert gallery.refresh() == 2
    assert _ids(gallery) == ["a", "b"]
    assert gallery.refresh() == 0
    _apply(catalog, put("a", photo("1.jpg", "z"), attributes={"color": "red"}), ItemDelete("b"))
    gallery.refresh()
    (hit,) = _search(gallery, Query(vector=vector_of("z"), filter={"color": "red"})).hits
    assert hit.score == pytest.approx(1.0, abs=1e-3)
    _apply(catalog, put("b", photo("2.jpg", "y")))
    _apply(catalog, reject("b", "image"))
    gallery.refresh()
    assert _ids(gallery) == ["a", "b"]
    assert gallery.seq == catalog.seq()


def test_items_of_another_collection_are_not_there(catalog: Catalog) -> None:
    """An item without a vector in this collection cannot be found, and its attributes are not counted."""
    catalog.register_collection(CollectionSpec("other", DIM, "f"))
    _apply(catalog, put("a", photo("1.jpg", "x")))
    catalog.apply([put("b", photo("2.jpg", "y"), attributes={"only": "b"})], collection="other")
    gallery = open_gallery(catalog)
    assert _ids(gallery) == ["a"]
    assert not _searcher(gallery).known_attributes()
    catalog.apply([put("c", photo("3.jpg", "z"))], collection="other")
    gallery.refresh()
    assert _ids(gallery) == ["a"]


def test_what_is_published_is_not_read_again(kept: Kept) -> None:
    """With an edition of an earlier state, only what is missing is read; what left the catalog is not found."""
    catalog = kept.catalog
    _apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    assert kept.maintainer.run_once()
    _apply(catalog, ItemDelete("a"), put("b", photo("b.jpg", "new b")), put("d", photo("d.jpg", "d")))
    gallery = kept.open()
    assert kept.read == 2
    assert _ids(gallery) == ["b", "c", "d", "e", "f", "g"]
    assert _search(gallery, Query(vector=vector_of("new b"), k=1)).hits[0].item_id == "b"


def test_a_newer_edition_is_taken_over(kept: Kept) -> None:
    """What is sealed meanwhile leaves the gallery's memory, and the answers stay what they are; nothing is read."""
    catalog, gallery = kept.catalog, kept.open()
    _apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    gallery.refresh()
    index = kept.indexes[0]
    assert (index.live, len(index)) == (6, 6)
    kept.read = 0
    kept.maintainer.run_once()
    _apply(catalog, ItemDelete("c"), put("h", photo("h.jpg", "h")))
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
    _apply(catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
    kept.maintainer.run_once()
    before = kept.open()
    for path in (kept.store.folder / part).rglob("*"):
        if path.is_file() and path.stat().st_size:
            _damage(path)
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
    _apply(kept.catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
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
    _apply(kept.catalog, *(put(name, photo(f"{name}.jpg", name)) for name in "abcefg"))
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


def test_what_changes_while_it_is_read_comes_along(catalog: Catalog) -> None:
    """Two items that change together, while one of them is being read, are both shown as changed."""
    _apply(catalog, put("a", photo("a.jpg", "a 0")), put("b", photo("b.jpg", "b 0")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    happened = []

    def once() -> None:
        if not happened:
            happened.append(_apply(catalog, put("a", photo("a.jpg", "a 2")), put("b", photo("b.jpg", "b 2"))))

    _apply(catalog, put("a", photo("a.jpg", "a 1")))
    interrupted.between = once
    gallery.refresh()
    for name in "ab":
        hit = _search(gallery, Query(vector=vector_of(f"{name} 2"), k=1)).hits[0]
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
            _apply(catalog, put("ab"[count[0] % 2], photo("1.jpg", f"photo {count[0]}")))

    interrupted.between = another
    _apply(catalog, put("a", photo("1.jpg", "first")))
    gallery.refresh()
    assert count[0] == 20
    gallery.refresh()
    assert _search(gallery, Query(vector=vector_of("photo 20"), k=1)).hits[0].item_id == "a"
    assert _search(gallery, Query(vector=vector_of("photo 19"), k=1)).hits[0].item_id == "b"


def test_an_item_that_vanishes_while_opening(catalog: Catalog) -> None:
    """What was read as an item and is gone before its vectors are read is gone."""
    _apply(catalog, put("a", photo("a.jpg", "a")), put("b", photo("b.jpg", "b")))
    interrupted = Interrupted(catalog, lambda: _apply(catalog, ItemDelete("a")) and None)
    assert _ids(open_gallery(interrupted)) == ["b"]


def test_missing_vectors_are_damage(catalog: Catalog) -> None:
    """A catalog that names keys without vectors is reported, and what was there stays searchable."""
    _apply(catalog, put("a", photo("a.jpg", "a")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    _apply(catalog, put("b", photo("b.jpg", "b")))
    interrupted.vectors = lambda **_: iter(())  # type: ignore[method-assign, assignment]
    with pytest.raises(StateError, match="no vectors for some photos of item 'b'"):
        gallery.refresh()
    assert _ids(gallery) == ["a"]
    del interrupted.vectors
    gallery.refresh()
    assert _ids(gallery) == ["a", "b"]


def test_an_older_catalog_in_its_place(catalog: Catalog, tmp_path: Path) -> None:
    """A catalog that went back in time is reported instead of being followed wrongly."""
    _apply(catalog, put("a", photo("a.jpg", "a")))
    interrupted = Interrupted(catalog)
    gallery = open_gallery(interrupted)
    with open_catalog(tmp_path / "restored") as restored:  # type: ignore[attr-defined]
        interrupted.catalog = restored
        with pytest.raises(StateError, match="at change 0, behind change 1"):
            gallery.refresh()


def test_tokens_follow_the_catalog(catalog: Catalog) -> None:
    """A filter's token changes when items do, so that an index does not remember what it allowed before."""
    _apply(catalog, put("a", photo("a.jpg", "a"), attributes={"color": "red"}))
    gallery = open_gallery(catalog)
    query = Query(vector=vector_of("a"), filter={"color": "red"})
    assert len(_search(gallery, query).hits) == 1
    _apply(catalog, put("a", photo("a.jpg", "a"), attributes={"color": "blue"}))
    gallery.refresh()
    assert len(_search(gallery, query).hits) == 0


def test_tells_how_fresh_it_is(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the last refresh that went well is told, also where there was nothing new."""
    clock = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(gallery_module, "monotonic", lambda: next(clock))
    gallery = open_gallery(catalog)
    assert gallery.refreshed_at == 1.0
    gallery.refresh()
    assert _searcher(gallery).refreshed_at == 2.0
    monkeypatch.setattr(catalog, "changes", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gallery.refresh()
    assert gallery.refreshed_at == 2.0


def test_close_closes_index_and_catalog(tmp_path: Path) -> None:
    """The gallery closes what it was given."""
    catalog = open_catalog(tmp_path)
    _apply(catalog, put("a", photo("a.jpg", "a")))
    index = ExactIndex(DIM)
    gallery = open_gallery(catalog, index)
    gallery.ping()
    gallery.close()
    assert len(index) == 0


class Following(RuleBasedStateMachine):
    """Random edits, refreshes and restarts: a gallery that follows equals one that is opened anew."""

    @initialize()
    def open(self) -> None:
        """An empty catalog with a gallery; everything happens in small steps, so that all paths are taken."""
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(items_module, "_DEAD_AT_LEAST", 3)
        self.patch.setattr(following, "_CHANGES_AT_ONCE", 4)
        self.patch.setattr(tables, "_ITEMS_AT_ONCE", 2)
        self.folder = tempfile.TemporaryDirectory()
        self.kept = Kept(Path(self.folder.name))
        self.catalog = self.kept.catalog
        self.gallery = self.kept.open()

    @rule(
        data=st.data(),
        names=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=4),
    )
    def edit(self, data: st.DataObject, names: list[str]) -> None:
        """One transaction that puts and deletes a few items."""
        edits: list[Edit] = []
        for name in names:
            links = data.draw(st.lists(st.sampled_from(["1.jpg", "2.jpg", "3.jpg"]), max_size=3, unique=True))
            if not links:
                edits.append(ItemDelete(name))
                continue
            photos = [
                photo(link, data.draw(st.sampled_from(DIGESTS)), views=data.draw(st.integers(1, 2))) for link in links
            ]
            color = data.draw(st.sampled_from(["red", "blue", ("red", "blue")]))
            price = float(data.draw(st.integers(0, 3)))
            group = data.draw(st.sampled_from(["g", "h", ""]))
            edits.append(put(name, *photos, group_id=group, attributes={"color": color, "price": price}))
        _apply(self.catalog, *edits)

    @rule()
    def refresh(self) -> None:
        """Catch up without looking."""
        self.gallery.refresh()

    @rule(settle=st.booleans())
    def maintain(self, settle: bool) -> None:
        """Seal, merge and save what is due."""
        self.kept.maintainer.run_once(settle=settle)

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """Some file of the index loses its last byte."""
        files = [path for path in sorted(self.kept.store.folder.rglob("*.*")) if path.is_file() and path.stat().st_size]
        if files:
            path: Path = data.draw(st.sampled_from(files))
            _damage(path)

    @rule()
    def restart(self) -> None:
        """Start over from what is published, which is perhaps long out of date."""
        self.gallery = self.kept.open()

    @rule(digest=st.sampled_from(DIGESTS), wanted=st.sampled_from(["red", "blue"]))
    def compare(self, digest: str, wanted: str) -> None:
        """The same answers to all kinds of queries as a gallery opened now."""
        self.gallery.refresh()
        fresh = open_gallery(self.catalog)
        assert self.gallery.seq == fresh.seq == self.catalog.seq()
        one, other = _searcher(self.gallery), _searcher(fresh)
        assert replace(one.stats(), damaged=0) == other.stats()
        assert one.known_attributes() == other.known_attributes()
        there = [hit.item_id for hit in one.search(Query(vector=vector_of(digest), k=100)).hits]
        queries = [
            Query(vector=vector_of(digest)),
            Query(vector=vector_of(digest), filter={"color": wanted, "price": {"gte": 1}}, k=2, offset=1),
            Query(vector=vector_of(digest), group_by="group"),
            *(Query(item_id=item_id, filter={"not": {"color": wanted}}) for item_id in there),
        ]
        if len(there) > 2:
            queries.append(Query(liked=tuple(there[:2]), disliked=(there[2],)))
        for query in queries:
            mine, expected = one.search(query), other.search(query)
            assert (mine.hits, mine.more) == (expected.hits, expected.more)

    def teardown(self) -> None:
        """Close everything."""
        if hasattr(self, "kept"):
            self.kept.close()
            self.folder.cleanup()
            self.patch.undo()


Following.TestCase.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFollowing = Following.TestCase


def _state(number: int) -> list[Edit]:
    """Six items that all say ``number``, in their attributes, image links and vectors."""
    return [
        put(name, photo(f"{name}-{number}.jpg", f"{name} {number}"), attributes={"state": float(number)})
        for name in ITEMS
    ]


def _read_until(stop: Event, gallery: Gallery, check: Callable[[Answer], None]) -> int:
    """Search until told to stop, and at least once after; returns how often."""
    count = 0
    searcher = _searcher(gallery)
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
    _apply(catalog, *_state(0))
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
                _apply(catalog, *_state(number))
                gallery.refresh()
        finally:
            stop.set()
        assert all(reader.result() >= 1 for reader in readers)
    hits = _search(gallery, Query(vector=vector_of("any"))).hits
    assert {hit.attributes["state"] for hit in hits} == {39.0}


def test_readers_see_whole_items_while_writers_race(catalog: Catalog) -> None:
    """While the catalog changes at will and others refresh, every item in every answer is right by itself."""
    _apply(catalog, *_state(0))
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
                _apply(catalog, *_state(number))
        finally:
            stop.set()
        for future in [*readers, *followers]:
            future.result()
    gallery.refresh()
    answer = _search(gallery, Query(vector=vector_of("any")))
    assert answer.hits == _search(open_gallery(catalog), Query(vector=vector_of("any"))).hits
