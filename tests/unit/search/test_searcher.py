"""The searcher: every kind of query, over a real catalog and an exact index, with an extractor of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.catalog.base import CollectionSpec, Edit, StoredRegion, StoredView
from nitari.errors import ConfigurationError, FetchError, FilterError, ImageError, NotFoundError, UsageError
from nitari.extract import Extractor, unit
from nitari.images.base import NotModified, Original, Validators
from nitari.images.decode import ImageDecoder
from nitari.index.exact import ExactIndex
from nitari.search.columns import AttributeSummary
from nitari.search.counts import Counted
from nitari.search.emphasis import MOST_COLOR
from nitari.search.feedback import DISLIKED_WEIGHT, LIKED_WEIGHT
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher, SearcherStats, blank_photo
from nitari.types import Block, Box, Facet, FacetValue, FloatArray, Photo, Region
from support.catalogs import COLLECTION, DIM, photo, put, vector_of
from support.extraction import PRODUCT, TextEmbedder, text_extractor
from support.galleries import open_catalog, open_gallery


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


Open = Callable[..., Searcher]
LEFT = Box(0.0, 0.0, 0.5, 1.0)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Open]:
    """Call with edits: a searcher over a catalog of them."""
    opened = []

    def open_(*edits: Edit, extractor: Callable[[], Extractor] = text_extractor, **more: Any) -> Searcher:
        catalog = open_catalog(tmp_path)
        catalog.apply(edits, collection=COLLECTION.name)
        opened.append(Searcher(gallery=open_gallery(catalog), extractor=extractor, **more))
        return opened[-1]

    yield open_
    for searcher in opened:
        searcher.close()


def _no_model() -> Extractor:
    raise AssertionError("the extractor is not to be loaded")


def _items(count: int) -> list[Edit]:
    return [
        put(
            f"i{number:03}",
            photo(f"{number}.jpg", f"p{number}"),
            group_id=f"g{number % 7}",
            attributes={"price": float(number), "color": ("red", "blue")[number % 2]},
        )
        for number in range(count)
    ]


def _ids(searcher: Searcher, **query: Any) -> list[str]:
    return [hit.item_id for hit in searcher.search(Query(**query)).hits]


def test_photo(shop: Open) -> None:
    """A photo that is in the catalog finds its item with score 1, and stages are timed."""
    answer = shop(*_items(5)).search(Query(photo=b"p3"))
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
def test_regions(shop: Open, region: Any, wanted: str, box: Box, regions: tuple[Region, ...]) -> None:
    """The part of the photo that was chosen is searched with, and reported."""
    searcher = shop(
        *_items(5), put("wanted", photo("w.jpg", wanted)), extractor=lambda: text_extractor(PRODUCT, views="whole")
    )
    answer = searcher.search(Query(photo=b"x", region=region))
    assert answer.hits[0].item_id == "wanted"
    assert answer.query_box == box
    assert answer.regions == regions


HALVES = (Block("shape", 0, DIM // 2), Block("color", DIM // 2, DIM))


def _colored(shape: int, color: int) -> FloatArray:
    """A vector of one of 8 shapes and of one of 8 colors; color weighs a tenth."""
    vector = np.zeros(DIM, np.float32)
    vector[shape], vector[DIM // 2 + color] = 0.9**0.5, 0.1**0.5
    return vector


@pytest.fixture
def colored(shop: Open) -> Searcher:
    """Three shapes in three colors; item ``shirt-red`` is a shirt and red."""
    edits = []
    for (s, shape), (c, color) in product(enumerate(("shirt", "pants", "shoe")), enumerate(("red", "blue", "green"))):
        view = StoredView(StoredRegion(Box(0, 0, 1, 1), "whole", 1.0), _colored(s, c))
        shown = photo(f"{shape}{color}.jpg", f"{shape}{color}")
        assert shown.features is not None
        edits.append(put(f"{shape}-{color}", replace(shown, features=replace(shown.features, views=(view,)))))
    return shop(*edits, extractor=_no_model, blocks=HALVES)


@pytest.mark.parametrize("asked", [{"item_id": "shirt-red"}, {"vector": _colored(0, 0)}, {"liked": ("shirt-red",)}])
def test_emphasis(colored: Searcher, asked: dict[str, Any]) -> None:
    """At 0 all shirts are the same, at 1 red things come first, in between the card decides; without a network."""
    assert colored.takes_emphasis

    def others(emphasis: float) -> dict[str, float]:
        hits = colored.search(Query(**asked, emphasis=emphasis)).hits
        return {hit.item_id: hit.score for hit in hits if hit.item_id != "shirt-red"}

    for emphasis, likeness in ((0.0, 1.0), (0.5, 0.9), (1.0, 1 - MOST_COLOR)):
        scores = others(emphasis)
        assert scores["shirt-blue"] == scores["shirt-green"] == pytest.approx(likeness, abs=1e-3)
        assert scores["pants-red"] == scores["shoe-red"] == pytest.approx(1 - likeness, abs=1e-3)
        assert scores["pants-blue"] == pytest.approx(0, abs=1e-3)


def test_emphasis_scores_and_thresholds(colored: Searcher) -> None:
    """The same is 1 at any emphasis, and a threshold leaves out what scores below it, and nothing else."""
    vector = _colored(0, 0)
    for emphasis in (0.0, 0.2, 0.5, 0.8, 1.0):
        every = colored.search(Query(vector=vector, emphasis=emphasis)).hits
        assert every[0].score == pytest.approx(1.0, abs=2e-3)
        assert "shirt-red" in [hit.item_id for hit in every if hit.score > 1 - 2e-3]
        for least in (0.1, 0.3, 0.5, 0.9):
            hits = colored.search(Query(vector=vector, emphasis=emphasis, min_score=least)).hits
            assert hits == tuple(hit for hit in every if hit.score >= least)
            pages = [colored.search(Query(vector=vector, emphasis=emphasis, k=2, offset=at)).hits for at in (0, 2, 4)]
            assert sum(pages, ()) == every[:6]


def test_emphasis_of_a_model_of_shape_alone(shop: Open) -> None:
    """Where color is not told apart, an emphasis changes nothing, and the searcher says so."""
    searcher = shop(*_items(5))
    assert not searcher.takes_emphasis
    assert searcher.search(Query(photo=b"p3", emphasis=1.0)).hits == searcher.search(Query(photo=b"p3")).hits


def test_an_answer_is_explained_on_request(shop: Open) -> None:
    """What was done for each vector, as plain values, also where the same was asked before; nothing unless asked."""
    searcher = shop(*_items(12))
    assert searcher.search(Query(item_id="i003", k=2)).plan is None
    asked = Query(item_id="i003", k=2, filter={"color": "red"}, explain=True)
    for _ in range(2):
        answer = searcher.search(asked)
        assert answer.plan is not None
        assert [(step["rows"], step["allowed"]) for step in answer.plan] == [(12, 6)]
        assert all(isinstance(value, str | int | float) for step in answer.plan for value in step.values())
    assert searcher.search(Query(photo=b"p3", k=2, explain=True)).plan


def test_an_exact_index_has_no_recall_to_check(shop: Open) -> None:
    """Nothing to compare, nothing to report."""
    searcher = shop(*_items(3))
    assert not searcher.check_recall()
    assert searcher.stats().recall is None


def test_several_query_vectors(shop: Open) -> None:
    """With two views of the query, an item counts by whichever it is nearer to; the smaller box is reported."""
    box = PRODUCT.box.as_list()
    searcher = shop(
        *_items(5),
        put("whole", photo("1.jpg", "x")),
        put("crop", photo("2.jpg", f"x@{box}")),
        extractor=lambda: text_extractor(PRODUCT, views="both"),
    )
    answer = searcher.search(Query(photo=b"x", k=2))
    assert [hit.item_id for hit in answer.hits] == ["crop", "whole"]
    assert answer.hits[1].score == pytest.approx(1.0, abs=1e-3)
    assert answer.query_box == PRODUCT.box


def test_a_broken_photo(shop: Open) -> None:
    """A photo that cannot be used is the caller's to hear about."""
    with pytest.raises(ImageError, match="broken"):
        shop().search(Query(photo=b"broken"))


