"""The searcher: every kind of query, over a real catalog and an exact index, with an extractor of texts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nitari.errors import ConfigurationError, FetchError, FilterError, ImageError, UsageError
from nitari.extract import Extractor
from nitari.images.base import NotModified, Original, Validators
from nitari.index.exact import ExactIndex
from nitari.search.columns import AttributeSummary
from nitari.search.counts import Counted
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher, SearcherStats
from nitari.types import Box, Facet, FacetValue, FloatArray, Photo, Region
from support.catalogs import COLLECTION, DIM, photo, put, vector_of
from support.extraction import PRODUCT, TextEmbedder, text_extractor
from support.galleries import open_catalog
from support.searching import OpenShop, ids, no_model, numbered


class Links:
    """A source of a few links."""

    def __init__(self, originals: dict[str, bytes]) -> None:
        self.originals = originals
        self.closed = False

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The bytes behind a link."""
        if link not in self.originals:
            raise FetchError(f"{link} is not there")
        return Original(self.originals[link], "digest")

    def close(self) -> None:
        """Be closed."""
        self.closed = True


LEFT = Box(0.0, 0.0, 0.5, 1.0)


def test_photo(shop: OpenShop) -> None:
    """A photo that is in the catalog finds its item with score 1, and stages are timed."""
    answer = shop(*numbered(5)).search(Query(photo=b"p3"))
    assert answer.hits[0].item_id == "i003"
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert all(0 <= hit.score <= 1 for hit in answer.hits)
    assert list(answer.timing_ms) == ["decode", "regions", "embed", "search", "total"]
    assert answer.timing_ms["total"] >= answer.timing_ms["search"] > 0
    assert answer.query_box == Box(0, 0, 1, 1)
    assert not answer.more


@pytest.mark.parametrize(
    ("region", "wanted", "box", "regions"),
    [
        ("auto", "x", Box(0, 0, 1, 1), (PRODUCT,)),
        ("whole", "x", Box(0, 0, 1, 1), ()),
        ("largest", f"x@{PRODUCT.box.as_list()}", PRODUCT.box, (PRODUCT,)),
        (LEFT, f"x@{LEFT.as_list()}", LEFT, (PRODUCT,)),
    ],
)
def test_regions(shop: OpenShop, region: Any, wanted: str, box: Box, regions: tuple[Region, ...]) -> None:
    """The part of the photo that was chosen is searched with, and reported."""
    searcher = shop(
        *numbered(5), put("wanted", photo("w.jpg", wanted)), extractor=lambda: text_extractor(PRODUCT, views="whole")
    )
    answer = searcher.search(Query(photo=b"x", region=region))
    assert answer.hits[0].item_id == "wanted"
    assert answer.query_box == box
    assert answer.regions == regions


def test_an_answer_is_explained_on_request(shop: OpenShop) -> None:
    """What was done for each vector, as plain values, also where the same was asked before; nothing unless asked."""
    searcher = shop(*numbered(12))
    assert searcher.search(Query(item_id="i003", k=2)).plan is None
    asked = Query(item_id="i003", k=2, filter={"color": "red"}, explain=True)
    for _ in range(2):
        answer = searcher.search(asked)
        assert answer.plan is not None
        assert [(step["rows"], step["allowed"]) for step in answer.plan] == [(12, 6)]
        assert all(isinstance(value, str | int | float) for step in answer.plan for value in step.values())
    assert searcher.search(Query(photo=b"p3", k=2, explain=True)).plan


def test_an_exact_index_has_no_recall_to_check(shop: OpenShop) -> None:
    """Nothing to compare, nothing to report."""
    searcher = shop(*numbered(3))
    assert not searcher.check_recall()
    assert searcher.stats().recall is None


def test_several_query_vectors(shop: OpenShop) -> None:
    """With two views of the query, an item counts by whichever it is nearer to; the smaller box is reported."""
    box = PRODUCT.box.as_list()
    searcher = shop(
        *numbered(5),
        put("whole", photo("1.jpg", "x")),
        put("crop", photo("2.jpg", f"x@{box}")),
        extractor=lambda: text_extractor(PRODUCT, views="both"),
    )
    answer = searcher.search(Query(photo=b"x", k=2))
    assert [hit.item_id for hit in answer.hits] == ["crop", "whole"]
    assert answer.hits[1].score == pytest.approx(1.0, abs=1e-3)
    assert answer.query_box == PRODUCT.box


