"""From the nearest items to what is shown, through searchers over real catalogs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitari.catalog.base import Edit
from nitari.search.calibration import Calibration
from nitari.search.query import Query
from nitari.search.ranking import BOOST, SURE, WINDOW
from nitari.search.searcher import Searcher
from nitari.types import Answer, FloatArray
from support.catalogs import vector_of
from support.categories import BAGS, CATEGORIES, TANKS, TEES, assortment, looking_like, shown
from support.extraction import text_extractor
from support.galleries import apply, open_catalog, open_gallery

CALIBRATION = Calibration(12.0, -6.0, 0.5)


def _open(folder: Path, edits: Sequence[Edit], **more: Any) -> Searcher:
    folder.mkdir(exist_ok=True)
    catalog = open_catalog(folder)
    apply(catalog, *edits)
    return Searcher(gallery=open_gallery(catalog), extractor=text_extractor, **more)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A shop of three categories, 120 items, and five that do not say what they are."""
    silent = [shown(f"silent{number}", looking_like(TEES, f"silent{number}")) for number in range(5)]
    with _open(tmp_path_factory.mktemp("shop"), [*assortment(), *silent]) as searcher:
        yield searcher


def _ask(searcher: Searcher, vector: FloatArray, **more: Any) -> Answer:
    return searcher.search(Query(vector=vector, **more))


def _kinds(answer: Answer) -> list[Any]:
    return [hit.attributes.get("product_type") for hit in answer.hits]


def test_prefers_what_the_query_shows(shop: Searcher) -> None:
    """More of the first ten are of the query's category, the guess is mostly right, and it can be switched off."""
    boosted, plain, right = [], [], []
    for category in CATEGORIES:
        for number in range(10):
            vector = looking_like(category, f"query{number}")
            answer, off = _ask(shop, vector, k=10), _ask(shop, vector, k=10, category="off")
            assert answer.category is not None
            assert off.category is None
            right.append(answer.category.value == category)
            boosted.append(_kinds(answer).count(category))
            plain.append(_kinds(off).count(category))
    assert np.mean(right) > 0.75
    assert 10 - np.mean(boosted) < 0.75 * (10 - np.mean(plain))


def test_a_boost_is_bounded(shop: Searcher) -> None:
    """A score grows by a share of what it lacks to 1 at most, none falls, and the order follows the scores."""
    vector = looking_like(TEES, "query")
    plain = {hit.item_id: hit.score for hit in _ask(shop, vector, k=125, category="off").hits}
    boosted = _ask(shop, vector, k=125).hits
    assert [hit.score for hit in boosted] == sorted((hit.score for hit in boosted), reverse=True)
    for hit in boosted[:WINDOW]:
        assert plain[hit.item_id] - 1e-6 <= hit.score <= 1 - (1 - BOOST) * (1 - plain[hit.item_id]) + 1e-6
    assert {hit.item_id for hit in boosted} == plain.keys()


def test_the_very_same_photo_stays_first(shop: Searcher) -> None:
    """A photo of the catalog finds itself with score 1, whatever it is taken for."""
    for category in CATEGORIES:
        answer = _ask(shop, looking_like(category, f"{category}7"), k=1)
        assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
        assert answer.hits[0].item_id == f"{category[-4:].lower()}007"


def test_an_item_knows_its_category(shop: Searcher) -> None:
    """Where an item asks, nothing is guessed; one that does not say what it is, is."""
    answer = shop.search(Query(item_id="tees001"))
    assert answer.category is not None
    assert (answer.category.value, answer.category.probability) == (TEES, 1.0)
    silent = shop.search(Query(item_id="silent1"))
    assert silent.category is not None
    assert silent.category.probability < 1.0
    assert shop.search(Query(item_id="tees001", category="off")).category is None


def test_restricts_where_it_is_sure(shop: Searcher) -> None:
    """Only the guessed category is answered where it is sure enough, and the answer says which of both it was."""
    seen = set()
    for number in range(40):
        answer = _ask(shop, looking_like(BAGS, f"query{number}"), k=30, category="restrict")
        assert answer.category is not None
        assert answer.category.restricted == (answer.category.probability >= SURE)
        assert (set(_kinds(answer)) == {answer.category.value}) == answer.category.restricted
        seen.add(answer.category.restricted)
    assert seen == {True, False}
    item = shop.search(Query(item_id="tees001", category="restrict", k=100))
    assert item.category is not None
    assert item.category.restricted
    assert set(_kinds(item)) == {TEES}
    assert len(item.hits) == 39


def test_the_filter_holds_and_ends_the_boost(shop: Searcher) -> None:
    """Where the filter leaves one category, scores are those without a boost; it is never widened."""
    vector = looking_like(TEES, "query")
    only = {"product_type": TANKS}
    answer, off = (_ask(shop, vector, k=50, filter=only, category=choice) for choice in ("boost", "off"))
    assert set(_kinds(answer)) == {TANKS}
    assert answer.hits == off.hits
    none = shop.search(Query(item_id="tees001", filter=only, category="restrict"))
    assert none.hits == ()


def test_a_small_gallery_is_left_alone(tmp_path: Path) -> None:
    """Too few items to learn from are ranked by likeness alone."""
    with _open(tmp_path, assortment(5)) as searcher:
        vector = looking_like(TEES, "query")
        assert _ask(searcher, vector).hits == _ask(searcher, vector, category="off").hits
        assert _ask(searcher, vector).category is None
        assert searcher.search(Query(item_id="tees001")).category is None