def test_url(shop: Open) -> None:
    """A link is fetched, timed and searched with; what the source says about bad links is passed on."""
    link = "HTTPS://example.com/p.jpg"
    searcher = shop(*_items(3), source=Links({link: b"p2"}))
    answer = searcher.search(Query(url=link))
    assert answer.hits[0].item_id == "i002"
    assert next(iter(answer.timing_ms)) == "fetch"
    with pytest.raises(FetchError):
        searcher.search(Query(url="https://example.com/other.jpg"))


@pytest.mark.parametrize("url", ["/etc/passwd", "photo.jpg", "file:///etc/passwd", "data:image/png;base64,xx"])
def test_only_links_to_the_web(shop: Open, url: str) -> None:
    """Callers cannot make a source read paths, even one that could."""
    with pytest.raises(UsageError, match="starts with http"):
        shop(source=Links({url: b"p1"})).search(Query(url=url))


def test_urls_refused(shop: Open) -> None:
    """Without a source, links are refused with what to do instead."""
    with pytest.raises(UsageError, match="does not fetch") as caught:
        shop().search(Query(url="https://example.com/p.jpg"))
    assert caught.value.remedy


def test_item(shop: Open) -> None:
    """An item finds what looks like any of its photos, not itself, and no model is loaded."""
    twin = put("twin", photo("t.jpg", "second"))
    searcher = shop(put("a", photo("1.jpg", "first"), photo("2.jpg", "second")), twin, *_items(5), extractor=_no_model)
    answer = searcher.search(Query(item_id="a"))
    assert answer.hits[0].item_id == "twin"
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert "a" not in [hit.item_id for hit in answer.hits]
    assert len(answer.hits) == 6
    assert list(answer.timing_ms) == ["search", "total"]
    assert answer.query_box is None
    assert answer.regions == ()