def test_a_broken_photo(shop: OpenShop) -> None:
    """A photo that cannot be used is the caller's to hear about."""
    with pytest.raises(ImageError, match="broken"):
        shop().search(Query(photo=b"broken"))


def test_url(shop: OpenShop) -> None:
    """A link is fetched, timed and searched with; what the source says about bad links is passed on."""
    link = "HTTPS://example.com/p.jpg"
    searcher = shop(*numbered(3), source=Links({link: b"p2"}))
    answer = searcher.search(Query(url=link))
    assert answer.hits[0].item_id == "i002"
    assert next(iter(answer.timing_ms)) == "fetch"
    with pytest.raises(FetchError):
        searcher.search(Query(url="https://example.com/other.jpg"))


@pytest.mark.parametrize("url", ["/etc/passwd", "photo.jpg", "file:///etc/passwd", "data:image/png;base64,xx"])
def test_only_links_to_the_web(shop: OpenShop, url: str) -> None:
    """Callers cannot make a source read paths, even one that could."""
    with pytest.raises(UsageError, match="starts with http"):
        shop(source=Links({url: b"p1"})).search(Query(url=url))


def test_urls_refused(shop: OpenShop) -> None:
    """Without a source, links are refused with what to do instead."""
    with pytest.raises(UsageError, match="does not fetch") as caught:
        shop().search(Query(url="https://example.com/p.jpg"))
    assert caught.value.remedy


def test_item(shop: OpenShop) -> None:
    """An item finds what looks like any of its photos, not itself, and no model is loaded."""
    twin = put("twin", photo("t.jpg", "second"))
    searcher = shop(put("a", photo("1.jpg", "first"), photo("2.jpg", "second")), twin, *numbered(5), extractor=no_model)
    answer = searcher.search(Query(item_id="a"))
    assert answer.hits[0].item_id == "twin"
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert "a" not in [hit.item_id for hit in answer.hits]
    assert len(answer.hits) == 6
    assert list(answer.timing_ms) == ["search", "total"]
    assert answer.query_box is None
    assert answer.regions == ()


def test_neighbors_follow_edits(shop: OpenShop) -> None:
    """What looks like an item is remembered only until an item changes."""
    searcher = shop(*numbered(5), extractor=no_model)
    first = searcher.search(Query(item_id="i001"))
    assert searcher.search(Query(item_id="i001")).hits == first.hits
    assert searcher.search(Query(item_id="i001", k=2, offset=1)).hits == first.hits[1:3]
    assert searcher.search(Query(item_id="i001", k=2, filter={"color": "red"})).hits != first.hits[:2]
    assert searcher.search(Query(item_id="i001", group_by="group")).hits == first.hits
    catalog = searcher._gallery._catalog
    catalog.apply([put("twin", photo("t.jpg", "p1"))], collection=COLLECTION.name)
    searcher.refresh()
    answer = searcher.search(Query(item_id="i001"))
    assert [hit.item_id for hit in answer.hits] == ["twin", *(hit.item_id for hit in first.hits)]
    assert (first.seq, answer.seq) == (5, 6)


def test_total_and_facets(shop: OpenShop) -> None:
    """Beside its hits, an answer says how many items pass the filter, and what choosing other values would leave."""
    searcher = shop(*numbered(10))
    answer = searcher.search(
        Query(vector=vector_of("p1"), k=1, filter={"color": "red", "price": {"gte": 3}}, facets=("color", "price", "x"))
    )
    assert (answer.total, answer.seq, len(answer.hits), answer.more) == (3, 10, 1, True)
    color, price, unknown = answer.facets
    assert color == Facet("color", (FacetValue("blue", 4), FacetValue("red", 3)))
    assert price == Facet("price", tuple(FacetValue(float(n), 1) for n in (0, 2, 4, 6, 8)), 0.0, 8.0)
    assert unknown == Facet("x", ())
    assert searcher.search(Query(vector=vector_of("p1"), min_score=1.0)).total == 10
    limited = searcher.search(Query(vector=vector_of("p1"), facets=("price",), facet_limit=2)).facets
    assert limited == (Facet("price", (FacetValue(0.0, 1), FacetValue(1.0, 1)), 0.0, 9.0),)