def test_another_attribute_or_none(tmp_path: Path) -> None:
    """The setting names the attribute; an empty one leaves categories alone."""
    with _open(tmp_path, assortment(), category="") as searcher:
        assert _ask(searcher, looking_like(TEES, "query")).category is None
    with _open(tmp_path, [], category="color") as searcher:
        assert _ask(searcher, looking_like(TEES, "query")).category is None


def test_every_photo_of_an_item_counts(tmp_path: Path) -> None:
    """An item is as near as its best photo, which is the one that is shown."""
    best = looking_like(TEES, "best")
    items = [shown("several", looking_like(BAGS, "a"), best, looking_like(TEES, "c")), *assortment(3)]
    with _open(tmp_path, items) as searcher:
        hit = _ask(searcher, best).hits[0]
        assert (hit.item_id, hit.image) == ("several", "several-1.jpg")
        assert hit.score == pytest.approx(1.0, abs=1e-3)


def test_the_same_photo_once(tmp_path: Path) -> None:
    """Listings of one photo are one hit that names the others; other photos beside it do not hide the twin."""
    same = vector_of("same")
    items = [
        *(shown(f"twin{number}", same) for number in range(3)),
        shown("also", same, vector_of("its back")),
        shown("other", vector_of("its back"), same),
        shown("size-s", vector_of("shirt"), group_id="shirt"),
        shown("size-l", vector_of("shirt"), group_id="shirt"),
    ]
    with _open(tmp_path, items) as searcher:
        answer = _ask(searcher, same, k=5)
        assert (answer.hits[0].item_id, answer.hits[0].duplicates) == ("also", ("twin0", "twin1", "twin2"))
        shown_ids = {hit.item_id for hit in answer.hits}
        assert shown_ids == {"also", "other", "size-l"}
        assert answer.total == 7
        apart = _ask(searcher, same, k=10, collapse=False)
        assert len(apart.hits) == 7
        assert all(hit.duplicates == () for hit in apart.hits)
        item = searcher.search(Query(item_id="twin1"))
        assert (item.hits[0].item_id, item.hits[0].duplicates) == ("also", ("twin0", "twin2"))


@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_calibrated_scores(tmp_path: Path, calibration: Calibration | None) -> None:
    """A calibration changes scores and not the ranking; the threshold keeps exactly what scores as much."""
    with _open(tmp_path, assortment(), calibration=calibration) as searcher:
        vector = looking_like(TEES, "query")
        hits = _ask(searcher, vector, k=120).hits
        bare = _ask(searcher, vector, k=120, category="off").hits
        for found, choice in ((hits, "boost"), (bare, "off")):
            for least in (0.2, 0.5, float(found[30].score)):
                kept = _ask(searcher, vector, k=120, min_score=least, category=choice)
                assert kept.hits == tuple(hit for hit in found if hit.score >= least)
        if calibration is not None:
            with _open(tmp_path / "plain", assortment()) as plain:
                scores = np.asarray([hit.score for hit in _ask(plain, vector, k=120).hits])
                ids = [hit.item_id for hit in _ask(plain, vector, k=120).hits]
            above = int(np.count_nonzero(scores > 0))
            assert [hit.item_id for hit in hits][:above] == ids[:above]
            np.testing.assert_allclose([hit.score for hit in hits][:above], calibration.scores(scores)[:above])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["a", "b", "Women > Tops > Tees3", "Gear > Bags9"]),
    kind=st.sampled_from(CATEGORIES),
    category=st.sampled_from(["boost", "restrict", "off"]),
    group_by=st.sampled_from(["item", "group"]),
    collapse=st.booleans(),
    least=st.sampled_from([None, 0.3, 0.8]),
    k=st.integers(1, 60),
)
def test_pages_neither_repeat_nor_skip(crowded: Searcher, k: int, name: str, kind: str, **more: Any) -> None:
    """Pages put together are the one long answer, under every option."""
    query = {"vector": looking_like(kind, name), "min_score": more.pop("least"), **more}
    whole = crowded.search(Query(**query, k=1000))
    assert not whole.more
    hits: list[Any] = []
    more_there = True
    while more_there:
        answer = crowded.search(Query(**query, k=k, offset=len(hits)))
        hits += answer.hits
        more_there = answer.more
        assert answer.category == whole.category
        assert len(answer.hits) == k or not more_there
    assert tuple(hits) == whole.hits
    ids = [item_id for hit in hits for item_id in (hit.item_id, *hit.duplicates)]
    assert len(set(ids)) == len(ids)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A shop with groups, several photos an item, and the same photos again and again."""
    twins = [
        shown(f"again{number:02}", looking_like(TEES, f"{TEES}{number % 4}"), category=TEES, group_id=f"g{number % 5}")
        for number in range(30)
    ]
    several = [
        shown(f"several{number}", looking_like(BAGS, f"s{number}"), looking_like(BAGS, f"t{number}"), category=BAGS)
        for number in range(20)
    ]
    with _open(tmp_path_factory.mktemp("crowded"), [*assortment(), *twins, *several]) as searcher:
        yield searcher