def test_unknown_items(shop: Open) -> None:
    """An item that is not in the catalog, or has no vector in this collection, is reported as what it is."""
    searcher = shop(*_items(2))
    catalog = searcher._gallery._catalog
    catalog.register_collection(CollectionSpec("other", DIM, "f"))
    catalog.apply([put("b", photo("2.jpg", "y"))], collection="other")
    searcher.refresh()
    with pytest.raises(NotFoundError, match="item 'nobody' is not in the catalog"):
        searcher.search(Query(item_id="nobody"))
    with pytest.raises(NotFoundError, match="item 'b' has no searchable photo") as caught:
        searcher.search(Query(liked=("i000",), disliked=("b",)))
    assert "nitari rejects" in caught.value.remedy


def test_vector(shop: Open) -> None:
    """A vector of any length is a direction; no model is loaded."""
    searcher = shop(*_items(5), extractor=_no_model)
    answer = searcher.search(Query(vector=vector_of("p1") * 1e30))
    assert answer.hits[0].item_id == "i001"
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    opposite = searcher.search(Query(vector=-vector_of("p1")))
    assert opposite.hits[-1].score == 0.0


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(3, np.float32), r"shape \[3\]; this collection's vectors have \[16\]"),
        (np.ones((1, DIM), np.float32), r"shape \[1, 16\]"),
        (np.zeros(DIM, np.float32), "length 0.0"),
        (np.full(DIM, np.nan, np.float32), "length nan"),
        (np.full(DIM, np.inf, np.float32), "length inf"),
        (["x"] * DIM, "not an array of 16 numbers"),
    ],
)
def test_bad_vectors(shop: Open, vector: Any, message: str) -> None:
    """A vector without direction or of another width is the caller's mistake."""
    with pytest.raises(UsageError, match=message):
        shop(*_items(1)).search(Query(vector=vector))


def test_recommend(shop: Open) -> None:
    """Liked items pull, disliked ones push; all are left out, and each weighs the same however many photos it has."""
    edits = [
        put("liked 1", photo("1.jpg", "l1"), photo("2.jpg", "l2"), photo("3.jpg", "l3")),
        put("liked 2", photo("4.jpg", "l4")),
        put("disliked", photo("5.jpg", "d1")),
        *_items(30),
    ]
    searcher = shop(*edits, extractor=_no_model)
    pulled = (np.mean([vector_of("l1"), vector_of("l2"), vector_of("l3")], axis=0) + vector_of("l4")) / 2
    wanted = unit((pulled - DISLIKED_WEIGHT * vector_of("d1")).astype(np.float32))
    hits = searcher.search(Query(liked=("liked 1", "liked 2"), disliked=("disliked",), k=30)).hits
    expected = searcher.search(Query(vector=wanted, k=40)).hits
    assert [hit.item_id for hit in hits] == [hit.item_id for hit in expected if hit.item_id.startswith("i")]
    assert [h.score for h in hits[:5]] == pytest.approx(
        [h.score for h in expected if h.item_id.startswith("i")][:5], abs=1e-3
    )