def test_facets_alone(shop: OpenShop) -> None:
    """Items can be counted without searching, after the same rules."""
    searcher = shop(*numbered(10), extractor=no_model)
    counted = searcher.facets(["color"], filter={"color": "red", "price": {"gte": 3}}, limit=1)
    assert counted == Counted((Facet("color", (FacetValue("blue", 4),)),), 3, 10)
    assert searcher.facets([]) == Counted((), 10, 10)
    with pytest.raises(UsageError, match="can be counted"):
        searcher.facets(["color"], limit=0)
    with pytest.raises(FilterError):
        searcher.facets(["color"], filter={"price": {"gtr": 1}})


def test_detect(shop: OpenShop) -> None:
    """A detection finds products without searching; a search with the same photo does not look for them again."""
    link = "https://example.com/p.jpg"
    searcher = shop(*numbered(3), extractor=lambda: text_extractor(PRODUCT), source=Links({link: b"p2"}), remembered=4)
    found = searcher.detect(photo=b"p2")
    assert (found.width, found.height, found.regions) == (640, 480, (PRODUCT,))
    assert list(found.timing_ms) == ["decode", "regions", "total"]
    linked = searcher.detect(url=link)
    assert linked.regions == (PRODUCT,)
    assert list(linked.timing_ms) == ["fetch", "total"]
    answer = searcher.search(Query(photo=b"p2"))
    assert list(answer.timing_ms) == ["decode", "embed", "search", "total"]
    assert answer.regions == (PRODUCT,)
    again = searcher.search(Query(url=link, filter={"price": 2}))
    assert list(again.timing_ms) == ["fetch", "search", "total"]
    assert again.hits == answer.hits[:1]
    for given in ({}, {"photo": b"p2", "url": link}):
        with pytest.raises(UsageError, match="exactly one of photo and url"):
            searcher.detect(**given)
    with pytest.raises(ImageError):
        searcher.detect(photo=b"broken")


@pytest.mark.parametrize("group_by", ["item", "group"])
@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("collapse", [False, True])
def test_pages(shop: OpenShop, group_by: str, k: int, collapse: bool) -> None:
    """Pages put together are the one long answer, and ``more`` says when to stop."""
    edits = numbered(60)
    # Many items with the very same photo, so that pages end within ties.
    edits += [put(f"t{number:02}", photo("t.jpg", "same"), group_id=f"t{number % 9}") for number in range(40)]
    searcher = shop(*edits)
    asked: dict[str, Any] = {"vector": vector_of("same"), "group_by": group_by, "filter": {"price": {"exists": False}}}
    asked["collapse"] = collapse
    for query in (asked, {**asked, "filter": None}):
        expected = searcher.search(Query(**query, k=1000))
        assert not expected.more
        hits: list[Any] = []
        more = True
        while more:
            answer = searcher.search(Query(**query, k=k, offset=len(hits)))
            hits += answer.hits
            more = answer.more
            assert len(answer.hits) == k or not more
        assert tuple(hits) == expected.hits
        assert len({hit.item_id for hit in hits}) == len(hits)
        keys = [(-hit.score, hit.item_id) for hit in hits if hit.score > 0]
        assert keys == sorted(keys)
    if collapse:  # forty listings of one photo are one, or one and what lies behind the window
        assert len(hits) == (8 if group_by == "group" else 61)
        assert len(hits[0].duplicates) == (8 if group_by == "group" else 39)
    else:
        assert len({hit.group_id for hit in hits}) == 16
        assert len(hits) == (16 if group_by == "group" else 100)


def test_beyond_the_end(shop: OpenShop) -> None:
    """A page after the last hit is empty."""
    answer = shop(*numbered(3)).search(Query(vector=vector_of("p1"), offset=50))
    assert (answer.hits, answer.more) == ((), False)


def test_group_shows_its_best_item(shop: OpenShop) -> None:
    """Grouped, the answer has each group once, by the item that matched best."""
    hits = shop(*numbered(20)).search(Query(vector=vector_of("p13"), group_by="group")).hits
    assert hits[0].item_id == "i013"
    assert len({hit.group_id for hit in hits}) == len(hits) == 7