def test_recommend_without_direction(shop: Open) -> None:
    """Likes that cancel each other out are reported."""
    searcher = shop(*_items(3))
    index = searcher._gallery._index
    (key,) = index.keys()[:1]
    index.add(np.asarray([key]), -index.vectors(index.keys()[1:2]))
    with pytest.raises(UsageError, match="cancel each other out"):
        searcher.search(Query(liked=("i000", "i001")))


@pytest.mark.parametrize("asked", [{"photo": b"p7"}, {"vector": vector_of("p7")}, {"item_id": "i007"}])
def test_likes_bend_a_question(shop: Open, asked: dict[str, Any]) -> None:
    """Beside a question, likes and dislikes bend it; liked items may be answered, disliked ones are not."""
    searcher = shop(*_items(40))
    wanted = vector_of("p7") + LIKED_WEIGHT * vector_of("p1") - DISLIKED_WEIGHT * vector_of("p2")
    left_out = {"i002", asked.get("item_id")}
    hits = searcher.search(Query(**asked, liked=("i001",), disliked=("i002",), k=50)).hits
    expected = [hit for hit in searcher.search(Query(vector=wanted, k=50)).hits if hit.item_id not in left_out]
    assert [hit.item_id for hit in hits if hit.score] == [hit.item_id for hit in expected if hit.score]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-3)
    assert "i001" in [hit.item_id for hit in hits]


def test_neighbors_follow_edits(shop: Open) -> None:
    """What looks like an item is remembered only until an item changes."""
    searcher = shop(*_items(5), extractor=_no_model)
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


def test_total_and_facets(shop: Open) -> None:
    """Beside its hits, an answer says how many items pass the filter, and what choosing other values would leave."""
    searcher = shop(*_items(10))
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


def test_facets_alone(shop: Open) -> None:
    """Items can be counted without searching, after the same rules."""
    searcher = shop(*_items(10), extractor=_no_model)
    counted = searcher.facets(["color"], filter={"color": "red", "price": {"gte": 3}}, limit=1)
    assert counted == Counted((Facet("color", (FacetValue("blue", 4),)),), 3, 10)
    assert searcher.facets([]) == Counted((), 10, 10)
    with pytest.raises(UsageError, match="can be counted"):
        searcher.facets(["color"], limit=0)
    with pytest.raises(FilterError):
        searcher.facets(["color"], filter={"price": {"gtr": 1}})


def test_detect(shop: Open) -> None:
    """A detection finds products without searching; a search with the same photo does not look for them again."""
    link = "https://example.com/p.jpg"
    searcher = shop(*_items(3), extractor=lambda: text_extractor(PRODUCT), source=Links({link: b"p2"}), remembered=4)
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
def test_pages(shop: Open, group_by: str, k: int, collapse: bool) -> None:
    """Pages put together are the one long answer, and ``more`` says when to stop."""
    edits = _items(60)
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


def test_beyond_the_end(shop: Open) -> None:
    """A page after the last hit is empty."""
    answer = shop(*_items(3)).search(Query(vector=vector_of("p1"), offset=50))
    assert (answer.hits, answer.more) == ((), False)


def test_group_shows_its_best_item(shop: Open) -> None:
    """Grouped, the answer has each group once, by the item that matched best."""
    hits = shop(*_items(20)).search(Query(vector=vector_of("p13"), group_by="group")).hits
    assert hits[0].item_id == "i013"
    assert len({hit.group_id for hit in hits}) == len(hits) == 7


def test_min_score(shop: Open) -> None:
    """Hits below the threshold are left out, also from what ``more`` counts; the score is not changed."""
    searcher = shop(*_items(50))
    everything = searcher.search(Query(vector=vector_of("p1"), k=1000)).hits
    threshold = everything[4].score
    answer = searcher.search(Query(vector=vector_of("p1"), min_score=threshold, k=5))
    assert answer.hits == everything[:5]
    assert not answer.more
    assert searcher.search(Query(vector=vector_of("p1"), min_score=threshold, k=4)).more
    assert len(searcher.search(Query(vector=vector_of("p1"), min_score=0.0, k=1000)).hits) == 50


def test_filter(shop: Open) -> None:
    """Only items that pass are found; an unknown attribute is no error; a mistake is named."""
    searcher = shop(*_items(50))
    hits = searcher.search(Query(vector=vector_of("p1"), filter={"price": {"lt": 10}, "color": "red"}, k=50)).hits
    assert sorted(hit.item_id for hit in hits) == ["i000", "i002", "i004", "i006", "i008"]
    assert _ids(searcher, vector=vector_of("p1"), filter={"colour": "red"}) == []
    assert len(_ids(searcher, vector=vector_of("p1"), filter={}, k=100)) == 50
    with pytest.raises(FilterError, match=r"filter\.price\.gtr"):
        searcher.search(Query(photo=b"never decoded", filter={"price": {"gtr": 1}}))


def test_empty_catalog(shop: Open) -> None:
    """A catalog without items answers with no hits."""
    searcher = shop()
    assert searcher.search(Query(photo=b"x", filter={"a": 1})).hits == ()
    assert searcher.stats() == SearcherStats(COLLECTION.name, DIM, 0, 0, 0, 0)


def test_extractor_is_loaded_once(shop: Open) -> None:
    """Many threads that come at once wait for one extractor."""
    made = []

    def make() -> Extractor:
        made.append(text_extractor())
        return made[-1]

    searcher = shop(*_items(3), extractor=make)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(searcher.search, [Query(photo=b"p1")] * 8))
    searcher.warm()
    assert len(made) == 1
    assert answers[0].hits[0].item_id == "i001"
    assert all(answer.hits == answers[0].hits for answer in answers)


def test_extractor_that_fails_is_tried_again(shop: Open) -> None:
    """A model that could not be had is asked for again by the next query."""
    tries = []

    def make() -> Extractor:
        tries.append(1)
        if len(tries) == 1:
            raise ConfigurationError("no model yet")
        return text_extractor()

    searcher = shop(*_items(2), extractor=make)
    with pytest.raises(ConfigurationError, match="no model yet"):
        searcher.warm()
    assert _ids(searcher, photo=b"p1")[0] == "i001"


def test_warm_runs_the_networks(shop: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warming up embeds a photo, as networks may be loaded when they first run."""
    embedded = []
    embed = TextEmbedder.embed

    def watched(self: TextEmbedder, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        embedded.append(photo)
        return embed(self, photo, regions)

    monkeypatch.setattr(TextEmbedder, "embed", watched)
    shop(*_items(1)).warm()
    assert len(embedded) == 1


def test_warm_photo_is_one() -> None:
    """The photo that is used for warming up decodes."""
    photo = ImageDecoder(max_bytes=10_000, max_pixels=10_000).decode(blank_photo(), short_side=0)
    assert photo.pixels.shape == (64, 64, 3)
    assert photo.pixels.min() == 255


@pytest.mark.parametrize("embedder", [TextEmbedder(name="other"), TextEmbedder(dim=3)])
def test_extractor_of_another_model(shop: Open, embedder: TextEmbedder) -> None:
    """An extractor whose vectors are not the gallery's is refused before it answers nonsense."""
    with pytest.raises(ConfigurationError, match="16 wide"):
        shop(extractor=lambda: text_extractor(embedder=embedder)).warm()


def test_stats_and_attributes(shop: Open) -> None:
    """Counts, and what filters can ask about."""
    searcher = shop(*_items(10))
    assert searcher.stats() == SearcherStats(COLLECTION.name, DIM, items=10, groups=7, keys=10, seq=10)
    assert searcher.known_attributes() == {
        "color": AttributeSummary(("text",), 10, 2),
        "price": AttributeSummary(("number",), 10, 10),
    }


def test_sample(shop: Open) -> None:
    """A few items of different groups come from all over the catalog, the same ones each time."""
    searcher = shop(*_items(20))
    few = searcher.sample(5)
    assert few == searcher.sample(5)
    assert len({int(item_id[1:]) % 7 for item_id in few}) == len(few) == 5
    assert len(searcher.sample(100)) == 7
    assert list(few) == sorted(few)


def test_sample_of_nothing(shop: Open) -> None:
    """An empty catalog has nothing to show."""
    assert shop().sample(5) == ()


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
    with Searcher(gallery=gallery, extractor=_no_model, source=source) as searcher:
        searcher.ping()
    assert closed == [gallery]
    assert source.closed