def test_min_score(shop: OpenShop) -> None:
    """Hits below the threshold are left out, also from what ``more`` counts; the score is not changed."""
    searcher = shop(*numbered(50))
    everything = searcher.search(Query(vector=vector_of("p1"), k=1000)).hits
    threshold = everything[4].score
    answer = searcher.search(Query(vector=vector_of("p1"), min_score=threshold, k=5))
    assert answer.hits == everything[:5]
    assert not answer.more
    assert searcher.search(Query(vector=vector_of("p1"), min_score=threshold, k=4)).more
    assert len(searcher.search(Query(vector=vector_of("p1"), min_score=0.0, k=1000)).hits) == 50


def test_filter(shop: OpenShop) -> None:
    """Only items that pass are found; an unknown attribute is no error; a mistake is named."""
    searcher = shop(*numbered(50))
    hits = searcher.search(Query(vector=vector_of("p1"), filter={"price": {"lt": 10}, "color": "red"}, k=50)).hits
    assert sorted(hit.item_id for hit in hits) == ["i000", "i002", "i004", "i006", "i008"]
    assert ids(searcher, vector=vector_of("p1"), filter={"colour": "red"}) == []
    assert len(ids(searcher, vector=vector_of("p1"), filter={}, k=100)) == 50
    with pytest.raises(FilterError, match=r"filter\.price\.gtr"):
        searcher.search(Query(photo=b"never decoded", filter={"price": {"gtr": 1}}))


def test_empty_catalog(shop: OpenShop) -> None:
    """A catalog without items answers with no hits."""
    searcher = shop()
    assert searcher.search(Query(photo=b"x", filter={"a": 1})).hits == ()
    assert searcher.stats() == SearcherStats(COLLECTION.name, DIM, 0, 0, 0, 0)


def test_extractor_is_loaded_once(shop: OpenShop) -> None:
    """Many threads that come at once wait for one extractor."""
    made = []

    def make() -> Extractor:
        made.append(text_extractor())
        return made[-1]

    searcher = shop(*numbered(3), extractor=make)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(searcher.search, [Query(photo=b"p1")] * 8))
    searcher.warm()
    assert len(made) == 1
    assert answers[0].hits[0].item_id == "i001"
    assert all(answer.hits == answers[0].hits for answer in answers)


def test_extractor_that_fails_is_tried_again(shop: OpenShop) -> None:
    """A model that could not be had is asked for again by the next query."""
    tries = []

    def make() -> Extractor:
        tries.append(1)
        if len(tries) == 1:
            raise ConfigurationError("no model yet")
        return text_extractor()

    searcher = shop(*numbered(2), extractor=make)
    with pytest.raises(ConfigurationError, match="no model yet"):
        searcher.warm()
    assert ids(searcher, photo=b"p1")[0] == "i001"


def test_warm_runs_the_networks(shop: OpenShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warming up embeds a photo, as networks may be loaded when they first run."""
    embedded = []
    embed = TextEmbedder.embed

    def watched(self: TextEmbedder, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        embedded.append(photo)
        return embed(self, photo, regions)

    monkeypatch.setattr(TextEmbedder, "embed", watched)
    shop(*numbered(1)).warm()
    assert len(embedded) == 1


@pytest.mark.parametrize("embedder", [TextEmbedder(name="other"), TextEmbedder(dim=3)])
def test_extractor_of_another_model(shop: OpenShop, embedder: TextEmbedder) -> None:
    """An extractor whose vectors are not the gallery's is refused before it answers nonsense."""
    with pytest.raises(ConfigurationError, match="16 wide"):
        shop(extractor=lambda: text_extractor(embedder=embedder)).warm()


def test_stats_and_attributes(shop: OpenShop) -> None:
    """Counts, and what filters can ask about."""
    searcher = shop(*numbered(10))
    assert searcher.stats() == SearcherStats(COLLECTION.name, DIM, items=10, groups=7, keys=10, seq=10)
    assert searcher.known_attributes() == {
        "color": AttributeSummary(("text",), 10, 2),
        "price": AttributeSummary(("number",), 10, 10),
    }


def test_closes_what_it_has(tmp_path: Path) -> None:
    """As a context manager it closes gallery and source."""
    catalog = open_catalog(tmp_path)
    closed = []

    class Watched(Gallery):
        def close(self) -> None:
            closed.append(self)
            super().close()

    source = Links({})
    gallery = Watched.open(catalog=catalog, index=ExactIndex(DIM), collection=COLLECTION.name)
    with Searcher(gallery=gallery, extractor=no_model, source=source) as searcher:
        searcher.ping()
    assert closed == [gallery]
    assert source.closed
